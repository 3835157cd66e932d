"""Load a topology's spec, build it over seats, and find what is wrong with it for a protocol.

Building turns names into ids and lines of notation into edges. A problem names its place in the
YAML and says what would be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from debate.config.document import ConfigDocument, KeyPath, Problem, SourceLocation
from debate.config.loader import find_code_problems
from debate.config.references import list_shipped, resolve_references
from debate.config.topology import Carried, EdgeSpec, TopologySpec, parse_names
from debate.config.validation import validate_document
from debate.errors import ConfigError, TopologyError, suggest
from debate.topologies.graph import (
    AgentPair,
    Topology,
    expand_pairs,
    get_authors,
    get_critics,
    get_edge,
    make_edge,
)
from debate.topologies.schedule import GraphGenerator, Phase, TopologySchedule
from debate.topologies.seats import (
    Groups,
    Seat,
    build_groups,
    divide_evenly,
    list_members,
    list_names,
)

MAX_ROUNDS_CHECKED = 64


class InvalidTopologyError(TopologyError):
    """Raised for a spec that cannot be built over the seats; `problems` says where and why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(dict.fromkeys(problem.message for problem in self.problems)))


class ExpandedLine(NamedTuple):
    """A line of notation, its number among the edges, and the pairs it stands for."""

    number: int
    line: EdgeSpec
    pairs: tuple[AgentPair, ...]


def list_shipped_topologies() -> dict[str, Path]:
    """Return the topologies that come with the package, by name."""
    return list_shipped("topologies")


def load_topology(
    reference: str | Path | Mapping[str, Any], *, custom_code: bool = True
) -> TopologySpec:
    """Return the spec of a shipped name, a YAML file, or a mapping of the same shape.

    The module of a custom generator may lie in the file's folder. Raises ConfigError that names
    every problem with its file and line; without `custom_code` also for a custom generator.

    >>> load_topology("ring").generator
    'cycle_graph'
    """
    written, folder = cast(Any, reference), Path.cwd()
    if not isinstance(reference, Mapping):
        path = Path(reference)
        folder = path.resolve().parent if path.is_file() else folder
        written = str(path.resolve()) if path.is_file() else str(reference)
    value = {"topology": written}
    document, unresolved = resolve_references(
        ConfigDocument(value, {(): SourceLocation("the topology")}, Path.cwd())
    )
    if unresolved:
        raise ConfigError("\n".join(message for _, message in unresolved))
    document = document.at(("topology",))
    if isinstance(document.value, dict) and {"agents", "task"} & {*document.value}:
        raise ConfigError(
            f"{document.locate(())}: this is the configuration of a run, no topology; "
            "`debate validate` shows who hears whom in it"
        )
    spec = validate_document(TopologySpec, document)
    if wrong := find_code_problems(spec, folder=folder, custom_code=custom_code):
        raise ConfigError("\n".join(f"{document.locate(path)}: {told}" for path, told in wrong))
    return spec


def build_schedule(spec: TopologySpec, seats: Sequence[Seat]) -> TopologySchedule:
    """Return the schedule of a spec over these seats; each phase is drawn once as a check.

    Raises InvalidTopologyError for unknown names, repeated edges, and generators that do not fit,
    all at once; TopologyError for seats that cannot be told apart.
    """
    groups = build_groups(seats)
    phases: list[Phase] = []
    wrong: list[Problem] = []
    for number, part in enumerate(spec.rounds or (spec,)):
        where: KeyPath = ("rounds", number) if spec.rounds else ()
        try:
            phases.append(_build_phase(part, tuple(seats), groups, number + 1))
        except InvalidTopologyError as error:
            wrong += [problem.below(where) for problem in error.problems]
    _raise_any(wrong)
    return TopologySchedule(seats=tuple(seats), phases=tuple(phases), cycle=spec.cycle)


def _build_phase(spec: TopologySpec, seats: tuple[Seat, ...], groups: Groups, round: int) -> Phase:
    known = {**groups, **_split_groups(spec, groups)}
    _raise_any([*_find_unknown(spec, known)])
    lines = _expand_lines(spec, known)
    _raise_any(_find_repeats(lines))
    phase = Phase(
        seats=seats,
        written={
            pair: make_edge(spec.defaults, each.line) for each in lines for pair in each.pairs
        },
        generator=_make_generator(spec, known),
        generated_edge=make_edge(spec.defaults),
        idle=tuple(_find_idle(spec, groups)),
        is_deliberate=spec.edges == () and spec.generator is None,
        allows_uncritiqued=spec.uncritiqued == "allow",
    )
    try:
        phase.draw(round, 0)
    except TopologyError as error:
        raise InvalidTopologyError([Problem(("args",), str(error))]) from error
    return phase


def _raise_any(problems: Sequence[Problem]) -> None:
    if problems:
        raise InvalidTopologyError(problems)


def _make_generator(spec: TopologySpec, known: Groups) -> GraphGenerator | None:
    if spec.generator is None:
        return None
    return GraphGenerator(spec=spec, among=list_members(parse_names(spec.among), known))


def _split_groups(spec: TopologySpec, groups: Groups) -> dict[str, tuple[str, ...]]:
    made: dict[str, tuple[str, ...]] = {}
    for whole, parts in spec.split.items():
        _raise_any([*_find_unknown_names(("split", whole), [whole], groups)])
        for name, ids in zip(parts, divide_evenly(groups[whole], len(parts)), strict=True):
            if name in groups or name in made:
                message = f'"{name}" already names somebody; choose another name for this part'
                raise InvalidTopologyError([Problem(("split", whole), message)])
            made[name] = ids
    return made


def _find_unknown(spec: TopologySpec, known: Groups) -> Iterator[Problem]:
    for number, line in enumerate(spec.edges or ()):
        yield from _find_unknown_names(("edges", number), list_names(line), known)
    if spec.generator is not None:
        yield from _find_unknown_names(("among",), parse_names(spec.among), known)


def _find_unknown_names(path: KeyPath, names: Iterable[str], known: Groups) -> Iterator[Problem]:
    for name in dict.fromkeys(names):
        if name not in known:
            message = f'no agent or group is called "{name}"; {suggest(name, known)}'
            yield Problem(path, message)


def _expand_lines(spec: TopologySpec, known: Groups) -> list[ExpandedLine]:
    return [
        ExpandedLine(number, line, expand_pairs(line.expression, known))
        for number, line in enumerate(spec.edges or ())
    ]


def _find_repeats(lines: Iterable[ExpandedLine]) -> list[Problem]:
    origin: dict[AgentPair, str] = {}
    problems = []
    for number, line, pairs in lines:
        again = [pair for pair in pairs if pair in origin]
        if again:
            message = _explain_repeat(again, line, origin[again[0]])
            problems.append(Problem(("edges", number), message))
        origin.update(dict.fromkeys(pairs, line.edge))
    return problems


def _explain_repeat(pairs: list[AgentPair], line: EdgeSpec, origin: str) -> str:
    critic, author = pairs[0]
    others = f" (and {len(pairs) - 1} more)" if len(pairs) > 1 else ""
    return (
        f'the edge {critic} -> {author}{others} of "{line.edge}" is already in "{origin}"; '
        "write it once"
    )


def _find_idle(spec: TopologySpec, groups: Groups) -> Iterator[Problem]:
    """Yield the lines that connect nobody because nobody is in one of their groups."""
    for number, line in enumerate(spec.edges or ()):
        for operand in line.expression.operands:
            if _is_empty(operand, groups):
                yield Problem(("edges", number), _explain_idle(line.edge, operand))
    among = parse_names(spec.among)
    if spec.generator and _is_empty(among, groups):
        yield Problem(("generator",), _explain_idle(spec.generator, among))


def _is_empty(names: Sequence[str], groups: Groups) -> bool:
    return all(name in groups and not groups[name] for name in names)


def _explain_idle(written: str, names: Sequence[str]) -> str:
    return (
        f'"{written}" connects nobody: no agent is among {", ".join(names)}; '
        f'give one "role: {names[0].removesuffix("s")}"'
    )


def find_problems(
    spec: TopologySpec,
    seats: Sequence[Seat],
    *,
    protocol: str,
    rounds: int,
    needs_judges: bool = False,
    schedule: TopologySchedule | None = None,
    shows_confidence: bool | None = None,
    answers_only: bool = False,
) -> list[Problem]:
    """Return the problems of the spec for these seats and this protocol.

    An agent counts as connected if it is in any of the rounds. `needs_judges` says that the
    decision asks judges. `schedule` is what `build_schedule` has made of them, where it was called
    before. `shows_confidence` says whether turns state a confidence, where that is known, and
    `answers_only` that texts are not heard in an exchange. Raises TopologyError for seats that
    cannot be told apart.
    """
    no_judges = [*_find_empty_panel(seats, needs_judges)]
    try:
        schedule = schedule or build_schedule(spec, seats)
    except InvalidTopologyError as error:
        return [*error.problems, *(Problem((), line) for line in no_judges)]
    drawn = _draw_rounds(schedule, rounds)
    idle = [
        problem.below(("rounds", number) if spec.rounds else ())
        for number, phase in enumerate(schedule.phases)
        for problem in phase.idle
    ]
    found = no_judges if idle or no_judges else [*_find_silence(schedule, drawn, rounds)]
    for seat in seats:
        found += _find_seat_problems(seat, drawn, schedule, protocol)
    found += _find_unheard(drawn, protocol, answers_only=answers_only)
    found += _find_missing_confidences(drawn, shows_confidence)
    return [*idle, *(Problem((), line) for line in dict.fromkeys(found))]


def _draw_rounds(schedule: TopologySchedule, rounds: int) -> list[Topology]:
    """Return the graphs to check: enough to see every phase, and some of those drawn anew."""
    different = MAX_ROUNDS_CHECKED if schedule.changes else 1
    return [schedule.at(round) for round in range(1, max(1, min(rounds, different)) + 1)]


def _find_empty_panel(seats: Sequence[Seat], needs_judges: bool) -> Iterator[str]:
    if needs_judges and not any(seat.role == "judge" for seat in seats):
        yield 'the decision asks judges and the panel is empty; give an agent "role: judge"'


def _find_silence(
    schedule: TopologySchedule, drawn: Sequence[Topology], rounds: int
) -> Iterator[str]:
    deliberate = all(phase.is_deliberate for phase in schedule.phases)
    if rounds and not deliberate and not any(topology.number_of_edges() for topology in drawn):
        yield (
            f"the topology has no edge between these {len(schedule.seats)} agents, so that nobody "
            'hears anybody; write "edges: []" if that is meant'
        )


def _find_seat_problems(
    seat: Seat, drawn: Sequence[Topology], schedule: TopologySchedule, protocol: str
) -> Iterator[str]:
    acts = any(get_authors(topology, seat.id) for topology in drawn)
    is_critiqued = any(get_critics(topology, seat.id) for topology in drawn)
    if seat.role == "critic" and protocol == "exchange":
        yield (
            f'{seat.id} is a critic, and under the protocol "exchange" only answers are heard, '
            'which a critic has not; use "protocol: critique" or make it a debater'
        )
    elif seat.role in _WORK and not acts:
        yield _explain_idle_seat(seat, is_critiqued)
    allowed = any(phase.allows_uncritiqued for phase in schedule.phases)
    is_idle = seat.role == "debater" and protocol in ("critique", "filter") and not is_critiqued
    if is_idle and not allowed:
        other = next((each.id for each in schedule.seats if each.id != seat.id), seat.id)
        yield (
            f'nobody critiques {seat.id}, and under the protocol "{protocol}" it would never '
            f'revise; write an edge to it, such as "{other} -> {seat.id}", '
            'or "uncritiqued: allow" if that is meant'
        )


_WORK = {"judge": "judges", "critic": "critiques", "tool": "answers", "human": "answers"}


def _explain_idle_seat(seat: Seat, is_critiqued: bool) -> str:
    turned = "; an edge starts at the one who critiques" if is_critiqued else ""
    return (
        f"{seat.id} is a {seat.role} and {_WORK[seat.role]} nobody; "
        f'write "{seat.id} -> debaters"{turned}'
    )


_VIEWS: frozenset[Carried] = frozenset(
    {"answer", "confidence", "rationale", "masked_reasoning", "shuffled_confidence"}
)


def _find_unheard(drawn: Sequence[Topology], protocol: str, *, answers_only: bool) -> Iterator[str]:
    """Yield the edges that promise feedback and carry nothing that the protocol sends."""
    sending: dict[str, frozenset[Carried]] = {
        "exchange": frozenset({"answer"} if answers_only else _VIEWS | {"reasoning"}),
        "critique": _VIEWS | {"critique"},
    }
    sent = sending.get(protocol)
    for topology in drawn if sent else ():
        for u, v in topology.edges():
            edge = get_edge(topology, u, v)
            if sent and edge.feedback and not set(edge.carries) & sent:
                yield (
                    f"{u} -> {v} carries {', '.join(sorted(edge.carries))} only, and "
                    f'the protocol "{protocol}" sends {" and ".join(sorted(sent))}; add one, '
                    'or write "feedback: false"'
                )


def _find_missing_confidences(
    drawn: Sequence[Topology], shows_confidence: bool | None
) -> Iterator[str]:
    """Yield the edges whose only message is a confidence that nobody states, or cannot change."""
    for topology in drawn:
        shuffled: dict[str, list[str]] = {}
        for u, v in topology.edges():
            edge = get_edge(topology, u, v)
            needed = {*edge.carries} <= {"confidence"} or "shuffled_confidence" in edge.carries
            if edge.feedback and needed and shows_confidence is False:
                yield (
                    f"{u} -> {v} carries {', '.join(sorted(edge.carries))}, and no turn states a "
                    "confidence; write `show_confidence: true` under `protocol`"
                )
            if edge.feedback and "shuffled_confidence" in edge.carries:
                shuffled.setdefault(v, []).append(u)
        for author, critics in shuffled.items():
            if len(critics) == 1:
                yield (
                    f"{author} hears a shuffled confidence from {critics[0]} alone, which nobody "
                    "can change with; let two or more edges carry one, or write confidence"
                )
