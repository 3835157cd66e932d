"""Tables for papers and programs: Markdown, LaTeX with booktabs, and CSV."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from debate.analysis.tables import Entry, Table
from debate.text import clean

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$])")
_LATEX: Mapping[str, str] = MappingProxyType(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "−": "$-$",
        "–": "--",
        "→": r"$\rightarrow$",
        "×": r"$\times$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "φ": r"$\varphi$",
        "κ": r"$\kappa$",
        "…": r"\dots{}",
        "“": "``",
        "”": "''",
    }
)


def write_markdown(tables: Sequence[Table]) -> str:
    """Each table below its title; an interval stands in brackets after its number."""
    return "\n\n".join(map(_write_markdown, tables)) + "\n"


def _write_markdown(table: Table) -> str:
    rule = ["---" if k < table.num_names else "---:" for k in range(len(table.columns))]
    rows = [
        [escape_markdown(column) for column in table.columns],
        rule,
        *([escape_markdown(_join(entry)) for entry in row] for row in table.rows),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    note = ["", escape_markdown(table.note)] if table.note else []
    return "\n".join([f"**{escape_markdown(table.title)}**", "", *lines, *note])


def escape_markdown(text: str) -> str:
    """A text on one line that Markdown shows as it is.

    >>> escape_markdown("a|b *c*")
    'a\\\\|b \\\\*c\\\\*'
    """
    return _MARKDOWN.sub(r"\\\1", _flatten(text))


def write_latex(tables: Sequence[Table]) -> str:
    """Each table as a float with booktabs' rules; it asks for `\\usepackage{booktabs}`.

    Labels are "tab:" and the words of the title, with a number from the second of one title on.
    """
    seen: Counter[str] = Counter()
    return "\n\n".join(_write_latex(table, seen) for table in tables) + "\n"


def _write_latex(table: Table, seen: Counter[str]) -> str:
    columns = "l" * table.num_names + "r" * (len(table.columns) - table.num_names)
    rows = [[escape_latex(_join(entry)) for entry in row] for row in table.rows]
    heading = " & ".join(map(escape_latex, table.columns))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(table.title)}}}",
        rf"\label{{tab:{_make_label(table.title, seen)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rf"{heading} \\",
        r"\midrule",
        *(rf"{{}}{' & '.join(row)} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\smallskip\footnotesize " + escape_latex(table.note)] if table.note else []),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _make_label(title: str, seen: Counter[str]) -> str:
    """A label out of the words of a title, which is counted among those seen.

    >>> _make_label("Before and after", Counter())
    'before-and-after'
    """
    words = "-".join(re.findall(r"[a-z0-9]+", title.lower())) or "table"
    seen[words] += 1
    return words if seen[words] == 1 else f"{words}-{seen[words]}"


def escape_latex(text: str) -> str:
    """A text on one line that LaTeX shows as it is.

    >>> escape_latex("42% of a_b, −0.1")
    '42\\\\% of a\\\\_b, $-$0.1'
    """
    return "".join(_LATEX.get(character, character) for character in _flatten(text))


def write_csv(tables: Sequence[Table]) -> str:
    """The rows with a heading; after a column of numbers with intervals, their ends in two more.

    These have ", low" and ", high" in their names, bounds ", bound low" and ", bound high", and
    what else stands below a number ", below"; their numbers are not rounded. Numbers have an ASCII
    minus, and a dash alone is an empty field. Several tables are parted by an empty line, each
    after a line `# title`.
    """
    if len(tables) == 1:
        return _write_csv(tables[0])
    return "\n".join(f"# {_flatten(table.title)}\n{_write_csv(table)}" for table in tables)


def _write_csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = [_split_column(table, position) for position in range(len(table.columns))]
    writer.writerows(zip(*(column for split in columns for column in split), strict=True))
    return stream.getvalue()


def _split_column(table: Table, position: int) -> Iterator[list[str]]:
    """A column with its heading, then those of what stands below its numbers, where anything does.

    A number that is known in bounds alone is an empty field.
    """
    heading, entries = table.columns[position], [row[position] for row in table.rows]
    yield [heading, *("" if e.under == "bounds" else _plain(e.text) for e in entries)]
    for what, pairs in (("", [e.ends for e in entries]), ("bound ", [e.bounds for e in entries])):
        if any(pairs):
            for end, name in enumerate(("low", "high")):
                numbers = [None if pair is None else pair[end] for pair in pairs]
                told = ["" if number is None else repr(number) for number in numbers]
                yield [f"{heading}, {what}{name}", *told]
    if any(e.rest for e in entries):
        yield [f"{heading}, below", *(_plain(e.rest) for e in entries)]


def _plain(text: str) -> str:
    told = re.sub(r"−(?=[\d.])", "-", _flatten(text))
    return "" if told == "–" else told


def _join(entry: Entry) -> str:
    return f"{entry.text} ({entry.under})" if entry.under else entry.text


def _flatten(text: str) -> str:
    return " ".join(clean(text, keep="\n\t").split())


FORMATS: Mapping[str, Callable[[Sequence[Table]], str]] = MappingProxyType(
    {"markdown": write_markdown, "latex": write_latex, "csv": write_csv}
)
"""How tables may be written, by name."""
