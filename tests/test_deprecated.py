"""Names that were renamed are found for one more release, and say what they are called now."""

from __future__ import annotations

import importlib

import pytest

from debate import log, tasks, topologies

OLD = [(module, name) for module in (log, topologies, tasks) for name in vars(module)["_RENAMED"]]


@pytest.mark.parametrize(("module", "name"), OLD)
def test_an_old_name_is_found_with_a_warning_that_names_the_new_one(
    module: object, name: str
) -> None:
    with pytest.warns(DeprecationWarning, match=f"{name} is now debate") as told:
        found = getattr(module, name)
    path, _, attribute = str(told[0].message).rpartition(" ")[2].rpartition(".")
    assert found is getattr(importlib.import_module(path), attribute)


def test_a_name_that_never_was_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = topologies.nonsense
