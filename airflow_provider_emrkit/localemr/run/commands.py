"""What a step's ``HadoopJarStep`` runs on this machine."""

from __future__ import annotations

import re
import shlex
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from airflow_provider_emrkit.localemr.run.programs import EXAMPLES, NOTHING_TO_DO, absence, name_here
from airflow_provider_emrkit.localemr.spark.examples import (
    NoSuchExampleError,
    example_arguments,
    without_examples_jar,
)
from airflow_provider_emrkit.localemr.spark.image import requested_image
from airflow_provider_emrkit.localemr.spark.submit import Machine, Submission, own_collector, translate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.localemr.run.contract import StepRequest
    from airflow_provider_emrkit.localemr.run.environment import Place
    from airflow_provider_emrkit.localemr.spark.image import ImageRequest, ImageRules

_COMMAND_RUNNER = "command-runner.jar"
_SCRIPT_RUNNER = "script-runner.jar"
_SPARK_SUBMIT = "spark-submit"
_DIST_CP = "s3-dist-cp"
# The same program as a jar, as steps for old and new releases name it.
_DIST_CP_JAR = re.compile(r"(s3-dist-cp|emr-s3distcp)[^/]*\.jar")


class CommandError(Exception):
    """A step that can't be started; the message goes to its stderr."""


class Fetch(Protocol):
    """Brings a file to this machine."""

    def __call__(self, uri: str, directory: Path) -> Path:
        """Copy a local path or ``s3://`` object into a directory; CommandError when it is not there."""


@dataclass(frozen=True)
class Command:
    """A command of a step, ready to start.

    :param argv: Program and arguments.
    :param env: Variables on top of the cluster's.
    :param submission: The spark-submit it is, or None for any other program.
    :param own_collector: It chooses its JVM's garbage collector itself.
    :param note: What the step's log says about it before it starts.
    :param image: The image it runs in; None for this machine.

    >>> Command(("true",)).cluster_mode
    False
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    submission: Submission | None = None
    own_collector: bool = False
    note: str = ""
    image: ImageRequest | None = None

    @property
    def cluster_mode(self) -> bool:
        """Tell whether EMR would run the driver in a YARN container, with a log of its own."""
        return self.submission is not None and self.submission.deploy_mode == "cluster"


@dataclass(frozen=True)
class CommandPlanner:
    """Turns steps of one cluster into commands.

    :param place: The cluster's directories and programs.
    :param machine: What the machine gives to a step.
    :param defaults: The cluster's ``spark-defaults``.
    :param fetch: Brings scripts and jars to this machine.
    :param images: What the cluster says about images; None where nothing runs in one.

    >>> planner = CommandPlanner(place, Machine(2, 4096), {}, fetch)  # doctest: +SKIP
    >>> planner.plan(StepRequest("s-1", "hello", "command-runner.jar", ["echo", "hello"]), Path("w")).argv  #
    doctest: +SKIP ('echo', 'hello')
    """

    place: Place
    machine: Machine
    defaults: Mapping[str, str]
    fetch: Fetch
    images: ImageRules | None = None

    def plan(self, step: StepRequest, work: Path) -> Command:
        """Give the command of a step.

        :param work: The step's working directory; scripts and jars are put into it.
        :raises CommandError: when the step names nothing that can be run.
        """
        name = step.jar.rpartition("/")[2]
        if name == _COMMAND_RUNNER:
            return self._program(step.args)
        if name == _SCRIPT_RUNNER:
            return self._script(step.args, work)
        if _DIST_CP_JAR.fullmatch(name):
            return self._program([_DIST_CP, *step.args])
        return self._jar(step, work)

    def _program(self, args: Sequence[str]) -> Command:
        if not args:
            raise CommandError(
                "command-runner.jar: Args is empty; give the command to run, e.g. spark-submit."
            )
        env, argv = split_env(args)
        tool = name_here(argv[0]) if argv else ""
        if tool == _SPARK_SUBMIT or tool in EXAMPLES:
            return self._spark_submit(tool, argv[1:], env)
        if tool in NOTHING_TO_DO:
            return Command(("true",), note=NOTHING_TO_DO[tool])
        reason = absence(tool)
        if reason:
            raise CommandError(reason)
        words = (*args[: len(args) - len(argv)], tool, *argv[1:]) if argv else args
        return Command(tuple(words), own_collector=own_collector(self.defaults))

    def _spark_submit(self, tool: str, args: Sequence[str], env: Mapping[str, str]) -> Command:
        to_ours = example_arguments if tool in EXAMPLES else without_examples_jar
        try:
            ours = to_ours(args, self.machine.spark_home)
        except NoSuchExampleError as error:
            raise CommandError(str(error)) from error
        return self.spark_submit(ours, env)

    def spark_submit(self, args: Sequence[str], env: Mapping[str, str]) -> Command:
        """Give the command of a ``spark-submit``.

        :param args: Everything after ``spark-submit``, as EMR would get it.
        :param env: Variables that were set for it.
        """
        submission = translate(args, self.machine, self._defaults(args))
        program = str(self.place.spark_home / "bin" / _SPARK_SUBMIT)
        rules, mode = self.images, submission.deploy_mode
        return Command(
            (program, *submission.args),
            {**env, **submission.env},
            submission,
            submission.own_collector,
            image=requested_image(submission.conf, mode, rules) if rules else None,
        )

    def _defaults(self, argv: Sequence[str]) -> Mapping[str, str]:
        """Give what the job's own --properties-file says, which Spark reads instead of spark-defaults."""
        for place, text in enumerate(argv):
            name, _, value = text.partition("=")
            if name == "--properties-file":
                path = Path(value or (argv[place + 1] if place + 1 < len(argv) else ""))
                return read_properties(path) if path.is_file() else {}
        return self.defaults

    def _script(self, args: Sequence[str], work: Path) -> Command:
        if not args:
            raise CommandError(
                "script-runner.jar: Args is empty; give the script's S3 URI and its arguments."
            )
        script = script_command(self.fetch(args[0], work))
        return Command((*script, *args[1:]), own_collector=own_collector(self.defaults))

    def _jar(self, step: StepRequest, work: Path) -> Command:
        jar = self.fetch(step.jar, work)
        java = str(self.place.java_home / "bin" / "java")
        options = [f"-D{key}={value}" for key, value in step.properties.items()]
        # RunJar takes the class from the manifest and would hand ours to the program as an argument.
        main_class = [step.main_class] if step.main_class and not has_main_class(jar) else []
        runner = ["-cp", self.place.hadoop_class_path, "org.apache.hadoop.util.RunJar"]
        return Command((java, *options, *runner, str(jar), *main_class, *step.args))


def split_env(args: Sequence[str]) -> tuple[dict[str, str], Sequence[str]]:
    """Take ``env K=V …`` off a command; a command that doesn't start so comes back whole."""
    if not args or args[0].rpartition("/")[2] != "env":
        return {}, args
    env: dict[str, str] = {}
    for place, text in enumerate(args[1:], start=1):
        key, found, value = text.partition("=")
        if not found or key.startswith("-"):
            return env, args[place:]
        env[key] = value
    return env, ()


def script_command(script: Path) -> tuple[str, ...]:
    """Give the command that runs a script: itself when it names its interpreter, else bash."""
    script.chmod(0o755)
    with script.open("rb") as file:
        return (str(script),) if file.read(2) == b"#!" else ("/bin/bash", str(script))


def has_main_class(jar: Path) -> bool:
    """Tell whether a jar's manifest names its main class.

    :raises CommandError: when the file is no jar.
    """
    try:
        with zipfile.ZipFile(jar) as archive:
            manifest = archive.read("META-INF/MANIFEST.MF").decode("utf-8", "replace")
    except KeyError:
        return False
    except zipfile.BadZipFile as error:
        raise CommandError(f"Jar: {jar.name} is not a jar file: {error}.") from error
    return any(line.lower().startswith("main-class:") for line in manifest.splitlines())


def read_properties(path: Path) -> dict[str, str]:
    """Read the simple form of Spark's properties files: ``key value`` or ``key=value`` a line."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.strip()
        if text and not text.startswith(("#", "!")):
            key, _, value = (
                text.replace("=", " ", 1).partition(" ") if "=" in text.split(" ")[0] else text.partition(" ")
            )
            found[key.strip()] = value.strip()
    return found


def localise(submission: Submission, work: Path, fetch: Fetch) -> None:
    """Put ``--files`` and unpacked ``--archives`` into the driver's working directory, as YARN does.

    :raises CommandError: when one is missing or can't be unpacked.
    """
    for entry in submission.files:
        uri, _, alias = entry.partition("#")
        path = fetch(uri, work)
        if alias and alias != path.name:
            path.rename(inside(work, alias))
    for entry in submission.archives:
        uri, _, alias = entry.partition("#")
        path = fetch(uri, work / "tmp")
        try:
            shutil.unpack_archive(
                path, inside(work, alias or path.name), filter="tar" if path.suffix != ".zip" else None
            )
        except (shutil.ReadError, ValueError, OSError) as error:
            raise CommandError(f"--archives: {entry} can't be unpacked: {error}.") from error


def inside(directory: Path, name: str) -> Path:
    """Give a path of a name in a directory.

    :raises CommandError: for a name that leads out of it.
    """
    path = (directory / name).resolve()
    if not path.is_relative_to(directory.resolve()):
        raise CommandError(f"{shlex.quote(name)} leads out of the step's directory; use a plain name.")
    return path
