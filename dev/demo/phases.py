"""The phases of the demo, in their order, and its end."""

from __future__ import annotations

import os
import re
import time
import uuid
from typing import TYPE_CHECKING

import demo.airflow
import demo.input
import demo.localemr
import demo.record
import demo.result
from demo.environment import BUCKET, MARKER, Places, environment
from demo.examples import FLIGHTS, Example, Result
from demo.follow import Follower, Outcome, RunError
from demo.processes import Child, process, stop
from environments.catalog import Layout
from environments.tool import UvTool
from images.engine import CHOSEN, Engine
from images.example import ExampleImage

if TYPE_CHECKING:
    from demo.rest import Airflow, LogLine
    from demo.screen import Screen

RECORD = "running.json"
_JOB_LINE = re.compile(
    r"\[(?:submit )?(stdout|stderr|submit)\] (.*)", re.DOTALL
)  # how the provider marks lines of the job
_STYLES = {"stdout": "cyan", "stderr": "dim", "submit": "dim", "error": "red", "warning": "yellow"}
_FOLDING = ("::group::", "::endgroup::")  # what Airflow's UI folds lines by


class Demo:
    """One run of the demo.

    :param places: Where things are.
    :param screen: Where to show them.
    :param example: Which DAG to run.

    Example::

        demo = Demo(places, Screen())
        try:
            outcome = demo.run()
        finally:
            demo.shut_down()
    """

    def __init__(self, places: Places, screen: Screen, example: Example = FLIGHTS) -> None:
        self.places = places
        self.screen = screen
        self.example = example
        self._marker = uuid.uuid4().hex
        own = environment(os.environ, places, self._marker)
        # In the demo's own environment as well: pip is asked for the user's settings, and is a process too.
        self._environment = {**own, **UvTool(Layout(places.root), own, screen.say).user_settings()}
        self._home = demo.airflow.Home(places.folder / f"airflow-{demo.airflow.version(places.airflow_env)}")
        self._children: list[Child] = []
        # From here on this process, too, can't see what it has not passed on.
        os.environ.clear()
        os.environ.update(self._environment)

    def run(self) -> Outcome:
        """All phases up to the end of the DAG run; the programs are still running then.

        Airflow is started first and waited for last: it takes longest, and the others don't need it.
        """
        self._write_record()
        engine = Engine.find(self._environment) if self.example.image else None
        if engine:
            self._environment[CHOSEN] = engine.program  # the one that gets the image runs it
        settings = demo.airflow.Settings(self._home, self.places.dags, self.places.airflow_port)
        log = self.places.folder / "airflow.log"
        child, airflow = demo.airflow.start(self.places, self._environment, settings, log)
        self._remember(child)
        self._start_localemr()
        self._prefetch()
        if engine:
            self._image(engine)
        self._upload()
        self._wait_airflow(child, airflow)
        return self._follow(airflow)

    def _start_localemr(self) -> None:
        with self.screen.step("local EMR") as step:
            folder = self.places.folder / "localemr"
            child = demo.localemr.start(self.places, self._environment, folder)
            self._remember(child)
            demo.localemr.wait_ready(child, self.places.endpoint, step.update)
            step.done(self.places.endpoint)

    def _prefetch(self) -> None:
        label = demo.localemr.release_label(self.places.dags / self.example.file)
        with self.screen.step(f"Spark for {label}") as step:
            step.done(demo.localemr.prefetch(self.places, self._environment, label, step.update))

    def _image(self, engine: Engine) -> None:
        with self.screen.step("image") as step:
            image = ExampleImage(engine, Layout(self.places.root), step.update)
            step.done(image.ensure())

    def _upload(self) -> None:
        with self.screen.step("input") as step:
            folder = demo.input.find_folder([self.places.data_env])
            total = 0
            for uri, size in demo.input.upload(demo.localemr.s3_client(self.places.endpoint), BUCKET, folder):
                total += size
                step.update(uri)
            self.example.clear(demo.localemr.s3_client(self.places.endpoint))
            where = f"s3://{BUCKET}/{demo.input.PREFIX}/"
            step.done(f"{len(demo.input.TABLES)} csv files, {total / 1e6:.0f} MB in {where}")

    def _wait_airflow(self, child: Child, airflow: Airflow) -> None:
        with self.screen.step("Airflow") as step:
            demo.airflow.wait_ready(child, airflow, step.update)
            dag_id = self.example.dag_id
            demo.airflow.wait_parsed(airflow, dag_id, self.example.file, step.update)
            for left in airflow.unfinished_runs(dag_id):  # of a demo that was killed
                airflow.fail_run(dag_id, left)
            step.done(airflow.url)

    def _follow(self, airflow: Airflow) -> Outcome:
        run_id = f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
        dag_id = self.example.dag_id
        with self.screen.step(f"DAG {dag_id}") as step:
            clusters = demo.localemr.Clusters(demo.localemr.emr_client(self.places.endpoint))
            follower = Follower(
                airflow, clusters, show=self._show, news=step.update, check=self._check_children
            )
            airflow.trigger(dag_id, run_id)
            outcome = follower.follow(dag_id, run_id)
            step.done(f"run {run_id} {outcome.state}", good=outcome.succeeded)
        return outcome

    def result(self) -> Result:
        """Read what the run has left in S3."""
        return self.example.read(demo.localemr.s3_client(self.places.endpoint))

    def _show(self, line: LogLine) -> None:
        if line.text.startswith(_FOLDING):
            return
        of_job = _JOB_LINE.match(line.text)
        source, text = of_job.groups() if of_job else ("airflow", line.text)
        style = _STYLES.get(source) or _STYLES.get(line.level, "")
        self.screen.log(line.timestamp[11:19], source, text, style)
        if line.error:
            self.screen.log(line.timestamp[11:19], source, line.error, "red")

    def _check_children(self) -> None:
        for child in self._children:
            if not child.running:
                tail = "\n".join(child.tail())
                ended = f"{child.name} ended with exit code {child.exit_code}"
                raise RunError(f"{ended}. The end of {child.log}:\n{tail}")

    def _remember(self, child: Child) -> None:
        self._children.append(child)
        self._write_record()

    def _write_record(self, *, kept: bool = False) -> None:
        me = process(os.getpid())
        if me is None:
            raise OSError("this process is not in /proc")
        record = demo.record.Record(
            marker=self._marker,
            airflow_url=self.places.airflow_url,
            endpoint=self.places.endpoint,
            demo=me,
            roots=tuple(child.process for child in self._children),
            kept=kept,
        )
        demo.record.write(self.places.folder / RECORD, record)

    def keep(self) -> None:
        """Leave the programs running."""
        self._write_record(kept=True)
        demo.result.show_kept(self.screen, self.places, demo.airflow.USER, self._home.password())

    def shut_down(self) -> None:
        """End every process of this demo; localemr first and gently, since it has clusters to end."""
        for child in self._children:
            if child.name == "localemr":
                child.terminate(demo.localemr.STOP_SECONDS)
        left = stop((MARKER, self._marker), [child.process for child in self._children])
        if left:
            pids = " ".join(str(one.pid) for one in left)
            self.screen.say(f"these processes could not be ended; end them with: kill -9 {pids}", "red")
            return
        demo.record.remove(self.places.folder / RECORD)
