"""The options of ``kedro run``, as arguments. Pure.

Options by Kedro's version, as its releases 0.18.14 to 1.7.0 have them: ``--pipeline`` is in all of them
(deprecated lately, in favour of ``--pipelines``), ``--pipelines`` from 1.2 on, ``--namespaces`` from 1.0 on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.jobs.kedro_parameters import parameters_text
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_flag,
    check_mapping,
    check_text,
    check_texts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = "KedroProject.job"

_SINGLE = ("conf_source", "env", "pipeline", "runner")
# Kedro takes each list as one argument with commas; there is no way to write a comma that parts nothing.
_LISTS = ("pipelines", "tags", "from_inputs", "to_outputs")
# Except in names that Kedro made up itself: f([a,b]) -> [c,d].
_NODE_LISTS = ("nodes", "from_nodes", "to_nodes", "namespaces")


def compile_arguments(**options: Any) -> list[str]:
    """Compile the options of :meth:`KedroProject.job` to arguments of the project's command line.

    :raises InvalidValueError: when one can't be said on it.

    >>> compile_arguments(pipeline="daily", tags=["a", "b"], params={"day": "2024-01-01", "rows": 3})
    ['--pipeline', 'daily', '--tags', 'a,b', '--params', 'day="2024-01-01",rows=3']
    """
    if options.get("pipeline") is not None and options.get("pipelines"):
        mend = "name all in pipelines"
        raise InvalidValueError(OWNER, "pipeline", options["pipeline"], "is given beside pipelines", mend)
    arguments: list[str] = []
    for name in _SINGLE:
        if options.get(name) is not None:
            arguments += [_flag(name), check_text(OWNER, name, options[name])]
    for name in (*_LISTS, *_NODE_LISTS):
        if names := _checked_names(name, options.get(name, ())):
            arguments += [_flag(name), ",".join(names)]
    if versions := _checked_versions(options.get("load_versions", {})):
        arguments += [_flag("load_versions"), ",".join(f"{name}:{at}" for name, at in versions.items())]
    if params := parameters_text(OWNER, options.get("params", {})):
        arguments += [_flag("params"), params]
    check_flag(OWNER, "is_async", options.get("is_async", False))
    return [*arguments, "--async"] if options.get("is_async") else arguments


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _checked_names(field: str, value: Any) -> tuple[str, ...]:
    names = check_texts(OWNER, field, value)
    for index, name in enumerate(names):
        made_up = field in _NODE_LISTS and "[" in name
        if "," in name and not made_up and not is_template(name):
            raise _comma(f"{field}[{index}]", name, "give one list item per name")
    return names


def _checked_versions(value: Any) -> Mapping[str, str]:
    versions = check_mapping(OWNER, "load_versions", value)
    for name, version in versions.items():
        check_text(OWNER, f"load_versions[{name!r}]", version)
        if "," in name + version and not is_template(name + version):
            raise _comma(f"load_versions[{name!r}]", version, "give one item per dataset")
    return versions


def _comma(field: str, value: Any, mend: str) -> InvalidValueError:
    return InvalidValueError(OWNER, field, value, "holds a comma, which Kedro takes items apart at", mend)
