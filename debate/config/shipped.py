"""The declarations that come with the package: agents, topologies and configs, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Shelf = Literal["agents", "topologies", "configs"]


def shipped(kind: Shelf) -> dict[str, Path]:
    """The shipped declarations of one kind, by name, sorted; a name is a file's stem.

    >>> shipped("topologies")["ring"].name
    'ring.yaml'
    """
    return {path.stem: path for path in sorted(shelf(kind).glob("*.yaml"))}


def shelf(kind: Shelf) -> Path:
    """The folder of one kind: inside an installed package, else at the root of the checkout.

    Beside an installed package may lie folders of the same names that belong to others, so they
    are looked at only where the package carries no declarations of its own.
    """
    package = Path(__file__).resolve().parents[1]
    installed = package / "shipped"
    return (installed if installed.is_dir() else package.parent) / kind
