"""The mutants of a module: copies that differ in one condition, ordering, hash input or sync."""

from __future__ import annotations

import ast
import copy
import difflib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

OTHER_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OTHER_FUNCTIONS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sorted": "list",
    "reversed": "list",
}
OTHER_METHODS = {"append": "appendleft", "appendleft": "append", "popleft": "pop"}
"""Of a deque."""
HASHING = ("hash", "key", "seed", "scene", "affinity")
"""Words in the names of functions that make what is hashed, or a key."""
HASHED = ("content", "key", "name", "order", "place", "whole")
"""Names of variables that hold it."""
SYNCS = (
    "_sync_file",
    "append_durably",
    "append_verdicts",
    "clear",
    "flush",
    "fsync",
    "make_folder",
    "notify",
    "set",
    "sync_folder",
    "unlink",
    "wait",
    "wait_until_written",
    "write_manifest",
)
"""The calls that make something durable, wait for it, or wake who waits."""


class Change(NamedTuple):
    """The kind of a change, and the text that it puts in a node's place."""

    kind: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of a module: in which function, of which kind, which text became which.

    `number` tells equal changes of one function apart; `lines` are those of the whole statement,
    or of its head.
    """

    file: str
    function: str
    kind: str
    before: str
    after: str
    number: int
    line: int
    lines: range
    source: str

    @property
    def key(self) -> str:
        """A name that stays the same while other parts of the file change."""
        parts = (self.file, self.function, self.before, self.after, str(self.number))
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=6).hexdigest()

    def diff(self, original: str) -> str:
        """The change as a unified diff."""
        before, after = original.splitlines(), self.source.splitlines()
        found = difflib.unified_diff(before, after, self.file, self.file, n=1, lineterm="")
        return "\n".join(found)


def list_mutants(root: Path, file: str) -> list[Mutant]:
    """List every mutant of a file below `root`, in the order of the file, none twice."""
    whole = (root / file).read_bytes()
    starts = [0]
    for line in whole.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: dict[str, Mutant] = {}
    seen: dict[tuple[str, ...], int] = {}
    for function, lines, node in _walk(ast.parse(whole), "", range(0)):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        before = whole[start:end].decode()
        for change in _list_changes(node, function):
            name = (function, before, change.after)
            seen[name] = seen.get(name, -1) + 1
            mutant = Mutant(
                file=file,
                function=function,
                kind=change.kind,
                before=before,
                after=change.after,
                number=seen[name],
                line=node.lineno,
                lines=lines,
                source=(whole[:start] + change.after.encode() + whole[end:]).decode(),
            )
            found.setdefault(ast.dump(ast.parse(mutant.source)), mutant)
    return list(found.values())


def _walk(
    node: ast.AST, function: str, lines: range
) -> Iterator[tuple[str, range, ast.expr | ast.stmt]]:
    """Yield what is computed, with its function and lines: no annotations, no assertions."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.Assert):
                continue
            inside = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = f"{function}.{child.name}".strip(".")
            around = _find_lines(child) if isinstance(child, ast.stmt) else lines
            if isinstance(child, ast.expr | ast.stmt):
                yield inside, around, child
            if not isinstance(child, ast.JoinedStr):
                yield from _walk(child, inside, around)


def _find_lines(statement: ast.stmt) -> range:
    """The lines of a statement without its body."""
    body = getattr(statement, "body", None)
    end = body[0].lineno if body else (statement.end_lineno or statement.lineno) + 1
    return range(statement.lineno, max(end, statement.lineno + 1))


def _list_changes(node: ast.expr | ast.stmt, function: str) -> Iterator[Change]:
    match node:
        case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            yield from _change_condition(node)
        case ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=1)):
            yield Change("boundary", ast.unparse(node.left))
        case ast.Call():
            yield from _change_order(node)
            yield from _change_hash_call(node)
        case ast.Assign(targets=[ast.Name(id=name)]) if name in HASHED:
            yield from _leave_out(node.value, lambda text: f"{name} = {text}")
        case ast.Tuple() | ast.List() | ast.JoinedStr():
            if any(word in function.rpartition(".")[2] for word in HASHING):
                yield from _leave_out(node)
        case (
            ast.Expr(value=ast.Call() as call) | ast.Expr(value=ast.Await(value=ast.Call() as call))
        ):
            if _get_name(call) in SYNCS:
                yield Change("sync", "pass")


def _change_condition(node: ast.Compare | ast.BoolOp | ast.UnaryOp) -> Iterator[Change]:
    """Turn a comparison or move it by one; exchange `and` and `or`; leave `not` out."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in OTHER_COMPARISONS[type(operator)]:
                ops = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                yield Change("condition", _write(node, ops=ops))
    elif isinstance(node, ast.BoolOp):
        exchanged = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield Change("condition", f"({_write(node, op=exchanged)})")
    else:
        yield Change("condition", f"({ast.unparse(node.operand)})")


def _change_order(node: ast.Call) -> Iterator[Change]:
    """Exchange least and most, first and last; leave out what something is sorted by."""
    name, called = _get_name(node), node.func
    if isinstance(called, ast.Name) and name in OTHER_FUNCTIONS:
        other = ast.Name(OTHER_FUNCTIONS[name])
        keywords = node.keywords if name in ("min", "max") else []
        yield Change("order", _write(node, func=other, keywords=keywords))
    if name in OTHER_METHODS and ast.unparse(called).endswith(f"queue.{name}"):
        yield Change("order", _write(node, func=_copy(called, attr=OTHER_METHODS[name])))
    for place, keyword in enumerate(node.keywords):
        if keyword.arg == "reverse" or (keyword.arg == "key" and name in ("min", "max", "sorted")):
            rest = [*node.keywords[:place], *node.keywords[place + 1 :]]
            yield Change("order", _write(node, keywords=rest))


def _change_hash_call(node: ast.Call) -> Iterator[Change]:
    if ast.unparse(node.func) in ("hash", "random.Random"):
        called = ast.unparse(node.func)
        yield from _leave_out(node.args[0], lambda text: f"{called}({text})")


def _leave_out(node: ast.expr, write: Callable[[str], str] = lambda text: text) -> Iterator[Change]:
    """Leave one element out of a tuple, list or formatted text; `write` wraps what is left."""
    if isinstance(node, ast.JoinedStr):
        for place, value in enumerate(node.values):
            if isinstance(value, ast.FormattedValue):
                rest = [*node.values[:place], *node.values[place + 1 :]]
                yield Change("hash", write(_write(node, values=rest)))
    elif isinstance(node, ast.Tuple | ast.List) and len(node.elts) > 1:
        for place in range(len(node.elts)) if isinstance(node.ctx, ast.Load) else ():
            rest = [*node.elts[:place], *node.elts[place + 1 :]]
            yield Change("hash", write(_write(node, elts=rest)))


def _get_name(call: ast.Call) -> str:
    """The name of what is called, without what it belongs to."""
    return ast.unparse(call.func).rpartition(".")[2]


def _write(node: ast.expr, **fields: Any) -> str:
    """The text of a node with other fields."""
    return ast.unparse(_copy(node, **fields))


def _copy(node: ast.expr, **fields: Any) -> ast.expr:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
