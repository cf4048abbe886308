"""``emrkit image push``: what reaches ECR and other registries, with which login, and what is left behind."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from airflow_provider_emrkit.images.engine import ContainerEngine
from airflow_provider_emrkit.images.login import clear_left, logged_in
from airflow_provider_emrkit.images.policies import serverless_repository_policy

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
NAME = f"{REGISTRY}/team/etl:1.4"
TOKEN = base64.b64encode(b"AWS:123456789012-auth-token").decode()  # what moto's ECR gives


@pytest.fixture
def ecr(localemr_server):
    return localemr_server.client("ecr")


@pytest.fixture
def push(image, recording, localemr_server):
    """Push to the ECR of a local EMR, with the engine that records."""
    recording.tell(endpoint=localemr_server.endpoint_url)
    return lambda *words: image("push", *words, "--endpoint-url", localemr_server.endpoint_url)


def left_logins(directory):
    return list(Path(directory).glob("emrkit-login-*"))


# --- ECR --------------------------------------------------------------------------------------------------


def test_a_push_tells_the_digest_that_ecr_has(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME) == 0
    digest = ecr.describe_images(repositoryName="team/etl")["imageDetails"][0]["imageDigest"]
    out, err = capfd.readouterr()
    assert out.splitlines()[0] == f"{REGISTRY}/team/etl@{digest}"
    assert f'docker=DockerImage("{NAME}")' in out
    assert "Pushing layer 1 of 1" in err
    assert "Pushing" not in out


def test_scripts_get_json_and_nothing_else(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["pinned"] == f"{REGISTRY}/team/etl@{told['digest']}"
    assert (told["image"], told["created"], told["sent"]) == (NAME, False, True)


def test_a_repository_is_made_only_when_asked_for(push, recording, ecr, capfd):
    recording.has(NAME)
    assert push(NAME) == 1
    assert "does not exist; to make it: --create" in capfd.readouterr().err
    assert recording.calls("push") == []
    assert ecr.describe_repositories()["repositories"] == []


def test_a_new_repository_is_as_wished(push, recording, ecr, capfd):
    recording.has(NAME)
    assert push(NAME, "--create", "--immutable-tags", "--scan") == 0
    made = ecr.describe_repositories(repositoryNames=["team/etl"])["repositories"][0]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["encryptionConfiguration"]["encryptionType"] == "AES256"
    assert f"made the repository {REGISTRY}/team/etl" in capfd.readouterr().err


def test_a_repository_that_is_there_stays_as_it_is_and_that_is_told(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME, "--create", "--immutable-tags") == 0
    assert "its tags can be moved: left as it is" in capfd.readouterr().err


def test_a_local_image_is_pushed_under_another_name(push, recording, ecr):
    ecr.create_repository(repositoryName="team/etl")
    recording.has("etl:latest")
    assert push(NAME, "--source", "etl:latest") == 0
    assert recording.calls("tag")[0]["argv"] == ["tag", "etl:latest", NAME]


def test_an_image_that_is_not_here_is_told_before_anything_is_made(push, recording, ecr, capfd):
    assert push(NAME, "--create") == 1
    assert f"docker has no image {NAME} on this machine; build it:" in capfd.readouterr().err
    assert ecr.describe_repositories()["repositories"] == []


# --- EMR Serverless ---------------------------------------------------------------------------------------


def policy_of(ecr):
    return json.loads(ecr.get_repository_policy(repositoryName="team/etl")["policyText"])


def test_a_repository_that_is_made_for_emr_serverless_lets_it_pull(push, recording, ecr, capfd):
    recording.has(NAME)
    assert push(NAME, "--target", "serverless", "--create", "--application", "00f1abc") == 0
    (statement,) = policy_of(ecr)["Statement"]
    assert statement["Principal"] == {"Service": "emr-serverless.amazonaws.com"}
    assert statement["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":123456789012:/applications/00f1abc")
    out, err = capfd.readouterr()
    assert f"{REGISTRY}/team/etl lets EMR Serverless pull now" in err
    assert f'ApplicationSpec(..., image="{NAME}")' in out
    assert "SparkJob" not in out


def test_a_push_that_did_not_get_to_the_policy_is_mended_by_the_next(push, recording, ecr):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME, "--target", "serverless", "--create") == 0
    assert policy_of(ecr)["Statement"][0]["Principal"] == {"Service": "emr-serverless.amazonaws.com"}


def test_a_policy_of_somebody_s_own_stays_and_that_is_told(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    builder = {"AWS": "arn:aws:iam::123456789012:role/builder"}
    statement = {"Effect": "Allow", "Principal": builder, "Action": ["ecr:BatchGetImage"]}
    own = {"Version": "2012-10-17", "Statement": [statement]}
    ecr.set_repository_policy(repositoryName="team/etl", policyText=json.dumps(own))
    recording.has(NAME)
    assert push(NAME, "--target", "serverless", "--create") == 0
    assert policy_of(ecr) == own
    err = capfd.readouterr().err
    assert "keeps its policy, which does not let EMR Serverless pull: add the statement of" in err


def test_a_policy_that_lets_it_pull_is_nothing_to_tell(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    own = serverless_repository_policy("123456789012", "us-east-1", ["00other"])
    ecr.set_repository_policy(repositoryName="team/etl", policyText=json.dumps(own))
    recording.has(NAME)
    assert push(NAME, "--target", "serverless", "--create") == 0
    assert policy_of(ecr) == own
    assert "EMR Serverless" not in capfd.readouterr().err


@pytest.mark.parametrize("words", [[], ["--target", "serverless"], ["--create"]])
def test_no_other_push_touches_the_policy(push, recording, ecr, words):
    if "--create" not in words:
        ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME, *words) == 0
    with pytest.raises(ecr.exceptions.RepositoryPolicyNotFoundException):
        policy_of(ecr)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["registry.example.com/etl:1", "--target", "serverless"], "is not where EMR Serverless pulls from"),
        ([NAME, "--application", "00a"], "is for EMR Serverless; add --target serverless"),
        ([NAME, "--target", "serverless", "--create", "--application", "*"], "application_ids"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_pushed(image, recording, capsys, words, told):
    recording.has(words[0])
    assert image("push", *words) == 2
    assert told in capsys.readouterr().err
    assert not recording.calls("push")


def test_all_three_policies_are_printed_for_emr_serverless(image, capsys):
    assert image("push", NAME, "--target", "serverless", "--create", "--policies") == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["repository", "applications", "push"]
    assert "ecr:SetRepositoryPolicy" in told["push"]["Statement"][1]["Action"]


# --- whose credentials ------------------------------------------------------------------------------------


def test_the_region_is_that_of_the_name(push, recording, localemr_server):
    name = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/etl:1"
    recording.has(name)
    assert push(name, "--create") == 0
    there = localemr_server.client("ecr", region="eu-west-1").describe_repositories()["repositories"]
    assert [one["repositoryName"] for one in there] == ["etl"]
    assert push(name, "--region", "us-east-1") == 2


def test_credentials_of_another_account_make_nothing_and_are_told(push, recording, ecr, capfd):
    name = NAME.replace("123456789012", "999999999999")
    recording.has(name)
    assert push(name, "--create") == 1
    err = capfd.readouterr().err
    assert "the credentials are of account 123456789012, and the image's name says 999999999999" in err
    assert "--profile" in err
    assert ecr.describe_repositories()["repositories"] == []


def test_a_push_that_ecr_did_not_get_is_no_success(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    recording.tell(digest="sha256:another")
    assert push(NAME) == 1
    out, err = capfd.readouterr()
    assert f"ECR has nothing as {NAME}, and docker has sent sha256:another" in err
    assert out == ""


def test_an_engine_that_can_not_push_is_told(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    recording.tell(codes={"push": 3})
    assert push(NAME) == 1
    err = capfd.readouterr().err
    assert "denied: no" in err
    assert f"docker could not push {NAME}; see above" in err


def test_no_credentials_is_a_sentence(image, recording, monkeypatch, capfd):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    recording.has(NAME)
    assert image("push", NAME) == 1
    assert "no AWS credentials were found" in capfd.readouterr().err


# --- tags that can't be moved -----------------------------------------------------------------------------


@pytest.fixture
def immutable(push, recording, ecr):
    """An image that was pushed to a repository whose tags can't be moved."""
    recording.has(NAME)
    assert push(NAME, "--create", "--immutable-tags") == 0
    # What the test's engine writes by itself is there, too.
    recording.answers = json.loads((recording.directory / "answers.json").read_text())


def test_another_image_is_not_pushed_over_a_tag_that_can_not_be_moved(immutable, push, recording, capfd):
    recording.has("etl:new")
    assert push(NAME, "--source", "etl:new") == 1
    err = capfd.readouterr().err
    assert f"{NAME} is another image already (sha256:" in err
    assert "push this one under a new tag" in err
    assert len(recording.calls("push")) == 1
    assert recording.calls("tag") == []


def test_the_same_image_is_known_by_its_id_where_the_engine_forgot_the_push(
    immutable, push, recording, capfd
):
    capfd.readouterr()
    recording.has("etl:same", Id="1.4")  # as the pushed manifest has it; podman leaves "sha256:" out
    assert push(NAME, "--source", "etl:same", "--json") == 0
    assert json.loads(capfd.readouterr().out)["sent"] is False


def test_the_same_image_once_more_is_a_success_that_sends_nothing(immutable, push, recording, capfd):
    capfd.readouterr()
    assert push(NAME, "--json") == 0
    assert json.loads(capfd.readouterr().out)["sent"] is False
    assert len(recording.calls("push")) == 1


# --- the login --------------------------------------------------------------------------------------------


def test_the_token_is_in_a_file_of_this_push_alone(push, recording, ecr, tmp_path, capfd):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME) == 0
    call = recording.calls("push")[0]
    assert call["config"]["auths"] == {REGISTRY: {"auth": TOKEN}}
    assert call["mode"] == "700 600"
    assert not Path(call["file"]).exists()
    assert left_logins(tmp_path) == []
    assert list((tmp_path / "users-docker").iterdir()) == []


def test_the_token_is_in_no_argument_and_no_output(push, recording, ecr, capfd):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME) == 0
    seen = "".join(capfd.readouterr())
    for call in recording.calls():
        seen += json.dumps([call["argv"], call["environ"]])
    assert TOKEN not in seen
    assert "auth-token" not in seen


def test_the_rest_of_the_users_configuration_goes_on(push, recording, ecr, tmp_path, monkeypatch):
    users = tmp_path / "users-docker"
    theirs = {
        "currentContext": "colima",
        "proxies": {"default": {"httpProxy": "http://proxy:3128"}},
        "auths": {REGISTRY: {"auth": "b2xkOm9sZA=="}, "other.example.com": {"auth": "c2VjcmV0"}},
        "credsStore": "desktop",
        "credHelpers": {REGISTRY: "ecr-login"},
    }
    (users / "config.json").write_text(json.dumps(theirs))
    (users / "contexts" / "meta").mkdir(parents=True)
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", "{}")
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    assert push(NAME) == 0
    call = recording.calls("push")[0]
    assert call["config"] == {
        "currentContext": "colima",
        "proxies": {"default": {"httpProxy": "http://proxy:3128"}},
        "auths": {REGISTRY: {"auth": TOKEN}},
    }
    assert call["environ"]["DOCKER_HOST"] == "tcp://10.0.0.1:2376"
    assert "DOCKER_AUTH_CONFIG" not in call["environ"]
    assert json.loads((users / "config.json").read_text()) == theirs
    assert (users / "contexts" / "meta").is_dir()


def test_the_users_contexts_are_seen_from_the_login(tmp_path):
    (tmp_path / "users" / "contexts").mkdir(parents=True)
    (tmp_path / "users" / "contexts" / "file").write_text("a context")
    environ = {"DOCKER_CONFIG": str(tmp_path / "users"), "XDG_RUNTIME_DIR": str(tmp_path)}
    with logged_in("r", "a", environ) as login:
        assert (Path(login["DOCKER_CONFIG"]) / "contexts" / "file").read_text() == "a context"
    assert (tmp_path / "users" / "contexts" / "file").exists()


def test_podman_gets_the_login_as_well(push, recording, ecr):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    recording.tell(podman=True)
    assert push(NAME) == 0
    call = recording.calls("push")[0]
    assert call["argv"][:2] == ["push", "--digestfile"]
    assert call["environ"]["REGISTRY_AUTH_FILE"] == call["file"]


def hearing(number, command):
    """Start a program that ends by a signal: what runs in the background of a shell ignores some of them."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_push_that_is_ended_leaves_no_login_and_no_engine(
    push, recording, ecr, localemr_server, tmp_path, number
):
    ecr.create_repository(repositoryName="team/etl")
    recording.has(NAME)
    recording.tell(hangs=True)
    command = [sys.executable, "-m", "airflow_provider_emrkit.cli", "image", "push", NAME]
    pushing = recording.directory / "pushing"
    with hearing(number, [*command, "--endpoint-url", localemr_server.endpoint_url]) as process:
        wait_until(pushing.exists, "the push", 120)
        assert len(left_logins(tmp_path)) == 1
        process.send_signal(number)
        assert process.wait(20) == (130 if number == signal.SIGINT else 128 + number)
    assert left_logins(tmp_path) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(pushing.read_text()), 0)


def test_the_login_of_a_process_that_was_killed_is_removed_by_the_next(tmp_path):
    program = (
        "import os, signal\n"
        "from airflow_provider_emrkit.images.login import logged_in\n"
        "with logged_in('r', 'a', os.environ):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environ, check=False)
    assert len(left_logins(tmp_path)) == 1
    with logged_in("r", "a", environ) as login:
        # Its own, and that of somebody who pushes at the same time, stay.
        clear_left(tmp_path)
        assert [str(one) for one in left_logins(tmp_path)] == [login["DOCKER_CONFIG"]]
    assert left_logins(tmp_path) == []


# --- a real engine, a real registry -----------------------------------------------------------------------


def test_a_real_engine_pushes_and_the_registry_has_what_is_told(image, tiny, registry, own_name, capfd):
    name = own_name(f"{registry.host}/etl:1")
    assert image("push", name, "--source", tiny) == 0
    out = capfd.readouterr().out
    assert out.splitlines()[0] == f"{registry.host}/etl@{registry.digest('etl', '1')}"


def test_an_image_that_was_pushed_before_has_the_digest_it_had(image, tiny, registry, own_name, capfd):
    name = own_name(f"{registry.host}/etl:1")
    digests = []
    for _ in range(2):
        assert image("push", name, "--source", tiny, "--json") == 0
        digests.append(json.loads(capfd.readouterr().out)["digest"])
    assert digests == [registry.digest("etl", "1")] * 2


def test_a_real_engine_logs_in_with_the_login_of_one_push(engine, tiny, closed_registry, own_name):
    name = own_name(f"{closed_registry.host}/etl:1")
    engine.tag(tiny, name)
    assert engine.push(name).code != 0
    auth = base64.b64encode(b"AWS:secret").decode()
    with logged_in(closed_registry.host, auth, os.environ) as login:
        pushed = engine.push(name, login)
    assert pushed.digests == (closed_registry.digest("etl", "1"),)
    assert engine.push(name).code != 0


def test_a_real_push_goes_to_the_engine_of_the_users_context(
    engine, tiny, closed_registry, own_name, tmp_path
):
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if engine.name != "docker":
        pytest.skip("podman has connections in place of contexts")
    environ = {name: value for name, value in os.environ.items() if name != "DOCKER_HOST"}
    environ["DOCKER_CONFIG"] = str(tmp_path / "users")
    for words in (["create", "theirs", "--docker", f"host={address}"], ["use", "theirs"]):
        subprocess.run([engine.program, "context", *words], env=environ, capture_output=True, check=True)
    name = own_name(f"{closed_registry.host}/etl:1")
    engine.tag(tiny, name)
    theirs = ContainerEngine.find("docker", environ)
    auth = base64.b64encode(b"AWS:secret").decode()
    with logged_in(closed_registry.host, auth, environ) as login:
        assert theirs.push(name, login).digests == (closed_registry.digest("etl", "1"),)


def test_a_registry_that_wants_a_login_is_told_with_the_command(
    image, tiny, closed_registry, own_name, capfd
):
    name = own_name(f"{closed_registry.host}/etl:1")
    assert image("push", name, "--source", tiny) == 1
    assert f"perhaps: docker login {closed_registry.host}" in capfd.readouterr().err


def test_a_tag_that_a_registry_does_not_move_is_an_error(image, tiny, registry, own_name, capfd):
    registry.immutable = True
    registry.manifests["etl", "1"] = ("application/json", b"{}")
    assert image("push", own_name(f"{registry.host}/etl:1"), "--source", tiny) == 1
    assert "TAG_INVALID" in capfd.readouterr().err


def test_a_real_push_that_is_ended_ends_at_once(tiny, registry, own_name):
    registry.open.clear()
    name = own_name(f"{registry.host}/etl:1")
    command = [sys.executable, "-m", "airflow_provider_emrkit.cli", "image", "push", name, "--source", tiny]
    with hearing(signal.SIGINT, command) as process:
        assert registry.waiting.wait(120)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert registry.manifests == {}
