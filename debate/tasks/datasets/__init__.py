"""Known data sets, each read from its authors' own file by one small adapter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from debate.tasks.datasets import gsm8k
from debate.tasks.items import Item
from debate.tasks.tables import Row

Adapter = Callable[[Row], Item]
"""One row as an item. Raises ValueError or KeyError where the row is not of this data set."""

DATASETS: Mapping[str, Adapter] = MappingProxyType({"gsm8k": gsm8k.item})
"""What `dataset: NAME` can name."""
