"""Old names of what has been renamed: found for one more release, with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module


def make_getattr(package: str, renamed: Mapping[str, str]) -> Callable[[str], object]:
    """Return a `__getattr__` for a package that still finds names which it no longer has.

    renamed: old name -> dotted path of what it is now. Each use warns with a DeprecationWarning
    that names the new path. Raises AttributeError for any other name.
    """

    def find_renamed(name: str) -> object:
        if name not in renamed:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        new = renamed[name]
        warnings.warn(f"{package}.{name} is now {new}", DeprecationWarning, stacklevel=2)
        module, _, attribute = new.rpartition(".")
        return getattr(import_module(module), attribute)

    return find_renamed
