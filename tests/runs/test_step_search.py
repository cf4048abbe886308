from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from faulty_emr import FaultyEmr, aws_error, clients_of, throttled, timed_out

from airflow_provider_emrkit import ClusterPool, ClusterSpec, DynamicCluster, ExistingCluster
from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.compute.pool_request import pool_place
from airflow_provider_emrkit.exceptions import (
    ComputeNotFoundError,
    SubmitDeniedError,
    SubmitRefusedError,
    ThrottledError,
)
from airflow_provider_emrkit.runs.states import RunState
from airflow_provider_emrkit.runs.step_search import (
    CLUSTER_PAGES,
    DAG_RUN_SKEW,
    LATE_LIST,
    POOL_CLUSTER_LIFE,
    SEARCH_WITHIN,
    StepSearch,
)
from airflow_provider_emrkit.runs.token import Mark, RunToken

THIRD = RunToken("sales", "manual__1", "load", -1, generation=4, try_number=3)
SECOND = replace(THIRD, try_number=2)
FIRST = replace(THIRD, generation=2, try_number=1)
MAPPED = replace(SECOND, map_index=0)
NEW = DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny"))
NOW = datetime.now(timezone.utc)


class Emr:
    """A local EMR, and the means to search it."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.faulty = FaultyEmr(server.client("emr"))
        self.pauses: list[float] = []

    def search(self, stops: bool = False) -> StepSearch:
        def pause(seconds: float) -> bool:
            self.pauses.append(seconds)
            return stops

        return StepSearch(clients_of(self.faulty), pause)

    def earlier(self, compute: Any, since: float | None = None) -> list[Any]:
        return self.search().earlier(compute, THIRD, since)

    def own_cluster(self, token: RunToken, **request: Any) -> str:
        """Start a cluster as a try of the task does."""
        step = {
            "Name": token.marked(),
            "ActionOnFailure": "TERMINATE_CLUSTER",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://code/job.py"]},
        }
        instances = {
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": False,
        }
        return str(self.server.run_cluster(Name=token.marked(), Instances=instances, Steps=[step], **request))


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """The present is that of the test, and not of its import: hours of other tests may be between them."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(timezone.utc))


@pytest.fixture
def emr(localemr_server):
    return Emr(localemr_server)


@pytest.fixture
def team(localemr_server):
    cluster = localemr_server.run_cluster(Name="team")
    localemr_server.wait_cluster(cluster, "WAITING")
    return ExistingCluster(cluster)


# --- a cluster that exists --------------------------------------------------------------------------------


def test_all_that_a_task_instance_has_started_the_newest_first(emr, team):
    emr.server.runner.script("", hold=True)
    first, *_ = [emr.server.add_step(team.cluster_id, token.marked()) for token in (FIRST, MAPPED, SECOND)]
    emr.server.add_step(team.cluster_id, "by hand")
    emr.server.wait_step(team.cluster_id, first, "RUNNING")
    found = emr.earlier(team)
    assert [one.mark for one in found] == [SECOND.mark, FIRST.mark]
    assert [one.status.detail for one in found] == ["PENDING", "RUNNING"]


def test_a_run_that_is_found_is_as_good_as_one_that_was_submitted(emr):
    cluster = emr.server.run_cluster(
        Name="team",
        LogUri="s3://logs/emr/",
        Applications=[{"Name": "AmazonCloudWatchAgent"}],
        MonitoringConfiguration={
            "CloudWatchLogConfiguration": {
                "Enabled": True,
                "LogGroupName": "/all",
                "LogStreamNamePrefix": "x",
            }
        },
    )
    emr.server.wait_cluster(cluster, "WAITING")
    emr.server.runner.script("", hold=True)
    token = replace(SECOND, relaunch=1)
    step_id = emr.server.add_step(cluster, token.marked())
    [one] = emr.earlier(ExistingCluster(cluster))
    run = one.run
    assert (run.cluster_id, run.step_id, run.owns_cluster) == (cluster, step_id, False)
    assert (run.token, run.name, run.relaunch) == (str(token), token.marked(), 1)
    assert (run.log_group, run.log_prefix, run.log_uri) == ("/all", "x/", "s3n://logs/emr/")
    assert run.submitted_at == pytest.approx(time.time(), abs=60)
    assert one.status.compute_ready_at is not None


def test_a_cluster_with_the_work_of_the_try_before_takes_two_calls(emr, team):
    emr.server.add_step(team.cluster_id, SECOND.marked())
    assert len(emr.earlier(team)) == 1
    assert emr.faulty.calls == ["list_steps", "describe_cluster"]
    assert emr.pauses == []


def test_where_nothing_is_listed_of_the_try_before_a_second_look_is_taken(emr, team):
    """It may have died the moment that AWS had its job, and EMR not list that yet."""
    emr.server.add_step(team.cluster_id, SECOND.marked())
    emr.faulty.hide("list_steps", 1)
    assert [one.mark for one in emr.earlier(team)] == [SECOND.mark]
    assert emr.pauses == [LATE_LIST]


def test_there_are_two_looks_and_not_more(emr, team):
    emr.server.add_step(team.cluster_id, MAPPED.marked())
    assert emr.earlier(team) == []
    assert emr.faulty.calls == ["list_steps", "list_steps"]


def test_the_first_try_has_nobody_before_it(emr, team):
    first = replace(THIRD, try_number=1)
    assert emr.search().earlier(team, first) == []
    assert emr.faulty.calls == ["list_steps"]


def test_work_is_found_on_a_cluster_that_has_ended(emr, team):
    step = emr.server.add_step(team.cluster_id, SECOND.marked())
    emr.server.wait_step(team.cluster_id, step, "COMPLETED")
    emr.server.client("emr").terminate_job_flows(JobFlowIds=[team.cluster_id])
    emr.server.wait_cluster(team.cluster_id, "TERMINATED")
    [one] = emr.earlier(team)
    assert one.status.state is RunState.SUCCEEDED


def test_work_that_died_with_its_cluster_is_lost(emr, team):
    """EMR may still call the step RUNNING."""
    emr.server.runner.script("", hold=True)
    step = emr.server.add_step(team.cluster_id, SECOND.marked())
    emr.server.wait_step(team.cluster_id, step, "RUNNING")
    emr.server.client("emr").terminate_job_flows(JobFlowIds=[team.cluster_id])
    emr.server.wait_cluster(team.cluster_id, "TERMINATED")
    [one] = emr.earlier(team)
    assert one.status.state.is_final
    assert one.status.compute_state == "TERMINATED"


def test_earlier_work_is_found_behind_many_pages_of_others(emr, team):
    emr.server.add_step(team.cluster_id, SECOND.marked())
    for number in range(120):
        emr.server.add_step(team.cluster_id, f"other {number}")
    [one] = emr.earlier(team)
    assert one.mark == SECOND.mark
    assert emr.faulty.calls.count("list_steps") == 3


class Listed:
    """Lists of EMR that hold what no test can wait for: hundreds of things, hours old."""

    def __init__(self, *named: tuple[str, str, float]) -> None:
        """:param named: Name, state and age in hours, the newest first."""
        self.things = [
            {
                "Id": f"x-{number}",
                "Name": name,
                "Status": {"State": state, "Timeline": {"CreationDateTime": NOW - timedelta(hours=age)}},
            }
            for number, (name, state, age) in enumerate(named)
        ]
        self.requests: list[dict[str, Any]] = []

    def list_steps(self, **request: Any) -> dict[str, Any]:
        return self._page("Steps", request, request.get("StepStates"))

    def list_clusters(self, **request: Any) -> dict[str, Any]:
        return self._page("Clusters", request, request.get("ClusterStates"))

    def describe_cluster(self, **request: Any) -> dict[str, Any]:
        return {"Cluster": {"Id": request["ClusterId"], "Status": {"State": "RUNNING"}}}

    def _page(self, member: str, request: dict[str, Any], states: Any) -> dict[str, Any]:
        self.requests.append(request)
        fits = [thing for thing in self.things if _fits(thing, request, states)]
        start = int(request.get("Marker") or 0)
        more = {"Marker": str(start + 50)} if start + 50 < len(fits) else {}
        return {member: fits[start : start + 50], **more}


def _fits(thing: Any, request: dict[str, Any], states: Any) -> bool:
    created = thing["Status"]["Timeline"]["CreationDateTime"]
    return (
        (not states or thing["Status"]["State"] in states)
        and created >= request.get("CreatedAfter", created)
        and created <= request.get("CreatedBefore", created)
    )


def earlier_of(listed: Listed, compute: Any, since: float | None = None) -> list[str]:
    """Give the ids of what was found."""
    found = StepSearch(clients_of(listed), lambda seconds: False).earlier(compute, THIRD, since)
    return [one.run.cluster_id if isinstance(compute, DynamicCluster) else one.run.step_id for one in found]


OTHERS = [("other", "COMPLETED", 1.0)] * 60
OLD_OTHERS = [("other", "COMPLETED", 30.0)] * 900


def test_looking_ends_where_the_dag_run_began(emr):
    listed = Listed(*OTHERS, (SECOND.marked(), "COMPLETED", 2.0), *OLD_OTHERS)
    assert earlier_of(listed, ExistingCluster("j-1"), time.time() - 3 * 3600) == ["x-60"]
    assert [request.get("StepStates") for request in listed.requests] == [
        None,
        None,
        ["PENDING", "CANCEL_PENDING", "RUNNING"],
    ]


def test_work_from_before_the_dag_run_is_found_while_it_lives():
    """Of a cleared task, or of a DAG run that had the same id and was deleted."""
    listed = Listed(
        *OTHERS, *OLD_OTHERS, (FIRST.marked(), "COMPLETED", 40.0), (FIRST.marked(), "RUNNING", 41.0)
    )
    assert earlier_of(listed, ExistingCluster("j-1"), time.time() - 3600 * 3) == ["x-961"]


def test_what_is_listed_twice_is_found_once():
    """On the page the time ends on, and among those that are not over."""
    listed = Listed((SECOND.marked(), "RUNNING", 0.5), *OLD_OTHERS)
    assert earlier_of(listed, ExistingCluster("j-1"), time.time() - 3600) == ["x-0"]


def test_a_day_is_looked_back_where_nobody_knows_since_when():
    hours = SEARCH_WITHIN / 3600
    listed = Listed(
        *OTHERS, (SECOND.marked(), "COMPLETED", hours - 1), *OLD_OTHERS, (SECOND.marked(), "FAILED", 31.0)
    )
    assert earlier_of(listed, ExistingCluster("j-1")) == ["x-60"]


def test_clocks_may_differ():
    since = NOW.timestamp() - 3600
    in_time, too_old = ((DAG_RUN_SKEW + more) / 3600 for more in (-10, 10))
    steps = [(SECOND.marked(), "COMPLETED", 1 + in_time), (SECOND.marked(), "COMPLETED", 1 + too_old)]
    listed = Listed(*steps, *OLD_OTHERS)
    assert earlier_of(listed, ExistingCluster("j-1"), since) == ["x-0"]


# --- clusters of their own --------------------------------------------------------------------------------


def test_a_cluster_of_its_own_is_found_with_its_step(emr):
    emr.server.runner.script("emrkit:", hold=True)
    cluster = emr.own_cluster(SECOND)
    emr.own_cluster(MAPPED)
    emr.server.wait_cluster(cluster, "RUNNING")
    [one] = emr.earlier(NEW)
    assert (one.run.cluster_id, one.run.owns_cluster, one.mark) == (cluster, True, SECOND.mark)
    assert one.run.step_id.startswith("s-")
    assert not one.status.state.is_final


def test_a_step_that_succeeded_is_found_on_its_ended_cluster(emr):
    cluster = emr.own_cluster(SECOND)
    emr.server.wait_cluster(cluster, "TERMINATED")
    [one] = emr.earlier(NEW)
    assert one.status.state is RunState.SUCCEEDED
    assert one.run.step_id.startswith("s-")


@pytest.mark.parametrize("call", ["describe_cluster", "list_steps"])
def test_a_step_that_succeeds_while_it_is_looked_for_is_not_lost(emr, call):
    emr.server.runner.script("emrkit:", hold=True)
    cluster = emr.own_cluster(SECOND)
    emr.server.wait_cluster(cluster, "RUNNING")

    def succeed() -> None:
        emr.server.runner.finish("emrkit:")
        emr.server.wait_cluster(cluster, "TERMINATED")

    emr.faulty.before[call] = succeed
    [one] = emr.earlier(NEW)
    assert one.status.state is RunState.SUCCEEDED


def test_a_failed_one_is_found_as_that(emr):
    emr.server.runner.script("emrkit:", fails="ValueError")
    cluster = emr.own_cluster(SECOND)
    emr.server.wait_cluster(cluster, "TERMINATED_WITH_ERRORS")
    [one] = emr.earlier(NEW)
    assert one.status.state is RunState.FAILED


def test_what_ended_for_a_cleared_task_costs_no_calls(emr):
    cluster = emr.own_cluster(replace(FIRST, try_number=2))
    emr.server.wait_cluster(cluster, "TERMINATED")
    assert emr.earlier(NEW) == []
    assert emr.faulty.calls == ["list_clusters", "list_clusters"]


def test_what_a_cleared_task_left_running_is_found(emr):
    emr.server.runner.script("emrkit:", hold=True)
    cluster = emr.own_cluster(FIRST)
    [one] = emr.earlier(NEW)
    assert (one.run.cluster_id, one.mark) == (cluster, FIRST.mark)


def test_an_old_cluster_is_found_while_it_lives():
    listed = Listed(
        ("other", "TERMINATED", 1.0),
        *[("other", "TERMINATED", 5.0)] * 200,
        (SECOND.marked(), "RUNNING", 50.0),
        (SECOND.marked(), "TERMINATED", 51.0),
    )
    assert earlier_of(listed, NEW, time.time() - 3600 * 2) == ["x-201"]


def test_a_step_that_is_listed_late_is_waited_for(emr):
    emr.server.runner.script("emrkit:", hold=True)
    emr.own_cluster(SECOND)
    emr.faulty.hide("list_steps", 2)
    [one] = emr.earlier(NEW)
    assert one.run.step_id.startswith("s-")
    assert len(emr.pauses) == 2


def test_a_step_that_is_never_listed_leaves_the_cluster_alone_to_be_ended(emr):
    emr.server.runner.script("emrkit:", hold=True)
    emr.own_cluster(SECOND)
    emr.faulty.hide("list_steps", 100)
    [one] = emr.earlier(NEW)
    assert one.run.step_id == ""
    assert not one.status.state.is_final


def test_more_clusters_than_anybody_can_look_through_are_told(caplog):
    listed = Listed(
        *[("other", "TERMINATED", 0.5)] * (CLUSTER_PAGES * 50 + 1), (SECOND.marked(), "RUNNING", 1)
    )
    assert earlier_of(listed, NEW, time.time() - 3600 * 2) == []
    assert f"in {CLUSTER_PAGES} pages of EMR's clusters; there are more" in caplog.text


# --- when AWS does not answer -----------------------------------------------------------------------------


def test_throttling_is_waited_out(emr, team):
    emr.server.add_step(team.cluster_id, SECOND.marked())
    emr.faulty.fail("list_steps", throttled(), timed_out(), aws_error("InternalFailure", "", 500))
    emr.faulty.fail("describe_cluster", throttled())
    assert [one.mark for one in emr.earlier(team)] == [SECOND.mark]
    assert len(emr.pauses) == 4


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(throttled, ThrottledError, id="throttled"),
        pytest.param(lambda: aws_error("AccessDeniedException", "ListSteps"), SubmitDeniedError, id="denied"),
        pytest.param(timed_out, SubmitRefusedError, id="timeout"),
    ],
)
def test_who_can_t_ask_does_not_say_that_there_is_nothing(emr, team, error, kind):
    emr.faulty.fail("list_steps", *[error() for _ in range(20)])
    with pytest.raises(kind, match=r"could not be found out whether .* so nothing was submitted"):
        emr.earlier(team)


def test_a_cluster_that_does_not_exist_is_named(emr):
    with pytest.raises(ComputeNotFoundError, match="check its id"):
        emr.earlier(ExistingCluster("j-NOWHERE"))


def test_a_killed_task_does_not_go_on_asking(emr, team):
    emr.faulty.fail("list_steps", *[throttled() for _ in range(20)])
    with pytest.raises(ThrottledError):
        emr.search(stops=True).earlier(team, THIRD)
    assert emr.faulty.calls == ["list_steps"]


# --- after a submission whose answer was lost -------------------------------------------------------------


def test_exactly_one_token_is_looked_for_and_asked_for_once(emr, team):
    emr.server.runner.script("", hold=True)
    for token in (SECOND, THIRD, THIRD):
        emr.server.add_step(team.cluster_id, token.marked())
    found = StepSearch(clients_of(emr.faulty)).carrying(team, THIRD, time.time())
    assert [one.mark for one in found] == [THIRD.mark, THIRD.mark]
    assert found[0].run.submitted_at <= found[1].run.submitted_at
    assert emr.faulty.calls == ["list_steps", "describe_cluster"]
    emr.faulty.fail("list_steps", throttled())
    with pytest.raises(Exception, match="Rate exceeded"):
        StepSearch(clients_of(emr.faulty)).carrying(team, THIRD, time.time())


def test_marks_are_read_from_names_of_any_length():
    token = replace(SECOND, dag_id="d" * 250)
    assert Mark.of(token.marked()) == token.mark


@pytest.mark.parametrize(
    ("arguments", "apart"),
    [
        pytest.param(["spark-submit", "--deploy-mode", "client", "job.py"], False, id="client"),
        pytest.param(["spark-submit", "--deploy-mode", "cluster", "job.py"], True, id="cluster"),
        pytest.param(
            ["spark-submit", "--deploy-mode", "cluster", "job.py", "--deploy-mode", "client"],
            True,
            id="an argument of the job's own",
        ),
        pytest.param(["bash", "-c", "...", "emrkit", "s3://code/x.args"], True, id="not to be read"),
    ],
)
def test_a_driver_that_may_run_apart_is_taken_for_one(localemr_server, emr, team, arguments, apart):
    step = {
        "Name": SECOND.marked(),
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": arguments},
    }
    localemr_server.client("emr").add_job_flow_steps(JobFlowId=team.cluster_id, Steps=[step])
    assert [one.run.driver_apart for one in emr.earlier(team)] == [apart]


# --- a pool -----------------------------------------------------------------------------------------------

POOL = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), max_clusters=2)
STAGING_URI = "s3://staging/emrkit"


def pool_name(number=1, pool=POOL, staging_uri=STAGING_URI):
    place = pool_place(pool, staging_uri)
    return PoolMark(place.name, place.key, "0123456789ab", (1, 0, 0), f"{number:012x}").marked()


def pool_search(clients):
    return StepSearch(clients, lambda seconds: False, STAGING_URI)


def test_the_work_of_earlier_tries_is_found_on_all_clusters_of_the_pool(emr):
    emr.server.runner.script("", hold=True)
    one, two = (emr.server.run_cluster(Name=pool_name(number)) for number in (1, 2))
    strangers = (
        emr.server.run_cluster(Name="team"),
        emr.server.run_cluster(Name=pool_name(3, staging_uri="s3://other/emrkit")),
        emr.server.run_cluster(Name=pool_name(4, replace(POOL, team="data"))),
    )
    emr.server.add_step(one, FIRST.marked())
    emr.server.add_step(two, SECOND.marked())
    for cluster in strangers:
        emr.server.add_step(cluster, SECOND.marked())
    found = pool_search(clients_of(emr.faulty)).earlier(POOL, THIRD)
    assert [(one.mark, one.run.cluster_id) for one in found] == [(SECOND.mark, two), (FIRST.mark, one)]
    assert {(one.run.pool, one.run.owns_cluster) for one in found} == {("medium", False)}


def test_the_work_on_a_cluster_that_has_ended_is_found(emr):
    cluster = emr.server.run_cluster(Name=pool_name())
    emr.server.add_step(cluster, SECOND.marked())
    emr.server.wait_cluster(cluster, "WAITING")
    emr.server.client("emr").terminate_job_flows(JobFlowIds=[cluster])
    [found] = pool_search(clients_of(emr.faulty)).earlier(POOL, THIRD)
    assert found.run.cluster_id == cluster
    assert found.status.state is RunState.SUCCEEDED


class LongLived:
    """An EMR that has one cluster of the pool, which was started long ago, and has ended perhaps."""

    def __init__(self, created, ended=None):
        timeline = {"CreationDateTime": created, **({"EndDateTime": ended} if ended else {})}
        state = "TERMINATED" if ended else "WAITING"
        self.cluster = {"Id": "j-1", "Name": pool_name(), "Status": {"State": state, "Timeline": timeline}}
        self.asked = []

    def list_clusters(self, **asked):
        created = self.cluster["Status"]["Timeline"]["CreationDateTime"]
        fits = (
            asked.get("CreatedAfter", created) <= created
            and asked.get("CreatedBefore", NOW) > created
            and self.cluster["Status"]["State"] in asked.get("ClusterStates", ("WAITING", "TERMINATED"))
        )
        return {"Clusters": [self.cluster] if fits else []}

    def describe_cluster(self, **_):
        return {"Cluster": self.cluster}

    def list_steps(self, **asked):
        self.asked.append(asked["ClusterId"])
        done = {"State": "COMPLETED", "Timeline": {"CreationDateTime": NOW - timedelta(minutes=5)}}
        return {"Steps": [{"Id": "s-1", "Name": SECOND.marked(), "Status": done}]}


@pytest.mark.parametrize("has_ended", [False, True], ids=["there", "ended"])
def test_a_pool_s_cluster_may_be_older_than_the_dag_run(has_ended):
    listed = LongLived(NOW - timedelta(hours=40), NOW - timedelta(minutes=1) if has_ended else None)
    since = (NOW - timedelta(hours=1)).timestamp()
    [found] = pool_search(clients_of(listed)).earlier(POOL, THIRD, since)
    assert (found.run.cluster_id, found.run.step_id) == ("j-1", "s-1")


def test_a_pool_s_cluster_that_had_ended_before_the_dag_run_is_not_looked_at():
    listed = LongLived(NOW - timedelta(hours=40), NOW - timedelta(hours=2))
    since = (NOW - timedelta(hours=1)).timestamp()
    assert pool_search(clients_of(listed)).earlier(POOL, THIRD, since) == []
    assert listed.asked == []


def test_clusters_of_a_pool_that_have_ended_are_looked_for_so_far_back():
    since = (NOW - timedelta(hours=1)).timestamp()
    listed = LongLived(NOW - timedelta(hours=2, seconds=POOL_CLUSTER_LIFE), NOW)
    assert pool_search(clients_of(listed)).earlier(POOL, THIRD, since) == []


def test_jobs_of_a_pool_are_found_by_their_marks(emr):
    emr.server.runner.script("", hold=True)
    cluster = emr.server.run_cluster(Name=pool_name())
    for token in (FIRST, SECOND, MAPPED):
        emr.server.add_step(cluster, token.marked())
    place = pool_place(POOL, STAGING_URI)
    found = pool_search(clients_of(emr.faulty)).on_pool(place, {FIRST.mark, MAPPED.mark}, time.time())
    assert [one.mark for one in found] == [FIRST.mark, MAPPED.mark]
