"""Tables in the terminal hold every field whole, whatever the width, and so do files of them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debate.analysis.layout import TablePart, lay_out, wrap
from debate.analysis.tables import Entry, Table, build_table
from debate.analysis.tables.formats import (
    escape_latex,
    escape_markdown,
    write_csv,
    write_latex,
    write_markdown,
)

LONG = "“So I think that it may well be 4, or then 5, … and so I leave it to you to decide.”"
words = st.text("abcü-Ж中_%", min_size=1, max_size=14)
texts = st.lists(words, min_size=1, max_size=14).map(" ".join)
numbers = st.sampled_from(["0.123", "+0.001 [−0.02, 0.03]", "–", "0.573", "1,234,567"])
unders = st.sampled_from(["", "0.100 to 0.200", "+0.1 to +0.2; bounds −0.175 to +0.200"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Tables of one to three columns of names and up to eight others, rows told apart by number."""
    names, others, rows = draw(st.integers(1, 3)), draw(st.integers(0, 8)), draw(st.integers(1, 4))
    columns = [draw(texts) for _ in range(names + others)]

    def entry(position: int) -> Entry:
        field = Entry(draw(numbers), draw(unders))
        return (
            Entry(draw(texts)) if position < names else draw(st.sampled_from([field, Entry(LONG)]))
        )

    body = [[entry(k) for k in range(names + others)] for _ in range(rows)]
    return build_table("Title", columns, body, names=names)


def read_part(part: TablePart) -> list[list[str]]:
    """The columns of a part, each as the words of its heading and then of its rows."""
    spans, start = [], 0
    for rule in part.rule.split("  "):
        spans.append((start, start + len(rule)))
        start += len(rule) + 2
    return [
        [word for line in (*part.heading, *part.rows) for word in _cut(line, *span).split()]
        for span in spans
    ]


def _cut(line: str, start: int, end: int) -> str:
    """The characters in these columns of a terminal, in which some take two."""
    from rich.cells import cell_len

    found, column = "", 0
    for character in line:
        if start <= column < end:
            found += character
        column += cell_len(character)
    return found


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(60, 200))
def test_every_field_is_printed_whole_and_in_its_place(table: Table, width: int) -> None:
    printed = [column for part in lay_out(table, width) for column in read_part(part)]
    for position, heading in enumerate(table.columns):
        fields = [text for row in table.rows for text in row[position][:2]]
        assert " ".join([heading, *fields]).split() in printed


@settings(max_examples=60, deadline=None)
@given(tables(), st.integers(60, 200))
def test_no_line_is_longer_than_the_terminal(table: Table, width: int) -> None:
    from rich.cells import cell_len

    short = replace(table, columns=tuple(c[:14] for c in table.columns))
    for part in lay_out(short, width):
        assert max(map(cell_len, (*part.heading, part.rule, *part.rows))) <= width


@given(st.integers(10, 60))
def test_an_interval_is_on_one_line(width: int) -> None:
    told = "it rose by +0.291 [+0.270, +0.310], that is from 0.100 to 0.200 in all"
    lines = wrap(told, width)
    assert " ".join(lines) == told
    assert any("[+0.270, +0.310]," in line for line in lines)
    assert any("0.100 to 0.200" in line for line in lines)


def test_rows_that_repeated_names_do_not_tell_apart_are_numbered() -> None:
    rows = [["ring", "x" * 30, "y" * 30, f"{n}", "0.1 to 0.2" * 3] for n in range(3)]
    parts = list(lay_out(build_table("T", ["arm", "a", "b", "n", "wide"], rows, names=3), 60))
    assert len(parts) > 1
    assert all(part.heading[-1].split()[0] == "#" for part in parts)


HOSTILE = "a|b & 50% of $x_1$ {y} \\ ~ ^ # <b> *c* `d` [e]\nnext"


def test_markdown_has_a_field_for_each_column_and_shows_text_as_it_is() -> None:
    table = build_table("T", ["n|m", "v"], [[HOSTILE, Entry("0.1", "0.0 to 0.2")]])
    row = write_markdown([table]).splitlines()[4]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert row.endswith("| 0.1 (0.0 to 0.2) |")
    assert escape_markdown("\\*") == "\\\\\\*"


def test_latex_escapes_what_has_a_meaning_there() -> None:
    table = build_table("T", ["n & m", "v"], [[HOSTILE, "−0.1"]])
    text = write_latex([table])
    row = next(line for line in text.splitlines() if "next" in line)
    assert len(re.findall(r"(?<!\\)&", row)) == 1
    assert not re.search(r"(?<!\\)[%#_]", row)
    assert "$-$0.1" in row
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert escape_latex("\\") == r"\textbackslash{}"


def test_csv_is_read_back_whole_with_intervals_in_columns_of_their_own() -> None:
    rows = [[HOSTILE, Entry("−0.123", "−0.200 to −0.100")], ['say "x", y', Entry("–")]]
    read = list(csv.reader(io.StringIO(write_csv([build_table("T", ["n", "v"], rows)]))))
    assert read[0] == ["n", "v", "v, below"]
    assert read[1] == [" ".join(HOSTILE.split()), "-0.123", "-0.200 to -0.100"]
    assert read[2] == ['say "x", y', "", ""]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_long_sample_is_folded_at_words(width: int) -> None:
    columns = ["agent", "of", "all", "read", "abstained", "not read, for example"]
    table = build_table(
        "What was read", columns, [["a", "replies", "9", "3", "6", Entry(LONG, LONG)]], names=2
    )
    printed = [column for part in lay_out(table, width) for column in read_part(part)]
    assert printed[-1] == f"not read, for example {LONG} {LONG}".split()


def test_intervals_stand_below_in_all_columns_of_numbers_or_in_none() -> None:
    field = "0.708 [0.51, 0.85]"
    rows = [["a_long_name_of_an_arm", "0", field, field, "−0.027 [−0.10, 0.07]"]]
    table = build_table("T", ["arm", "round", "one", "two", "three"], rows, names=2)
    whole = [part for width in range(70, 100) if len(part := list(lay_out(table, width))) == 1]
    assert len(whole) > 10
    for (part,) in whole:
        inline = part.rows[0].count(field) + part.rows[0].count("−0.027 [")
        assert inline in (0, 3), part.rows
