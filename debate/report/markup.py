"""Templates that escape everything, and small data that travel inside a page."""

from __future__ import annotations

import base64
import re
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from debate.report.theme import declare_variables
from debate.text import clean

MAX_EMBEDDED = 24_000
"""Bytes of CSV up to which a table of data stands in the page itself."""
_END = r"[+−–-]?\d[\d.,]*"
_UNIT = re.compile(
    rf"(?<=\d) (?=%)|(?<=±) (?=\d)|(?<=\d) (?=to {_END})|(?<=\d to) (?={_END})"
    rf"|(?<=\d,) (?={_END}\])"
)
"""The blank in "95 %", "± 2", "0.1 to 0.2" and "[0.1, 0.2]"."""
_TO = re.compile(r"(?<=\d\N{NO-BREAK SPACE}to)(?=\N{NO-BREAK SPACE})")
_JOINT = re.compile(r"(?<=\w)([_/])(?=\w)")


def make_environment() -> Environment:
    """Make templates that escape everything, refuse absent names and show no control characters."""
    environment = Environment(
        loader=PackageLoader("debate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["day"] = Markup(declare_variables(dark=False))
    environment.globals["night"] = Markup(declare_variables(dark=True))
    environment.filters |= {
        "mark_code": mark_code,
        "verbatim": show_verbatim,
        "breakable": allow_breaks,
        "parted": part_interval,
    }
    return environment


def join_units(text: str) -> str:
    """Return a sentence of ours in which no line ends between a number and what belongs to it.

    >>> join_units("95 % of 0.1 [0.05, 0.15] ± 2").count("\N{NO-BREAK SPACE}")
    3
    """
    return _UNIT.sub("\N{NO-BREAK SPACE}", text)


def show_verbatim(text: str) -> Markup:
    """Return a text of others, escaped, its blanks as they are."""
    return escape(clean(text, keep="\n\t"))


def allow_breaks(text: str) -> Markup:
    """Return a name, escaped, that a line may part after an underscore or a slash.

    >>> str(allow_breaks("own_answer"))
    'own_<wbr>answer'
    """
    return Markup(_JOINT.sub(r"\1<wbr>", str(escape(join_units(clean(text))))))


def part_interval(text: str) -> Markup:
    """Return an interval, escaped, that a narrow column of a printed table may part after "to".

    >>> str(part_interval("0.1 to 0.2")).replace("\N{NO-BREAK SPACE}", "_")
    '0.1_to<wbr>_0.2'
    """
    told = escape(join_units(clean(text)))
    return Markup(_TO.sub("<wbr>", str(told)))


def mark_code(text: str) -> Markup:
    """Return a sentence of ours, escaped, with what stands between backticks as code.

    >>> str(mark_code("an arm `repeat` < 1"))
    'an arm <code>repeat</code> &lt; 1'
    """
    told = join_units(clean(text))
    parts = told.split("`")
    if len(parts) % 2 == 0:
        return escape(told)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if k % 2 else escape(part)
        for k, part in enumerate(parts)
    )


def _clean_value(value: Any) -> Any:
    return value if isinstance(value, Markup) else join_units(clean(str(value), keep="\n\t"))


def embed_csv(frame: pl.DataFrame) -> str:
    """Return a frame as a `data:` link to CSV; empty where it is large, or no plain table."""
    if frame.is_empty() or any(dtype.is_nested() for dtype in frame.dtypes):
        return ""
    content = frame.write_csv(float_precision=6).encode("utf-8", errors="backslashreplace")
    if len(content) > MAX_EMBEDDED:
        return ""
    return f"data:text/csv;base64,{base64.b64encode(content).decode('ascii')}"
