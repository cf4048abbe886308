"""Judges what is known of an image: whether EMR Serverless runs jobs of a release in it. Pure.

User, working directory, entry point, environment and files are those that AWS' own check of images has in
its manifest (emr-6.9 to 6.12), and that its check for EMR on EKS has for later ones. For releases of which
neither tells, what differs is a warning. Which jars there are beside Spark's and Hadoop's own changes with
releases: they are not asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.images.findings import (
    Finding,
    image_findings,
    not_looked_into,
    secret_findings,
)
from airflow_provider_emrkit.images.program_findings import java_findings, python_findings, why_not
from airflow_provider_emrkit.images.serverless_dockerfile import HOME, USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.images.findings import Level, Target
    from airflow_provider_emrkit.images.probing import ImageFacts
    from airflow_provider_emrkit.releases import Release

GROUPLESS_USER = "hadoop"
ENTRYPOINT = "/usr/bin/entrypoint.sh"
SPARK_CORE, HADOOP_CLIENT = "$SPARK_HOME/jars/spark-core_", "$SPARK_HOME/jars/hadoop-client-api"

# As spark-core_2.12-3.5.6-amzn-1.jar, hadoop-client-api-3.4.1-amzn-2.jar.
_VERSION = re.compile(r"-(?P<version>\d+(?:\.\d+){2})(?P<amzn>-amzn-\d+)?[^/]*\.jar", re.ASCII)
_SCALA = re.compile(r"spark-core_(?P<scala>\d+\.\d+)-", re.ASCII)
_SHOWN = 5


def serverless_findings(facts: ImageFacts, target: Target) -> list[Finding]:
    """Judge an image for EMR Serverless."""
    found = [*image_findings(facts, target), *_of_release(target)]
    settings = [
        _user(facts),
        *_of_manifest(facts, target),
        *_of_environment(facts, target),
        *secret_findings(facts),
    ]
    if facts.inside.problem:
        return [*found, not_looked_into(facts, target), *settings]
    return [
        *found,
        _system(facts, target),
        *settings,
        *_of_files(facts, target),
        *_of_versions(facts, target),
        *java_findings(facts, target),
        *python_findings(facts, target),
        *_of_imports(facts, target),
        *_of_job(facts),
    ]


def _of_release(target: Target) -> Iterator[Finding]:
    release = target.release
    if release is not None and not release.exact:
        text = f"{release.label} is not known yet, and is judged by the versions of the release before"
        yield Finding("warning", "release", text, "update airflow-provider-emrkit")


def _system(facts: ImageFacts, target: Target) -> Finding:
    system = facts.inside.system or "unknown"
    if facts.inside.libc != "musl" and "amazon linux" in system.lower():
        return Finding("ok", "system", system)
    text = f"{system}, where EMR's images are Amazon Linux"
    return Finding("error" if facts.inside.libc else "warning", "system", text, target.begin_with("it"))


# --- how it is started ------------------------------------------------------------------------------------


def _level(target: Target) -> Level:
    """Give how bad it is to be other than the manifest of the releases before."""
    release = target.release
    told = release is None or (release.exact and release.label.family == "emr")
    return "error" if told else "warning"


def _of_manifest(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    if facts.workdir == HOME:
        yield Finding("ok", "workdir", HOME)
    else:
        text = f"{facts.workdir or '/'}, where jobs of EMR Serverless begin in {HOME}"
        yield Finding(_level(target), "workdir", text, f"WORKDIR {HOME} at the end of the Dockerfile")
    if facts.inside.unwritable and facts.workdir == HOME and not facts.inside.no_user:
        text = f"hadoop can't write to {HOME}"
        yield Finding("error", "workdir", text, f"RUN chown {USER} {HOME} in the Dockerfile, as root")
    if facts.entrypoint[:1] == (ENTRYPOINT,):
        yield Finding("ok", "entrypoint", ENTRYPOINT)
    else:
        text = f"{' '.join(facts.entrypoint) or 'none'}, where EMR's is {ENTRYPOINT}"
        mend = "leave ENTRYPOINT out of the Dockerfile: a job starts its entry point in S3, and nothing else"
        yield Finding(_level(target), "entrypoint", text, mend)
    if facts.command:
        yield Finding("ok", "command", f"{' '.join(facts.command)}: EMR Serverless starts its own instead")


def _user(facts: ImageFacts) -> Finding:
    mend = f"USER {USER} at the end of the Dockerfile"
    if facts.inside.no_user:
        text = f"there is no user and group hadoop in it: {facts.inside.no_user}"
        return Finding("error", "user", text, "begin with EMR's image, which has them, and leave them in")
    if facts.user == USER:
        return Finding("ok", "user", USER)
    if facts.user == GROUPLESS_USER:
        return Finding("warning", "user", f"{facts.user}, where AWS asks for {USER}", mend)
    text = f"{facts.user or 'root'}, where EMR Serverless runs jobs as {USER}"
    return Finding("error", "user", text, mend)


def _of_environment(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    # JAVA_HOME is looked at with Java, where that can be done.
    asked = ("SPARK_HOME", "JAVA_HOME") if facts.inside.problem else ("SPARK_HOME",)
    for name in asked:
        if facts.env.get(name):
            yield Finding("ok", "environment", f"{name}={facts.env[name]}")
        else:
            yield Finding("error", "environment", f"{name} is not set", target.begin_with("it"))
    if facts.env.get("PYTHONHOME"):
        text = "the image sets PYTHONHOME, and each Python takes its libraries from there"
        yield Finding("warning", "environment", text, "leave it out of the Dockerfile")


# --- what is in it ----------------------------------------------------------------------------------------


def _of_files(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    # What is below a variable that is not set is not there, and that has been said.
    unset = tuple(f"${name}/" for name in ("SPARK_HOME", "JAVA_HOME") if not facts.env.get(name))
    absent = [one for one in facts.inside.absent if not one.startswith(unset or "\0")]
    # Java is started, which says more.
    absent = [one for one in absent if one != "$JAVA_HOME/bin/java"]
    hidden = [one for one in absent if one in facts.inside.hidden]
    gone = [one for one in absent if one not in hidden]
    if hidden:
        text = f"hadoop can't use {_listed(hidden, facts)}, which root can"
        yield Finding("error", "files", text, "RUN chmod -R a+rX on their directory in the Dockerfile")
    if gone:
        mend = f"{target.begin_with('them')}, and leave them in"
        sparks = any(one.startswith("$SPARK_HOME") for one in gone)
        level = "error" if sparks else _level(target)
        yield Finding(level, "files", f"{_listed(gone, facts)}: missing", mend)
    if not absent and not unset:
        yield Finding("ok", "files", "tini, entry point, Spark's programs and jars, Hadoop's jars")


def _listed(paths: list[str], facts: ImageFacts) -> str:
    """Write paths as they are in the image; a jar's by how its name begins."""
    shown = [_shown(path, facts) for path in paths[:_SHOWN]]
    more = len(paths) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _shown(path: str, facts: ImageFacts) -> str:
    name, _, rest = path.partition("/")
    place = f"{facts.env.get(name[1:], name)}/{rest}" if name.startswith("$") else path
    return f"{place}*.jar" if "/jars/" in path or path.startswith("/usr/lib/hadoop/") else place


def _of_versions(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    """Compare Spark and Hadoop with those of the release."""
    cores = [
        name for start, name in facts.inside.jars if start == SPARK_CORE and not name.endswith("-tests.jar")
    ]
    if len(cores) > 1:
        text = f"there is more than one Spark: {', '.join(sorted(cores)[:_SHOWN])}"
        yield Finding("error", "spark", text, "leave EMR's in, and add no other")
    elif cores:
        yield _spark(cores[0], target)
        yield from _hadoop(facts, target.release)


def _spark(jar: str, target: Target) -> Finding:
    found, scala = _VERSION.search(jar), _SCALA.match(jar)
    if found is None or scala is None:
        return Finding("warning", "spark", f"{jar} does not tell its version", "see that it is EMR's Spark")
    release = target.release
    text = f"Spark {found['version']}{found['amzn'] or ''}, Scala {scala['scala']}"
    if release and (found["version"], scala["scala"]) != (release.spark, release.scala):
        text += f": {release.label} is Spark {release.spark}, Scala {release.scala}"
        level: Level = "error" if release.exact else "warning"
        return Finding(
            level, "spark", text, f"{target.begin_with('it')}, or make the application of its release"
        )
    if not found["amzn"]:
        text += ": it is not EMR's, and lacks what EMR Serverless starts it with"
        return Finding("error", "spark", text, target.begin_with("it"))
    return Finding("ok", "spark", text)


def _hadoop(facts: ImageFacts, release: Release | None) -> Iterator[Finding]:
    """Tell releases apart whose Spark is the same: as emr-7.12 and emr-7.13."""
    jar = next((name for start, name in facts.inside.jars if start == HADOOP_CLIENT), "")
    found = _VERSION.search(jar)
    if found and release and release.exact and found["version"] != release.hadoop:
        text = f"Hadoop {found['version']}, where that of {release.label} is {release.hadoop}"
        mend = "see that the image is of the application's release: others are not tested together"
        yield Finding("warning", "spark", text, mend)


def _of_imports(facts: ImageFacts, target: Target) -> Iterator[Finding]:
    if not any(one.works for one in facts.inside.pythons if one.path == target.python):
        return
    for module in facts.inside.imports:
        if module.works:
            yield Finding("ok", "import", module.path)
        elif module.for_root is not None and module.for_root.works:
            text = f"{module.path}: only root can import it, and jobs run as hadoop"
            yield Finding("error", "import", text, "RUN chmod -R a+rX on where it is installed")
        elif module.code == 1 and module.out:
            mend = "install what it names: a library in requirements.txt, or a package of the system"
            yield Finding("error", "import", f"{module.path}: {module.out}", mend)
        else:
            yield Finding("error", "import", f"{module.path}: {why_not(module)[0]}", "see what it says")


def _of_job(facts: ImageFacts) -> Iterator[Finding]:
    job = facts.inside.job
    if job is None:
        return
    if job.works:
        yield Finding("ok", "job", "a small PySpark job ran in it")
    else:
        mend = "see what it says in full: spark-submit --master 'local[2]' JOB in a container of it"
        yield Finding("error", "job", f"a small PySpark job failed: {job.out[:300]}", mend)
