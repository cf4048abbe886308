"""A Python project that ``emrkit package`` has packaged, as Spark jobs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.frozen import FrozenMapping, FrozenSpec
from airflow_provider_emrkit.jobs import kedro_arguments, package_manifest
from airflow_provider_emrkit.jobs.docker_image import DockerImage
from airflow_provider_emrkit.jobs.spark_job import SparkJob
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_mapping,
    check_optional_text,
    check_sequence,
    check_text,
    check_texts,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

# Where the archive is unpacked, below the working directory of driver and executors.
ENVIRONMENT = "environment"
ARCHIVE_PYTHON = f"./{ENVIRONMENT}/bin/python"
# The same for Kedro's configuration, which is below "conf" in an archive of it.
CONFIGURATION = "kedro_conf"
ARCHIVE_CONF = f"./{CONFIGURATION}/conf"
# All that says which Python runs a job: Spark takes the driver's from the second, where it is set.
PYTHON_VARIABLES = ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON")
# What Spark heeds before them.
_PYTHON_CONF = ("spark.pyspark.python", "spark.pyspark.driver.python")
_OWN_FIELDS = {"entry_point": "set it in the project", "docker": "use image=", "env": "use variables="}
# What is there where the job runs, in its image for example, and has not to be sent.
THERE = "local:"


@dataclass(frozen=True, repr=False)
class _Project(FrozenSpec):
    """What a packaged project consists of, and the Python it runs with."""

    entry_point: str
    archive: str | None = None
    image: str | None = None
    python: str | None = None
    files: Sequence[str] = ()
    py_files: Sequence[str] = ()
    variables: Mapping[str, str | int | float] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        owner = type(self).__name__
        check_text(owner, "entry_point", self.entry_point)
        for name in ("archive", "image", "python"):
            check_optional_text(owner, name, getattr(self, name))
        for name in ("files", "py_files"):
            self._set(name, check_texts(owner, name, getattr(self, name)))
        self._set("variables", FrozenMapping(check_mapping(owner, "variables", self.variables)))
        self._check_python()

    def _check_python(self) -> None:
        owner = type(self).__name__
        _check_no_directory(owner, "archive", self.archive)
        if self.archive and self.image:
            mend = "give one of archive and image"
            raise InvalidValueError(owner, "archive", self.archive, "does not go with an image", mend)
        if self.image and not self.python:
            mend = "give the path of the image's Python that has the project, e.g. /opt/python/bin/python"
            raise InvalidValueError(owner, "python", self.python, "is missing beside an image", mend)
        if self.archive and self.python and self.python != ARCHIVE_PYTHON and not is_template(self.python):
            mend = "leave it out: the archive brings its own"
            raise InvalidValueError(owner, "python", self.python, "does not go with an archive", mend)
        _check_no_python(owner, self.variables, "use python=")

    def _job(
        self,
        args: Sequence[Any],
        archives: Sequence[str],
        variables: Mapping[str, Any] | None,
        fields: Mapping[str, Any],
    ) -> SparkJob:
        owner = f"{type(self).__name__}.job"
        more = check_mapping(owner, "variables", variables or {})
        _check_no_python(owner, more, "leave it out")
        for name in _OWN_FIELDS:
            if name in fields:
                raise InvalidValueError(
                    owner, name, fields[name], "belongs to the project", _OWN_FIELDS[name]
                )
        python = ARCHIVE_PYTHON if self.archive else self.python
        if python:
            _check_no_other_python(owner, fields.get("conf"))
        pythons = dict.fromkeys(PYTHON_VARIABLES, python) if python else {}
        environment = (f"{self.archive}#{ENVIRONMENT}",) if self.archive else ()
        own = {"files": self.files, "py_files": self.py_files, "archives": (*environment, *archives)}
        lists = {
            name: (*found, *check_texts(owner, name, fields.get(name, ()))) for name, found in own.items()
        }
        return SparkJob(
            self.entry_point,
            args=args,
            env={**pythons, **self.variables, **more},
            docker=DockerImage(self.image) if self.image else None,
            **{**fields, **lists},
        )


@dataclass(frozen=True, repr=False)
class PythonProject(_Project):
    """A packaged Python project: how it gets to where a job runs, and what makes jobs of it.

    Its dependencies come in an archive or an image. ``PYSPARK_PYTHON`` and ``PYSPARK_DRIVER_PYTHON`` are set
    for the driver and ``PYSPARK_PYTHON`` for the executors, on EMR Serverless and on YARN. Paths are those of
    :class:`SparkJob`.

    :param entry_point: The Python file that Spark runs, e.g. the ``entrypoint.py`` of ``emrkit package``.
    :param archive: ``environment.tar.gz`` with Python and all packages; it is unpacked in the working
        directory of driver and executors as ``environment``.
    :param image: Image with Python and all packages instead, for :class:`ApplicationSpec` as well.
    :param python: Path of the Python to run, in the image; the archive brings its own.
    :param files: Files put into the working directory of driver and executors.
    :param py_files: Python code beside the packages.
    :param variables: Environment variables of driver and executors.
    :raises InvalidValueError: when a field can't be right.

    >>> project = PythonProject("dist/emrkit/entrypoint.py", archive="dist/emrkit/environment.tar.gz")
    >>> project.job(args=["--day", "{{ ds }}"]).env["PYSPARK_PYTHON"]
    './environment/bin/python'
    """

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what ``emrkit package`` has written; an image, where there is one, is taken by its digest.

        :param folder: Its output folder; a relative one is looked up from the folder of the file that calls.
        :raises InvalidValueError: when it holds no such package.
        """
        package = package_manifest.read(cls.__name__, "python", _beside_caller(folder))
        return cls(package.entry_point, archive=package.archive, image=package.image, python=package.python)

    def job(
        self,
        *,
        args: Sequence[str | int | float] = (),
        variables: Mapping[str, str | int | float] | None = None,
        **fields: Any,
    ) -> SparkJob:
        """Make a job of it.

        :param args: The project's own arguments, as on its command line.
        :param variables: Further environment variables.
        :param fields: Further fields of :class:`SparkJob`, as ``conf``, ``name``, ``jars``, ``packages``;
            ``files``, ``py_files`` and ``archives`` are added to the project's.
        :raises InvalidValueError: when one can't be right.
        """
        return self._job(args, (), variables, fields)


@dataclass(frozen=True, repr=False)
class KedroProject(_Project):
    """A packaged Kedro project; see :class:`PythonProject` for what the two have in common.

    :param entry_point: The Python file that Spark runs.
    :param archive: ``environment.tar.gz`` with Python and all packages.
    :param image: Image with Python and all packages instead.
    :param python: Path of the Python to run, in the image.
    :param files: Files put into the working directory of driver and executors.
    :param py_files: Python code beside the packages.
    :param variables: Environment variables of driver and executors.
    :param conf_source: The project's configuration, ``conf-<package>.tar.gz`` as ``emrkit package`` and
        ``kedro package`` write it, which is unpacked beside the job; or ``local:/…`` for one in the image.
    :raises InvalidValueError: when a field can't be right.

    >>> project = KedroProject(
    ...     "dist/emrkit/entrypoint.py",
    ...     archive="dist/emrkit/environment.tar.gz",
    ...     conf_source="dist/emrkit/conf-sales.tar.gz",
    ... )
    >>> project.job(pipeline="daily", env="prod", params={"day": "{{ ds }}"}).args[:4]
    ('--conf-source', './kedro_conf/conf', '--env', 'prod')
    """

    conf_source: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_optional_text("KedroProject", "conf_source", self.conf_source)
        _check_no_directory("KedroProject", "conf_source", self.conf_source)

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what ``emrkit package`` has written; an image, where there is one, is taken by its digest.

        :param folder: Its output folder; a relative one is looked up from the folder of the file that calls.
        :raises InvalidValueError: when it holds no package of a Kedro project.
        """
        package = package_manifest.read(cls.__name__, "kedro", _beside_caller(folder))
        return cls(
            package.entry_point,
            archive=package.archive,
            image=package.image,
            python=package.python,
            conf_source=package.conf_source,
        )

    def job(
        self,
        *,
        pipeline: str | None = None,
        pipelines: Sequence[str] = (),
        env: str | None = None,
        runner: str | None = None,
        is_async: bool = False,
        tags: Sequence[str] = (),
        nodes: Sequence[str] = (),
        from_nodes: Sequence[str] = (),
        to_nodes: Sequence[str] = (),
        from_inputs: Sequence[str] = (),
        to_outputs: Sequence[str] = (),
        namespaces: Sequence[str] = (),
        load_versions: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        args: Sequence[str] = (),
        variables: Mapping[str, str | int | float] | None = None,
        **fields: Any,
    ) -> SparkJob:
        """Make a job that does what ``kedro run`` does with these options.

        :param pipeline: Name of the pipeline; Kedro's ``__default__`` by default.
        :param pipelines: Names of several, from Kedro 1.2 on.
        :param env: Configuration environment, a folder of the configuration.
        :param runner: ``SequentialRunner``, ``ThreadRunner``, or the path of a class. (Spark datasets don't
            go with ``ParallelRunner``.)
        :param is_async: Whether datasets are loaded and saved in threads (``--async``).
        :param tags: Only nodes that have one of these tags.
        :param nodes: Only these nodes.
        :param from_nodes: Nodes to start with.
        :param to_nodes: Nodes to end with.
        :param from_inputs: Datasets to start with.
        :param to_outputs: Datasets to end with.
        :param namespaces: Only nodes of these namespaces, from Kedro 1.0 on.
        :param load_versions: Version of datasets to load.
        :param params: Parameters that override those of the configuration: texts, numbers, True, False,
            None, and lists and dicts of them; ``a.b`` names one inside of ``a``, as a dict in ``a`` does.
            Text stays text for Kedro, also where it looks like a number; what a template renders to is read
            as Kedro reads it on the command line, which takes it apart at commas.
        :param args: Further arguments of the command line.
        :param variables: Further environment variables.
        :param fields: Further fields of :class:`SparkJob`, as ``conf``, ``name``, ``jars``, ``packages``;
            ``files``, ``py_files`` and ``archives`` are added to the project's.
        :raises InvalidValueError: when one can't be right.
        """
        sent = bool(self.conf_source) and not str(self.conf_source).startswith(THERE)
        where = ARCHIVE_CONF if sent else self.conf_source and self.conf_source.removeprefix(THERE)
        options = kedro_arguments.compile_arguments(
            conf_source=where,
            pipeline=pipeline,
            pipelines=pipelines,
            env=env,
            runner=runner,
            is_async=is_async,
            tags=tags,
            nodes=nodes,
            from_nodes=from_nodes,
            to_nodes=to_nodes,
            from_inputs=from_inputs,
            to_outputs=to_outputs,
            namespaces=namespaces,
            load_versions=load_versions or {},
            params=params or {},
        )
        further = check_sequence("KedroProject.job", "args", args)
        archives = (f"{self.conf_source}#{CONFIGURATION}",) if sent else ()
        return self._job([*options, *further], archives, variables, fields)


def _check_no_python(owner: str, variables: Mapping[str, Any], mend: str) -> None:
    for name in PYTHON_VARIABLES:
        if name in variables:
            raise InvalidValueError(owner, "variables", name, "is set by emrkit", mend)


def _check_no_other_python(owner: str, conf: Any) -> None:
    for name in _PYTHON_CONF:
        if name in check_mapping(owner, "conf", conf or {}):
            problem = "takes the place of the project's Python, which has its libraries"
            raise InvalidValueError(owner, "conf key", name, problem, "leave it out")


def _check_no_directory(owner: str, field: str, path: str | None) -> None:
    if path and "#" in path:
        mend = "leave out the # and what follows it"
        raise InvalidValueError(owner, field, path, "names a directory to be unpacked as", mend)


def _beside_caller(folder: str | os.PathLike[str]) -> str:
    """Look a folder up from the file whose code calls a public function of this module."""
    caller = Path(sys._getframe(2).f_code.co_filename)  # noqa: SLF001 - what the module inspect does, slower
    return str(caller.absolute().parent / folder)
