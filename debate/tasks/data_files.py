"""Rows of data files: JSON lines, JSON, CSV, TSV and Parquet, the text ones also gzipped."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import polars

from debate.errors import TaskError, suggest
from debate.input_files import find_file_problem

NAN = ("", "nan", "-nan", "<na>", "#n/a")
"""Words, in any case, for a missing value where texts stand: those that only programs write."""
MISSING = (*NAN, "na", "n/a", "null", "none")
"""Words for a missing value where they cannot be a text."""

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+%?")
_DAMAGED_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)


class DataRow(NamedTuple):
    """One row of a data file; `location` says where a person finds it."""

    location: str
    cells: Mapping[str, Any]


def read_rows(
    path: str, *, names: Sequence[str] = (), has_header: bool = True
) -> Iterator[DataRow]:
    """Return the rows of a file of any ending in `READERS`, in order; NaN is absent in all.

    names: of the columns of a CSV or TSV file whose first row is none of names, as it does not
    begin with the first of these. Without a header, columns are called by their places from "1".
    Raises TaskError for a file that cannot be read.
    """
    file = Path(path)
    ending = get_ending(file)
    if ending not in READERS:
        raise TaskError(
            f'{path}: cannot tell the format of "{file.name}"; '
            f"give it one of these endings: {', '.join(sorted(READERS))}"
        )
    if problem := find_file_problem(file):
        raise TaskError(f"{path}: {problem}{_suggest_file(file)}")
    if ending in _SEPARATED:
        return _read_csv(file, _SEPARATED[ending], names, has_header=has_header)
    if not has_header:
        raise TaskError(f"{path}: only a CSV or TSV file can be without a header")
    return READERS[ending](file)


def get_ending(file: Path) -> str:
    """Return the ending that tells a file's format, in lower case and without that of gzip.

    >>> get_ending(Path("q.JSONL.gz")), get_ending(Path("q.csv"))
    ('.jsonl', '.csv')
    """
    endings = [ending.lower() for ending in file.suffixes[-2:]]
    return endings[0] if endings[1:] == [".gz"] else "".join(endings[-1:])


def _suggest_file(file: Path) -> str:
    """Return what may have been meant where a file is not there."""
    try:
        if file.exists():
            return ""
    except OSError:  # the name is too long, say
        return ""
    others = (path for path in file.parent.glob("*") if path.name != file.name)
    near = sorted(path.name for path in others if get_ending(path) in READERS)
    return f"; {suggest(file.name, near) if near else 'there are no data files in that folder'}"


@contextmanager
def open_text(file: Path) -> Iterator[BinaryIO]:
    """Open a file of UTF-8 text for reading, after its byte order mark if it has one.

    Unpacks gzip where the name ends in it. Raises TaskError for UTF-16 and damaged gzip.
    """
    is_packed = file.suffix.lower() == ".gz"
    with gzip.open(file) if is_packed else file.open("rb") as opened:
        stream = cast("io.BufferedReader", opened)
        try:
            head = stream.peek(4)[:4]
            if head.startswith(_WIDE) or b"\0" in head:
                raise TaskError(f"{file}: holds text in UTF-16 or UTF-32; save it as UTF-8")
            if head.startswith(codecs.BOM_UTF8):
                stream.read(len(codecs.BOM_UTF8))
            yield stream
        except _DAMAGED_GZIP as cause:
            raise TaskError(f"{file}: cannot be unpacked as gzip: {cause}") from None


def _read_jsonl(file: Path) -> Iterator[DataRow]:
    with open_text(file) as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                location = f"{file}:{number}"
                yield _make_row(location, parse_json(line, location))


def parse_json(line: bytes, location: str) -> Mapping[str, Any]:
    """Return the object that a line states; NaN is None. Raises TaskError, with the location."""
    try:
        cells = _JSON.decode(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as cause:
        raise TaskError(f"{location}: {explain_json(cause, 'this line')}") from None
    if not isinstance(cells, dict):
        raise TaskError(f"{location}: expected a JSON object with columns, found {line[:40]!r}")
    return cells


def explain_json(cause: Exception, what: str) -> str:
    """Return why a text is no JSON, in words and with the place in it.

    >>> try:
    ...     json.loads('{"a": 1, oops}')
    ... except ValueError as error:
    ...     explain_json(error, "this line")
    'this line is not JSON from its character 10 on: oops}'
    """
    if isinstance(cause, json.JSONDecodeError):
        rest = cause.doc[cause.pos :].strip()
        if not rest:
            return f"{what} is not JSON: it ends too early"
        return f"{what} is not JSON from its character {cause.pos + 1} on: {rest[:40]}"
    if isinstance(cause, UnicodeDecodeError):
        return f"{what} is not JSON: {explain_bytes(cause)}"
    if isinstance(cause, RecursionError):
        return f"{what} is not JSON that can be read: it is nested too deeply"
    return f"{what}: {cause}"


def explain_bytes(cause: UnicodeDecodeError) -> str:
    """Return which bytes are no text."""
    wrong = cause.object[cause.start : cause.end]
    return f"the bytes {wrong!r} are no UTF-8 text; save the file as UTF-8"


def make_object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values. Raises ValueError for a key that stands twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = find_repeat(key for key, _ in pairs)
        raise ValueError(f'the key "{twice}" stands twice in one object; remove or rename one')
    return made


def find_repeat(names: Iterable[str]) -> str | None:
    """Return the first name that stands a second time; None where none does."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _drop_nan(constant: str) -> float | None:
    return None if constant == "NaN" else float(constant)


_JSON = json.JSONDecoder(object_pairs_hook=make_object, parse_constant=_drop_nan)


def _read_json(file: Path) -> Iterator[DataRow]:
    """Return the rows of a list of objects, or of one object; also JSON lines, by what is there."""
    with open_text(file) as stream:
        text = stream.read()
    try:
        found = _JSON.decode(text.decode("utf-8"))
    except json.JSONDecodeError as cause:
        if cause.msg == "Extra data" and text.lstrip().startswith(b"{"):
            yield from _read_jsonl(file)
            return
        raise TaskError(f"{file}:{cause.lineno}: {explain_json(cause, 'the file')}") from None
    except (ValueError, RecursionError) as cause:
        raise TaskError(f"{file}: {explain_json(cause, 'the file')}") from None
    rows = [found] if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise TaskError(f"{file}: expected a list of JSON objects, found {text[:40]!r}")
    for number, cells in enumerate(rows, start=1):
        if not isinstance(cells, dict):
            raise TaskError(f"{file}, entry {number}: expected an object, found {cells!r:.40}")
        yield _make_row(f"{file}, entry {number}", cells)


def _make_row(location: str, cells: Mapping[str, Any]) -> DataRow:
    return DataRow(location, {name: _clean(cell) for name, cell in cells.items()})


def _clean(cell: Any) -> Any:
    """Return the cell with None for every NaN."""
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if isinstance(cell, list):
        return [_clean(each) for each in cell]
    if isinstance(cell, dict):
        return {name: _clean(each) for name, each in cell.items()}
    return cell


def _read_csv(
    file: Path, separator: str, names: Sequence[str], *, has_header: bool
) -> Iterator[DataRow]:
    """Return rows whose cells are texts, as they stand; an empty one is absent."""
    with open_text(file) as stream:
        data = stream.read()
    if has_header and not names:
        separator = find_separator(data, separator, file)
    header = read_header(data, separator, file, is_header=has_header and not names)
    if not has_header:
        names = [str(place) for place in range(1, len(header) + 1)]
    elif names and names[0].casefold() in (name.strip().casefold() for name in header):
        read_header(data, separator, file)
        names = ()
    frame = parse_csv(data, separator, file, names=names)
    return _iterate_rows(file, frame)


def find_separator(data: bytes, usual: str, file: Path) -> str:
    """Return what parts the columns of a file with a header: in CSV also semicolons or tabs.

    The header line tells it, and the first row where the line has several of them. Raises
    TaskError where both may be it.
    """
    if usual != ",":
        return usual
    text = data[:100_000].decode("utf-8", errors="replace")
    if stated := re.match(r"sep=(.)\r?\n", text):
        told = f"the line {stated[0].strip()!r} is no header; remove it"
        raise TaskError(f"{file}:1: {told}")
    widths = {mark: _count_cells(text, mark) for mark in _SEPARATORS}
    found = {mark: header for mark, (header, _) in widths.items() if header > 1}
    if len(found) > 1:
        found = {mark: num for mark, num in found.items() if widths[mark][1] in (num, 0)} or found
    if len(found) > 1:
        ways = " or by ".join(f"{_SEPARATORS[mark]} ({num} columns)" for mark, num in found.items())
        raise TaskError(
            f"{file}:1: the header may be parted by {ways}; put quotes around names that hold what "
            "does not part columns"
        )
    return next(iter(found), usual)


def _count_cells(text: str, separator: str) -> tuple[int, int]:
    """Count the cells of the header and of the row after it; 0 of a row that is not there."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return len(next(rows, [])), len(next((row for row in rows if row), []))
    except csv.Error:  # told where the rows are read
        return 0, 0


def explain_decimal_comma(value: object) -> str:
    """Return what to write for a number with a decimal comma, which is not guessed; else "".

    >>> explain_decimal_comma("0,85"), explain_decimal_comma("0.85")
    ('; a decimal comma is not guessed: write 0.85', '')
    """
    text = str(value).strip()
    if not _DECIMAL_COMMA.fullmatch(text):
        return ""
    return f"; a decimal comma is not guessed: write {text.replace(',', '.')}"


def read_header(data: bytes, separator: str, file: Path, *, is_header: bool = True) -> list[str]:
    """Return the first row of a CSV file.

    Raises TaskError for a name that stands twice in a header, be it with other spaces around it,
    and for lines that cannot be told.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        line = data.count(b"\n", 0, cause.start) + 1
        raise TaskError(f"{file}:{line}: {explain_bytes(cause)}") from None
    first = next(csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=separator), [])
    if b"\n" not in data and b"\r" in data:
        raise TaskError(f"{file}: its lines end in carriage returns alone; end them in line feeds")
    if is_header and len(first) == 1 and (found := {*";|,\t"} & {*first[0]}):
        raise TaskError(
            f"{file}:1: the header {first[0][:60]!r} holds {min(found)!r}, but columns of "
            f"{get_ending(file)} are parted by {_SEPARATORS[separator]}"
        )
    names = [name.strip() for name in first]
    twice = find_repeat(filter(None, names))
    if is_header and twice is not None:
        places = [str(place) for place, name in enumerate(names, start=1) if name == twice]
        raise TaskError(
            f'{file}:1: {len(places)} columns are called "{twice}": '
            f"{' and '.join(places)}; rename or remove all but one"
        )
    return first


def parse_csv(
    data: bytes, separator: str, file: Path, *, names: Sequence[str] = ()
) -> polars.DataFrame:
    """Parse CSV with a header, or without one if there are names; all cells are texts.

    Rows without a single cell are left out. Raises TaskError that names the wrong row.
    """
    try:
        frame = polars.read_csv(data, separator=separator, infer_schema=False, has_header=not names)
    except polars.exceptions.NoDataError:
        raise TaskError(f"{file}: there is nothing in it") from None
    except polars.exceptions.PolarsError as cause:
        raise TaskError(f"{file}{_explain_csv(data, separator, str(cause))}") from None
    frame = frame.filter(~polars.all_horizontal(polars.all().is_null()))
    if names and len(names) != frame.width:
        what = f"a row holds {frame.width} cells; there must be {len(names)}: {', '.join(names)}"
        raise TaskError(f"{file}:1: {what}")
    return frame.rename(dict(zip(frame.columns, names, strict=True))) if names else frame


def _explain_csv(data: bytes, separator: str, cause: str) -> str:
    """Return the place and the reason why rows of CSV cannot be read."""
    text = io.StringIO(data.decode("utf-8"), newline="")
    rows = csv.reader(text, delimiter=separator, strict=True)
    start = 1
    try:
        width = len(next(rows, []))
        start = rows.line_num + 1
        for row in rows:
            if len(row) > width:
                return (
                    f":{rows.line_num}: this row holds {len(row)} cells, and the header {width}; "
                    "put quotes around cells that hold the separator"
                )
            start = rows.line_num + 1
    except csv.Error as error:
        is_open = "unexpected end" in str(error)
        why = "a quote is opened in this row and never closed" if is_open else str(error)
        return f":{start}: {why}"
    return f": cannot be read as parted by {_SEPARATORS[separator]}: {cause.splitlines()[0]}"


def _read_parquet(file: Path) -> Iterator[DataRow]:
    try:
        frame = polars.read_parquet(file, glob=False)
    except (polars.exceptions.PolarsError, OSError) as cause:
        first = str(cause).strip().splitlines()[0]
        raise TaskError(f"{file}: cannot be read as PARQUET: {first}") from None
    return _iterate_rows(file, frame)


def _iterate_rows(file: Path, frame: polars.DataFrame) -> Iterator[DataRow]:
    for number, cells in enumerate(frame.iter_rows(named=True), start=1):
        yield _make_row(f"{file}, row {number}", cells)


_SEPARATED = {".csv": ",", ".tsv": "\t"}
READERS: Mapping[str, Callable[[Path], Iterator[DataRow]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".csv": lambda file: _read_csv(file, ",", (), has_header=True),
    ".tsv": lambda file: _read_csv(file, "\t", (), has_header=True),
    ".parquet": _read_parquet,
}
"""A reader for each ending of a file's name."""
