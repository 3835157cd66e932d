"""A checksum on each line of a run, so that no changed byte passes for what was said.

The last field of a line is the CRC-32 of the line without that field and without its newline, in
eight hexadecimal digits: `{"cell":"ring",...,"finished_at":0.0,"crc32":"9af03b21"}`. Whoever edits
a line on purpose leaves the field out.
"""

from __future__ import annotations

import re
from zlib import crc32

_NAME = b',"crc32":"'
_LENGTH = len(_NAME + b'01234567"}\n')
_SPOILT = re.compile(rb',"(?:.rc32|c.c32|cr.32|crc.2|crc3.)":"[0-9a-f]{8}"}\s*\Z', re.DOTALL)


def with_checksum(plain: bytes) -> bytes:
    r"""The line, newline included, of a JSON object that has at least one field.

    >>> with_checksum(b'{"cell":"ring"}')
    b'{"cell":"ring","crc32":"9c2becae"}\n'
    """
    return plain[:-1] + b',"crc32":"%08x"}\n' % crc32(plain)


def is_sound(line: bytes) -> bool | None:
    r"""Whether the line is as it was written; None where it has no checksum to tell by.

    A line that lacks nothing but its newline is whole. A checksum of which one byte was changed is
    not taken for another field.

    >>> line = b'{"cell":"ring","crc32":"9c2becae"}\n'
    >>> is_sound(line), is_sound(line.replace(b"ring", b"sing")), is_sound(b'{"cell":"ring"}\n')
    (True, False, None)
    """
    whole = line if line.endswith(b"\n") else line + b"\n"
    if whole.startswith(_NAME, -_LENGTH) and whole.endswith(b'"}\n'):
        return whole.endswith(b'%08x"}\n' % crc32(b"}", crc32(whole[:-_LENGTH])))
    return False if _SPOILT.search(whole[-2 * _LENGTH :]) else None
