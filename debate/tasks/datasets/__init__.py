"""Known data sets, each read from its authors' own file by one small function.

A new data set is a module with one function from a row to an item, and one line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from debate.tasks.datasets import gsm8k
from debate.tasks.items import DataRow, Item

Adapter = Callable[[DataRow], Item]
"""One row as an item. Raises ValueError or KeyError where the row is not of this data set."""

DATASETS: Mapping[str, Adapter] = MappingProxyType({"gsm8k": gsm8k.to_item})
"""The names that `dataset:` can take."""
