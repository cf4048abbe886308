"""Every example in a docstring runs where it needs neither AWS nor Airflow; every public class has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import airflow_provider_emrkit

CORE = ("console", "frozen", "releases", "templating", "validation", "jobs", "compute", "logs", "runs")


def modules() -> list[str]:
    names = []
    for name in CORE:
        module = importlib.import_module(f"{airflow_provider_emrkit.__name__}.{name}")
        names.append(module.__name__)
        names += [
            f"{module.__name__}.{part.name}" for part in pkgutil.iter_modules(getattr(module, "__path__", []))
        ]
    return names


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_a_module_run(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS, report=True)
    assert result.failed == 0


@pytest.mark.parametrize(
    "name", [name for name in airflow_provider_emrkit.__all__ if name != "EmrSparkOperator"]
)
def test_every_public_name_has_an_example(name):
    assert ">>>" in inspect.getdoc(getattr(airflow_provider_emrkit, name))
