"""Templates that escape everything, and small data that travel inside a page."""

from __future__ import annotations

import base64
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from debate.report.theme import declare_variables
from debate.text import clean

MAX_EMBEDDED = 24_000
"""Bytes of CSV up to which a table of data stands in the page itself."""


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
    environment.filters["mark_code"] = mark_code
    return environment


def mark_code(text: str) -> Markup:
    """Return a sentence of ours, escaped, with what stands between backticks as code.

    >>> str(mark_code("an arm `repeat` < 1"))
    'an arm <code>repeat</code> &lt; 1'
    """
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return escape(clean(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if k % 2 else escape(part)
        for k, part in enumerate(parts)
    )


def _clean_value(value: Any) -> Any:
    return value if isinstance(value, Markup) else clean(str(value), keep="\n\t")


def embed_csv(frame: pl.DataFrame) -> str:
    """Return a frame as a `data:` link to CSV; empty where it is large, or no plain table."""
    if frame.is_empty() or any(dtype.is_nested() for dtype in frame.dtypes):
        return ""
    content = frame.write_csv(float_precision=6).encode("utf-8", errors="backslashreplace")
    if len(content) > MAX_EMBEDDED:
        return ""
    return f"data:text/csv;base64,{base64.b64encode(content).decode('ascii')}"
