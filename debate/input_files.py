"""Files that a user names: regular ones alone, so that no read hangs or is without an end."""

from __future__ import annotations

import stat
from pathlib import Path

_SPECIAL = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def find_file_problem(path: Path) -> str | None:
    """Return why the path names no regular file; None where it names one, or a link to one.

    >>> find_file_problem(Path("/dev/null")), find_file_problem(Path("/no/such/file"))
    ('is no regular file but a device', 'there is no such file')
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "leads to no file" if path.is_symlink() else "there is no such file"
    except (OSError, ValueError) as cause:
        return f"cannot be read: {getattr(cause, 'strerror', None) or cause}"
    if stat.S_ISREG(mode):
        return None
    return (
        f"is no regular file but {next((w for is_one, w in _SPECIAL if is_one(mode)), 'a device')}"
    )


def find_text_problem(path: Path, folder: Path, *, max_bytes: int) -> str | None:
    """Return why the path names no file of a folder that can be read as a text of this size."""
    if not path.resolve().is_relative_to(folder.resolve()):
        return f"leads out of {folder}, by a link; put the file itself there"
    if problem := find_file_problem(path):
        return problem
    is_large = path.stat().st_size > max_bytes
    return f"is larger than {max_bytes:,} bytes" if is_large else None
