"""A view of the machine for this process alone: a read-only or small disk, a name. Linux only."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

NEW_MOUNTS = 0x0002_0000
NEW_NAMES = 0x0400_0000
NEW_USER = 0x1000_0000
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 1 << 5, 1 << 12, 1 << 14, 1 << 18


def stand_alone() -> None:
    """Have mounts of one's own from now on. Raises OSError where that is not allowed."""
    _unshare(NEW_MOUNTS)
    _mount(None, "/", None, RECURSIVE | PRIVATE)


def take_name(name: str) -> None:
    """Be on a machine of this name from now on. Raises OSError where that is not allowed."""
    _unshare(NEW_NAMES)
    socket.sethostname(name)


def _unshare(what: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(what) and library.unshare(NEW_USER | what):
        raise OSError(ctypes.get_errno(), "nothing of one's own is allowed here")


def make_read_only(folder: Path) -> None:
    """Nothing below the folder can be written by this process any more."""
    _mount(str(folder), str(folder), None, BIND)
    _mount(None, str(folder), None, BIND | REMOUNT | READ_ONLY)


def make_small(folder: Path, size: int) -> None:
    """An empty file system of so many bytes in place of the folder."""
    _mount("none", str(folder), "tmpfs", 0, f"size={size}")


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    texts = [text.encode() if text else None for text in (source, target, kind, options)]
    if library.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3]):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)
