"""From a spec and the seats to a schedule: names become ids, lines become edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from debate.config.notation import parse_names
from debate.config.topology import EdgeSpec, TopologySpec
from debate.errors import TopologyError, suggestion
from debate.topologies.edges import Pair, edge_of, members, pairs
from debate.topologies.generated import Generated
from debate.topologies.problem import BrokenTopology, KeyPath, Problem
from debate.topologies.schedule import Phase, Schedule
from debate.topologies.seats import Groups, Seat, divided, groups, seat_word


def build(spec: TopologySpec, seats: Sequence[Seat]) -> Schedule:
    """The spec over these seats, each phase drawn once to see that it can be.

    Raises BrokenTopology for unknown names, repeated edges, and generators that do not fit, all
    at once; TopologyError for seats that cannot be told apart.
    """
    known = groups(seats)
    phases: list[Phase] = []
    wrong: list[Problem] = []
    for number, part in enumerate(spec.rounds or (spec,)):
        where: KeyPath = ("rounds", number) if spec.rounds else ()
        try:
            phases.append(_phase(part, tuple(seats), known, number + 1))
        except BrokenTopology as error:
            wrong += [problem.below(where) for problem in error.problems]
    if wrong:
        raise BrokenTopology(wrong)
    return Schedule(seats=tuple(seats), phases=tuple(phases), cycle=spec.cycle)


def _phase(spec: TopologySpec, seats: tuple[Seat, ...], groups: Groups, round: int) -> Phase:
    known = {**groups, **_split(spec, groups)}
    _refuse([*_unknown(spec, known)])
    written = _written(spec, known)
    _refuse(_repeated(written))
    phase = Phase(
        seats=seats,
        written={
            pair: edge_of(spec.defaults, line) for _, line, found in written for pair in found
        },
        generated=_generated(spec, known),
        generated_edge=edge_of(spec.defaults),
        idle=tuple(_idle(spec, groups)),
        is_deliberate=spec.edges == () and spec.generator is None,
        allows_uncritiqued=spec.uncritiqued == "allow",
    )
    try:
        phase.draw(round, 0)
    except TopologyError as error:
        raise BrokenTopology([Problem(("args",), str(error))]) from error
    return phase


def _generated(spec: TopologySpec, known: Groups) -> Generated | None:
    if spec.generator is None:
        return None
    return Generated(spec=spec, among=members(parse_names(spec.among), known))


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise BrokenTopology(problems)


def named(line: EdgeSpec) -> list[str]:
    """The names in one line of notation."""
    return [name for operand in line.expression.operands for name in operand]


def _split(spec: TopologySpec, groups: Groups) -> dict[str, tuple[str, ...]]:
    made: dict[str, tuple[str, ...]] = {}
    for whole, parts in spec.split.items():
        _refuse([*_strangers(("split", whole), [whole], groups)])
        for name, ids in zip(parts, divided(groups[whole], len(parts)), strict=True):
            if name in groups or name in made:
                message = f'"{name}" already names somebody; choose another name for this part'
                raise BrokenTopology([Problem(("split", whole), message)])
            made[name] = ids
    return made


def _unknown(spec: TopologySpec, known: Groups) -> Iterator[Problem]:
    for number, line in enumerate(spec.edges or ()):
        yield from _strangers(("edges", number), named(line), known)
    if spec.generator is not None:
        yield from _strangers(("among",), parse_names(spec.among), known)


def _strangers(path: KeyPath, names: Iterable[str], known: Groups) -> Iterator[Problem]:
    for name in dict.fromkeys(names):
        if name not in known:
            message = f'no agent or group is called "{name}"; {suggestion(name, known)}'
            yield Problem(path, message)


Written = list[tuple[int, EdgeSpec, tuple[Pair, ...]]]


def _written(spec: TopologySpec, known: Groups) -> Written:
    return [
        (number, line, pairs(line.expression, known))
        for number, line in enumerate(spec.edges or ())
    ]


def _repeated(written: Written) -> list[Problem]:
    origin: dict[Pair, str] = {}
    problems = []
    for number, line, found in written:
        again = [pair for pair in found if pair in origin]
        if again:
            problems.append(Problem(("edges", number), _again(again, line, origin[again[0]])))
        origin.update(dict.fromkeys(found, line.edge))
    return problems


def _again(pairs: list[Pair], line: EdgeSpec, origin: str) -> str:
    critic, author = pairs[0]
    others = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
    return (
        f'the edge {critic} -> {author}{others} of "{line.edge}" is already in "{origin}"; '
        "write it once"
    )


def _idle(spec: TopologySpec, groups: Groups) -> Iterator[Problem]:
    """Lines that connect nobody because nobody is in one of their groups."""
    for number, line in enumerate(spec.edges or ()):
        for operand in line.expression.operands:
            if all(name in groups and not groups[name] for name in operand):
                message = f'"{line.edge}" connects nobody: {seat_word(operand)}'
                yield Problem(("edges", number), message)
    among = parse_names(spec.among)
    if spec.generator and all(name in groups and not groups[name] for name in among):
        message = f'"{spec.generator}" connects nobody: {seat_word(among)}'
        yield Problem(("generator",), message)
