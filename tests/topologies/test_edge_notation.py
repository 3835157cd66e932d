"""The compact notation for edges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.config.topology import EdgeExpression, parse_edges
from debate.topologies import Seat, make_debaters
from debate.topologies.graph import expand_pairs
from debate.topologies.seats import build_groups

NAMES = st.text("abcXYZ019_.-", min_size=1, max_size=6)
OPERANDS = st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple)
ARROWS = st.sampled_from(["->", "<-", "<->"])
CHAINS = st.integers(2, 5).flatmap(
    lambda n: st.builds(
        EdgeExpression,
        operands=st.lists(OPERANDS, min_size=n, max_size=n).map(tuple),
        arrows=st.lists(ARROWS, min_size=n - 1, max_size=n - 1).map(tuple),
    )
)
EACH = st.builds(
    EdgeExpression,
    operands=OPERANDS.map(lambda names: (names,)),
    arrows=ARROWS.map(lambda arrow: (arrow,)),
    each=st.sampled_from(["itself", "partner"]),
)
SEATS = (
    *make_debaters("a", "b", "c"),
    Seat(id="p", role="judge", group="panel"),
    Seat(id="q", role="judge", group="panel"),
)


def expanded(line: str) -> set[tuple[str, str]]:
    return set(expand_pairs(parse_edges(line), build_groups(SEATS)))


def written(expression: EdgeExpression) -> str:
    """The line of notation that reads as `expression`."""
    operands = [", ".join(names) for names in expression.operands]
    if expression.each:
        return f"each {operands[0]} {expression.arrows[0]} {expression.each}"
    parts = [operands[0]]
    for arrow, operand in zip(expression.arrows, operands[1:], strict=True):
        parts += [arrow, operand]
    return " ".join(parts)


@given(st.one_of(CHAINS, EACH))
def test_what_is_written_reads_as_it_was_meant(expression: EdgeExpression) -> None:
    assert parse_edges(written(expression)) == expression


@given(st.one_of(CHAINS, EACH))
def test_spaces_around_arrows_and_commas_say_nothing(expression: EdgeExpression) -> None:
    line = written(expression)
    tight = line.replace(", ", ",").replace(" -> ", "->").replace(" <- ", "<-")
    assert parse_edges(tight.replace(" <-> ", "  <->  ")) == expression


@given(st.text("ab,<-> ", max_size=12))
def test_any_text_reads_as_edges_or_is_refused_in_words(text: str) -> None:
    try:
        expression = parse_edges(text)
    except ValueError:
        return
    assert parse_edges(written(expression)) == expression


@pytest.mark.parametrize(
    ("line", "edges"),
    [
        ("a -> b", "ab"),
        ("a <- b", "ba"),
        ("a <-> b", "ab ba"),
        ("a -> b -> c", "ab bc"),
        ("a -> b <-> c", "ab bc cb"),
        ("a -> a", "aa"),
        ("a <-> a", "aa"),
        ("a, b -> c", "ac bc"),
        ("judges -> a, b", "pa pb qa qb"),
        ("panel -> c", "pc qc"),
        ("debaters -> debaters", "ab ac ba bc ca cb"),
        ("all -> a", "ba ca pa qa"),
        ("each debaters -> itself", "aa bb cc"),
        ("each judges <-> partner", "pq qp"),
        ("each a, b, c, p -> partner", "ab cp"),
        ("each debaters <- partner", "ba"),
        ("each a -> itself", "aa"),
    ],
)
def test_a_line_stands_for_these_edges(line: str, edges: str) -> None:
    assert expanded(line) == {(edge[0], edge[1]) for edge in edges.split()}


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("a", "no arrow"),
        ("", "no arrow"),
        ("a - b", "no arrow"),
        ("a ->", "a name is missing"),
        ("-> b", "a name is missing"),
        ("a,, b -> c", "a name is missing"),
        ("a b -> c", '"a b"'),
        ("a → b", "no arrow"),
        ("a, a -> b", "twice"),
        ("each debaters -> judges", 'after "each"'),
        ("each debaters -> itself -> a", 'after "each"'),
        ("a -> each b", '"each b"'),
    ],
)
def test_a_line_that_is_no_edge_says_what_would_be(line: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_edges(line)


def test_an_agent_may_be_called_each() -> None:
    seats = build_groups(make_debaters("each", "itself"))
    assert expand_pairs(parse_edges("each -> itself"), seats) == (("each", "itself"),)
