from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field

import pytest

from airflow_provider_emrkit.frozen import FrozenMapping, FrozenSpec, freeze, thaw


@dataclass(frozen=True, repr=False)
class Box(FrozenSpec):
    name: str
    size: int = 1
    labels: FrozenMapping[str] = field(default_factory=FrozenMapping)


NESTED = {"a": [1, {"b": "c"}], "d": {"e": ["f"]}}


def test_a_frozen_mapping_equals_the_dict_it_was_made_of_and_keeps_its_order():
    frozen = FrozenMapping({"b": 1, "a": 2})
    assert frozen == {"b": 1, "a": 2}
    assert list(frozen) == ["b", "a"]


def test_a_frozen_mapping_does_not_change_with_its_source():
    source = {"a": [1]}
    frozen = FrozenMapping(source)
    source["a"].append(2)
    source["b"] = []
    assert thaw(frozen) == {"a": [1]}


def test_a_frozen_mapping_can_not_be_changed():
    with pytest.raises(TypeError):
        FrozenMapping({"a": 1})["a"] = 2  # type: ignore[index]


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_frozen_data_survives_copying_and_pickling(clone):
    frozen = freeze(NESTED)
    assert clone(frozen) == frozen
    assert hash(clone(frozen)) == hash(frozen)


def test_equal_mappings_have_equal_hashes_whatever_their_order():
    assert hash(FrozenMapping({"a": 1, "b": 2})) == hash(FrozenMapping({"b": 2, "a": 1}))


def test_thawing_undoes_freezing():
    assert thaw(freeze(NESTED)) == NESTED
    assert type(thaw(freeze(NESTED))["d"]) is dict


@pytest.mark.parametrize(
    "key",
    [
        "DB_PASSWORD",
        "passwd",
        "Passphrase",
        "api-secret",
        "SESSION_TOKEN",
        "fs.s3a.access.key",
        "credentials",
    ],
)
def test_the_repr_hides_values_of_secret_looking_keys(key):
    shown = repr(freeze({"outer": [{key: "hunter2"}], "LANG": "C"}))
    assert "hunter2" not in shown
    assert "'***'" in shown
    assert "'LANG': 'C'" in shown


def test_a_spec_shows_only_what_differs_from_its_defaults():
    assert repr(Box("x")) == "Box(name='x')"
    assert repr(Box("x", 2, FrozenMapping({"a": "b"}))) == "Box(name='x', size=2, labels={'a': 'b'})"
