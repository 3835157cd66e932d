"""Known data sets, each read from its authors' own file by one small function.

A new data set is a module with one function from a row to an item, and one line below.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from debate.config.registry import find
from debate.tasks.datasets import (
    competition_math,
    gpqa,
    gsm8k,
    hellaswag,
    labelled_choices,
    mmlu,
    truthfulqa,
    yes_no,
)
from debate.tasks.items import DataRow, Item


class Adapter(Protocol):
    """Reads one row of a data file as an item: a data set.

    It is given a row of the file that the task names by `path`, of any format, as `row.cells`, by
    column. It returns the question as it stands, with the kind of its answer and
    its target; the canonical form of targets is made from it. It raises ValueError, or KeyError
    for a column that is not there, where the row is none of this data set's.
    """

    def __call__(self, row: DataRow, /) -> Item:
        """Return the item."""


DATASETS: Mapping[str, Adapter] = MappingProxyType(
    {
        "arc": labelled_choices.to_item,
        "boolq": yes_no.read_boolq,
        "commonsenseqa": labelled_choices.to_item,
        "gpqa": gpqa.to_item,
        "gsm8k": gsm8k.to_item,
        "hellaswag": hellaswag.to_item,
        "math": competition_math.to_item,
        "mmlu": mmlu.read_mmlu,
        "mmlu_pro": mmlu.read_mmlu_pro,
        "openbookqa": labelled_choices.to_item,
        "strategyqa": yes_no.read_strategyqa,
        "truthfulqa_mc1": truthfulqa.read_mc1,
        "truthfulqa_mc2": truthfulqa.read_mc2,
    }
)
"""The names that `dataset:` can take, besides those of custom code."""

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType({"mmlu": mmlu.COLUMNS})
"""The columns of data sets that were published as CSV without a header."""


def read_item(dataset: str, row: DataRow) -> Item:
    """Return the row as an item of the data set, by the adapter of that name.

    Raises ValueError or KeyError where the row is not of the data set or a custom adapter fails,
    ConfigError where there is no adapter.
    """
    if dataset in DATASETS:
        return DATASETS[dataset](row)
    adapter = find("datasets", dataset).value
    try:
        item = adapter(row)
    except (ValueError, KeyError):
        raise
    except Exception as cause:
        what = f"{type(cause).__name__}: {cause}"
        raise ValueError(f'data set "{dataset}" raised {what}') from cause
    if not isinstance(item, Item):
        what = type(item).__name__
        raise ValueError(f'data set "{dataset}" returned {what}; it must return an Item')
    return item
