"""Tables as lines of text: every field whole, in as many parts as the width asks for.

Lines break at blanks alone, never inside an interval, and nothing is cut: a table that is too wide
is printed in parts that repeat its names, and one word that is too long runs over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from debate.analysis.tables import Entry, Table
from debate.text import clean

GAP = "  "
WIDEST_NAME, WIDEST_NUMBER, WIDEST_TEXT, NARROW = 24, 28, 60, 16
"""Columns that a name, a number with its interval, and a text take where there is room; and what
they are narrowed to before a table is parted."""
_UNITS = re.compile(r"\S*\[[+−–\d., %\u00a0-]+\]\S*|\S+ to [+−–\d]\S*|\S+ %\S*|\S+")
"""What no line break parts: words, "7 %", and intervals as "[0.1, 0.2]" or "0.1 to 0.2"."""


class ColumnWidth(NamedTuple):
    """The widths of a column: of its longest word, as it is usually given, and with no break."""

    least: int
    usual: int
    whole: int


@dataclass(frozen=True, kw_only=True)
class TablePart:
    """Some columns of a table side by side: the lines of their headings, a rule, and the rows."""

    heading: tuple[str, ...]
    rule: str
    rows: tuple[str, ...]


def print_table(table: Table, console: Console) -> None:
    """Print a table to a console of any width, its title above and its note below."""
    print_line(console, clean(table.title), style="bold")
    for position, part in enumerate(lay_out(table, console.width)):
        if position:
            print_line(console, "")
        for line in part.heading:
            print_line(console, line, style="bold")
        for line in (part.rule, *part.rows):
            print_line(console, line)
    for line in wrap(clean(table.note), min(console.width, 100)) if table.note else ():
        print_line(console, line, style="dim")


def print_line(console: Console, line: str, *, style: str = "") -> None:
    """Print a line as it is, however wide the console."""
    console.print(Text(line, style=style), soft_wrap=True)


def print_wrapped(text: str, console: Console, *, style: str = "", indent: str = "  ") -> None:
    """Print a text sanitised: on a terminal broken at blanks, elsewhere as one line."""
    told = clean(text)
    start = told[: len(told) - len(told.lstrip())]
    is_broken = console.is_terminal
    lines = wrap(told, console.width, first=start, indent=start + indent) if is_broken else [told]
    for line in lines:
        print_line(console, line, style=style)


def wrap(text: str, width: int, *, indent: str = "", first: str = "") -> list[str]:
    """Break a text into lines of `width` columns, but for words that are longer.

    first, indent: what stands before the first line, and before those after it.

    >>> wrap("it fell by 0.1 [0.05, 0.15]", 16, indent="  ")
    ['it fell by 0.1', '  [0.05, 0.15]']
    >>> wrap("of 60, 7 % [3 %, 14 %]", 15)
    ['of 60, 7 %', '[3 %, 14 %]']
    """
    lines: list[list[str]] = [[]]
    for unit in _UNITS.findall(text):
        before = first if len(lines) == 1 else indent
        if lines[-1] and cell_len(before + " ".join([*lines[-1], unit])) > width:
            lines.append([])
        lines[-1].append(unit)
    joined = [" ".join(line) for line in lines]
    return [first + joined[0], *(indent + line for line in joined[1:])]


def lay_out(table: Table, width: int) -> Iterator[TablePart]:
    """The parts of a table for lines of `width` columns, in the order of its columns.

    All parts repeat the columns of names, or the first of them where they are long, without what
    stands below a name. Where these do not tell the rows apart, a number does.
    """
    widths = _measure_columns(table)
    if _sum_widths(min(c.usual, max(c.least, NARROW)) for c in widths) <= width:
        yield _lay_out_part(table, widths, range(len(widths)), width)
        return
    names = range(table.num_names)
    is_short = 2 * _sum_widths(widths[k].usual for k in names) <= width
    num_repeated = table.num_names if is_short else 1
    repeated = [tuple(entry.text for entry in row[:num_repeated]) for row in table.rows]
    if len(set(repeated)) < len(repeated):
        table, num_repeated = _number_rows(table), num_repeated + 1
        widths = _measure_columns(table)
    parts = list(_split_columns(widths, num_repeated, width))
    yield _lay_out_part(table, widths, parts[0], width)
    short = _shorten_names(table, num_repeated)
    widths = [*_measure_columns(short)[:num_repeated], *widths[num_repeated:]]
    for part in parts[1:]:
        yield _lay_out_part(short, widths, part, width)


def _shorten_names(table: Table, num_repeated: int) -> Table:
    """The table without what stands below the names that its parts repeat."""
    rows = tuple(
        (*(Entry(entry.text) for entry in row[:num_repeated]), *row[num_repeated:])
        for row in table.rows
    )
    return replace(table, rows=rows)


def _split_columns(
    widths: Sequence[ColumnWidth], num_repeated: int, width: int
) -> Iterator[list[int]]:
    """The positions of the columns of each part: the repeated ones, then as many as fit."""
    part = list(range(num_repeated))
    for position in range(num_repeated, len(widths)):
        together = [*part, position]
        if len(part) > num_repeated and _sum_widths(widths[k].usual for k in together) > width:
            yield part
            part = list(range(num_repeated))
        part.append(position)
    yield part


def _number_rows(table: Table) -> Table:
    rows = tuple((Entry(str(number)), *row) for number, row in enumerate(table.rows, start=1))
    columns = ("#", *table.columns)
    return replace(table, columns=columns, rows=rows, num_names=table.num_names + 1)


def _sum_widths(widths: Iterable[int]) -> int:
    told = list(widths)
    return sum(told) + len(GAP) * (len(told) - 1)


def _measure_columns(table: Table) -> list[ColumnWidth]:
    return [_measure_column(table, position) for position in range(len(table.columns))]


def _measure_column(table: Table, position: int) -> ColumnWidth:
    heading = table.columns[position]
    fields = [clean(text) for row in table.rows for text in row[position][:2]]
    words = [cell_len(unit) for text in (heading, *fields) for unit in _UNITS.findall(text)]
    least, widest = max(words, default=0), max(map(cell_len, fields), default=0)
    usual = WIDEST_NAME if position < table.num_names else WIDEST_NUMBER
    whole = max(min(widest, WIDEST_TEXT), min(cell_len(heading), WIDEST_NUMBER), least)
    return ColumnWidth(least, max(least, min(widest, usual)), whole)


def _lay_out_part(
    table: Table, widths: Sequence[ColumnWidth], positions: Sequence[int], width: int
) -> TablePart:
    aligned = [_is_number(table, position) for position in positions]
    chosen = _fit_widths([widths[position] for position in positions], aligned, width)
    columns = list(zip(positions, chosen, strict=True))

    def join(fields: Sequence[list[str]]) -> Iterator[str]:
        for k in range(max(map(len, fields))):
            line = [
                _pad(field[k] if k < len(field) else "", wide, right=right)
                for field, wide, right in zip(fields, chosen, aligned, strict=True)
            ]
            yield GAP.join(line).rstrip()

    headings = [wrap(clean(table.columns[position]), wide) for position, wide in columns]
    rows = [[_wrap_entry(row[p], wide) for p, wide in columns] for row in table.rows]
    return TablePart(
        heading=tuple(join(headings)),
        rule=GAP.join("─" * wide for wide in chosen),
        rows=tuple(line for row in rows for line in join(row)),
    )


def _fit_widths(
    widths: Sequence[ColumnWidth], are_numbers: Sequence[bool], width: int
) -> list[int]:
    """The widths of columns side by side: usual ones, the widest made narrower, or all wider.

    Where one column of numbers has to set its intervals below, all do.
    """
    chosen = _narrow(widths, width)
    numbers = [k for k, is_number in enumerate(are_numbers) if is_number]
    if all(chosen[k] >= widths[k].usual for k in numbers):
        return chosen
    folded = [c._replace(usual=c.least, whole=c.least) for c in widths]
    return _narrow([folded[k] if k in numbers else c for k, c in enumerate(widths)], width)


def _narrow(widths: Sequence[ColumnWidth], width: int) -> list[int]:
    """Usual widths, the widest made narrower, or all wider."""
    chosen = [column.usual for column in widths]
    spare = width - _sum_widths(chosen)
    for k, column in enumerate(widths):
        step = min(max(0, spare), column.whole - column.usual)
        chosen[k] += step
        spare -= step
    for _ in range(-spare):
        k = max(range(len(widths)), key=lambda k: (chosen[k] > widths[k].least, chosen[k]))
        chosen[k] -= chosen[k] > widths[k].least
    return chosen


def _wrap_entry(entry: Entry, width: int) -> list[str]:
    under = wrap(clean(entry.under), width) if entry.under else []
    return [*wrap(clean(entry.text), width), *under]


def _is_number(table: Table, position: int) -> bool:
    """Whether a column is set to the right: it holds no names and no texts."""
    fields = (text for row in table.rows for text in row[position][:2])
    return position >= table.num_names and max(map(len, fields), default=0) <= 2 * WIDEST_NUMBER


def _pad(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - cell_len(text))
    return blanks + text if right else text + blanks
