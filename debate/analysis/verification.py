"""The verification gap: what a verifier's verdicts are worth to whoever gave the answers.

Song et al. (arXiv 2412.02674): gap(f, g) = J(f re-weighted by g) − J(f), where J(f) is the accuracy
of the generator f's answers and re-weighting keeps those that the verifier g accepts, or weighs
them by P(True); the relative gap is that over 1 − J(f). A verdict that could not be read, or is not
given, accepts nothing. Two estimands, each under its own name:

- `verification_gap` pools all answers of all questions, one or several to a question (seeds). It
  keeps questions as well as answers: a verifier that accepts where the generator is at home gains.
  For a verifier that accepts wrong answers at rate FA and rejects right ones at rate FR, whatever
  the question, it is J(1 − FR) / (J(1 − FR) + (1 − J)·FA) − J.
- `verification_gap_within` re-weights within each question, as Song et al. do, and averages over
  questions; it needs several answers of the generator to a question, which several seeds give.
  Where none of them is accepted, all are kept, so that with few answers it is smaller.

Own against others. The diagonal, g = f, is compared with the verifiers that judge themselves, too.
They differ in skill; so each gap is also held against what the same verifier would make of the same
generator if it judged it as it judges everybody else: its rates on others' answers (neutral text),
put into the closed form above. `gap_over_neutral` is what is left, and `own_gap_matched` is its
mean on the diagonal minus its mean off it. One errs where one does not know, so that a rest below
zero on the diagonal may be shared ignorance as well as ownership.

Reflection, answering again where a verifier rejects, gains J(1 − J)(1 − FA − FR) a step where the
new answer is as good as the first one: it helps only if `error_rate_sum` is below 1 (arXiv
2510.12157).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import polars as pl

from debate.analysis.intervals import Array, divide
from debate.analysis.judgements import name_edge
from debate.analysis.quantity import UNIT, Measure, Quantity, Unavailable, define_share
from debate.analysis.schema import Estimate, make_estimate
from debate.analysis.states import count_questions
from debate.analysis.sums import split_groups, sum_by_group, sum_by_question

SONG = "Song et al., arXiv 2412.02674"
_KEPT = "answers that the verifier accepted"
_BOTH = "right and wrong answers, both judged"
_NEUTRAL = "verdicts of the verifier on right and wrong answers of third authors"
_SAMPLES = "several judged answers of a generator to one question, as several seeds give"
_OWN = "two agents, each of which judges its own answers and the other's"
_MEASURES = (
    define_share("generator_accuracy", "J(f)", "share of the judged answers that are right"),
    define_share(
        "verified_accuracy",
        "J(f | accepted)",
        "share of the accepted answers that are right",
        lacking=_KEPT,
    ),
    Measure(
        "verification_gap",
        "verification gap",
        "J of the accepted answers − J of all, over all questions",
        is_signed=True,
        source=SONG,
        lacking=_KEPT,
    ),
    Measure(
        "relative_verification_gap",
        "relative gap",
        "verification gap / (1 − J)",
        unit="share",
        is_signed=True,
        source=SONG,
        lacking=_KEPT,
    ),
    Measure(
        "verification_gap_p_true",
        "gap, by P(True)",
        "J of the answers weighed by P(True) − J of all, over all questions",
        is_signed=True,
        source=SONG,
        lacking="log-probabilities of the verdict",
    ),
    Measure(
        "verification_gap_within",
        "gap within questions",
        "mean over questions of J of the accepted answers to it (of all, where none is) − J of all",
        kind="mean",
        is_signed=True,
        limits=(-1.0, 1.0),
        source=SONG,
        lacking=_SAMPLES,
    ),
    define_share(
        "false_accept",
        "false accept",
        "share of wrong answers not rejected: a verdict that is not given lets them stand",
        lacking=_BOTH,
    ),
    define_share("false_reject", "false reject", "share of right answers rejected", lacking=_BOTH),
    Measure(
        "error_rate_sum",
        "false accept + false reject",
        "share of wrong answers not rejected + share of right answers rejected; reflection helps "
        "below 1, harms above",
        source="arXiv 2510.12157",
        lacking=_BOTH,
    ),
    Measure(
        "gap_over_neutral",
        "gap over that by its rates on others",
        "verification gap − the gap that the verifier's accept rates on others' answers would give",
        is_signed=True,
        lacking=_NEUTRAL,
    ),
    Measure(
        "own_gap_difference",
        "gap, own − others'",
        "mean gap of generators that verify themselves − mean gap by the other such verifiers",
        is_signed=True,
        lacking=_OWN,
    ),
    Measure(
        "own_gap_matched",
        "gap, own − others', at equal skill",
        "the same difference of the gap over that by the verifier's rates on others",
        is_signed=True,
        lacking=_OWN,
        caveats=("one errs where one does not know: what is below zero may be shared ignorance",),
    ),
)
VERIFICATION: Mapping[str, Measure] = MappingProxyType({m.name: m for m in _MEASURES})
"""Measures of what verdicts are worth, by name."""
OF_PAIRS = tuple(name for name in VERIFICATION if not name.startswith("own_"))
OF_CELLS = ("own_gap_difference", "own_gap_matched")
OF_VERDICTS = ("false_accept", "false_reject", "error_rate_sum")
DECIDING = ("filter",)
"""Protocols under which a verdict alone decides whether an answer stands."""
GAP_SCHEMA = {
    "cell": pl.String,
    "generator": pl.String,
    "verifier": pl.String,
    "relation": pl.String,
    "n": pl.Int64,
    **{f"{name}{end}": pl.Float64 for name in OF_PAIRS for end in ("", "_low", "_high")},
}
REFLECTION_SCHEMA = {
    "cell": pl.String,
    "round": pl.Int64,
    **{
        f"{name}{end}": pl.Float64
        for name in (*OF_VERDICTS, "gain")
        for end in ("", "_low", "_high")
    },
}


class Pair(NamedTuple):
    """A verifier and a generator in one cell, with the sums by question of what it judged.

    counts: (questions, 6): right, wrong, right and accepted, wrong and accepted, right and
    rejected, wrong and not rejected. neutral: the same of its judgements of others' answers.
    """

    verifier: str
    generator: str
    counts: Array
    neutral: Array


COUNTED = ("right", "wrong", "right_accepted", "wrong_accepted", "right_rejected", "wrong_standing")


def estimate_verification(judged: pl.DataFrame) -> list[Estimate]:
    """Every measure of each pair, "verifier -> generator", and of all judgements of each cell.

    judged: as `build_judgements` makes them; failed calls are left out.
    """
    num = count_questions(judged)
    found: list[Estimate] = []
    for (cell,), rows in split_groups(_count_judged(judged), "cell"):
        whole = _sum_counts(rows, num)
        found += _estimate_counts(whole, None, str(cell), None)
        pairs = _list_pairs(rows, num)
        for pair in pairs:
            subject = name_edge(pair.verifier, pair.generator)
            found += _estimate_counts(pair.counts, pair.neutral, str(cell), subject)
            part = rows.filter(critic=pair.verifier, author=pair.generator)
            found += _estimate_weighted(part, num, str(cell), subject)
        found += _compare_own(pairs, str(cell))
    return found


def _count_judged(judged: pl.DataFrame) -> pl.DataFrame:
    """The judgements that came back, with columns of 0 and 1 for `COUNTED`."""
    done = judged.filter(~pl.col("failed"))
    right, wrong = pl.col("right").cast(pl.Float64), (~pl.col("right")).cast(pl.Float64)
    return done.with_columns(
        n_right=right,
        n_wrong=wrong,
        n_right_accepted=right * pl.col("accepted"),
        n_wrong_accepted=wrong * pl.col("accepted"),
        n_right_rejected=right * pl.col("rejected"),
        n_wrong_standing=wrong * (1 - pl.col("rejected")),
    )


def _sum_counts(rows: pl.DataFrame, num: int) -> Array:
    columns = [f"n_{name}" for name in COUNTED]
    found = sum_by_group(rows, [], columns, num)
    if not found:
        return np.zeros((num, len(columns)))
    return np.stack([found[()][column].totals for column in columns], axis=1)


def _list_pairs(rows: pl.DataFrame, num: int) -> list[Pair]:
    """The pairs of one cell. Neutral are a verifier's judgements of third authors: neither its own
    answers nor those of the generator. Where another's are all that it judges, they are neutral.
    """
    sums = {
        (str(critic), str(author)): _sum_counts(part, num)
        for (critic, author), part in split_groups(rows, "critic", "author")
    }
    nothing = np.zeros((num, len(COUNTED)))
    pairs = []
    for (critic, author), counts in sums.items():
        others = {a: c for (v, a), c in sums.items() if v == critic and a != critic}
        third = [c for a, c in others.items() if a != author]
        neutral = counts if critic != author and not third else sum(third, nothing)
        pairs.append(Pair(critic, author, counts, neutral))
    return pairs


def _has_rates(counts: Array) -> bool:
    """Whether right and wrong answers were judged, and some accepted, so that rates are known."""
    total = counts.sum(axis=0)
    return bool(total[0] > 0 and total[1] > 0 and total[2] + total[3] > 0)


def take_gap(totals: Array) -> Array:
    """J of the accepted answers minus J of all, from totals of `COUNTED` (..., 6)."""
    kept = divide(totals[..., 2], totals[..., 2] + totals[..., 3])
    return np.asarray(kept - divide(totals[..., 0], totals[..., 0] + totals[..., 1]))


def take_expected_gap(totals: Array, neutral: Array) -> Array:
    """The gap of a verifier with the accept rates that it has on neutral text."""
    share = divide(totals[..., 0], totals[..., 0] + totals[..., 1])
    kept_right = share * divide(neutral[..., 2], neutral[..., 0])
    kept_wrong = (1 - share) * divide(neutral[..., 3], neutral[..., 1])
    return np.asarray(divide(kept_right, kept_right + kept_wrong) - share)


def _take_relative(totals: Array) -> Array:
    left = divide(totals[..., 3], totals[..., 2] + totals[..., 3])  # errors among those accepted
    return np.asarray(1 - divide(left, divide(totals[..., 1], totals[..., 0] + totals[..., 1])))


def _take_rest(totals: Array) -> Array:
    """The gap over the expected one; totals of `COUNTED`, then of the same on neutral text."""
    own, neutral = totals[..., :6], totals[..., 6:]
    return np.asarray(take_gap(own) - take_expected_gap(own, neutral))


def _take_error_sum(totals: Array) -> Array:
    standing, rejected = (
        divide(totals[..., 5], totals[..., 1]),
        divide(totals[..., 4], totals[..., 0]),
    )
    return np.asarray(standing + rejected)


def _estimate_counts(
    counts: Array, neutral: Array | None, cell: str, subject: str | None
) -> Iterator[Estimate]:
    """The measures that follow from counts by question."""
    total = counts.sum(axis=0)
    right, wrong, kept = total[0], total[1], total[2] + total[3]
    place = {"cell": cell, "subject": subject}
    yield _estimate("generator_accuracy", _share(counts[:, 0], counts[:, :2].sum(1)), **place)
    yield _estimate("verified_accuracy", _share(counts[:, 2], counts[:, 2:4].sum(1)), **place)
    yield _estimate("false_accept", _share(counts[:, 5], counts[:, 1]), **place)
    yield _estimate("false_reject", _share(counts[:, 4], counts[:, 0]), **place)
    gap = _smooth(counts, take_gap, ok=kept > 0)
    yield _estimate("verification_gap", gap, **place)
    relative = _smooth(counts, _take_relative, ok=kept > 0 and wrong > 0)
    yield _estimate("relative_verification_gap", relative, **place)
    yield _estimate(
        "error_rate_sum", _smooth(counts, _take_error_sum, ok=right > 0 and wrong > 0), **place
    )
    if neutral is not None:
        both = np.concatenate([counts, neutral], axis=1)
        known = kept > 0 and _has_rates(neutral) and neutral is not counts
        yield _estimate("gap_over_neutral", _smooth(both, _take_rest, ok=known), **place)


def _share(totals: Array, counts: Array) -> Quantity | None:
    if not counts.sum():
        return None
    return Quantity(
        sums=np.stack([totals, counts], axis=1),
        of=lambda sums: divide(sums[..., 0], sums[..., -1]),
        n=int(counts.sum()),
        kind="proportion",
        limits=UNIT,
    )


def _smooth(sums: Array, of: Callable[[Array], Array], *, ok: bool) -> Quantity | None:
    return Quantity(sums=sums, of=of, n=int(sums[:, :2].sum()), kind="smooth") if ok else None


def _estimate(name: str, found: Quantity | None, **place: str | None) -> Estimate:
    measure = VERIFICATION[name]
    return make_estimate(measure, found or Unavailable(measure.lacking), **place)


def _estimate_weighted(rows: pl.DataFrame, num: int, cell: str, subject: str) -> Iterator[Estimate]:
    """The gap by P(True), and the one within questions."""
    told = rows.filter(pl.col("p_true").is_not_null())
    weighted = told.select(
        "question_code",
        right=pl.col("n_right"),
        all=pl.lit(1.0),
        kept_right=pl.col("p_true") * pl.col("n_right"),
        kept=pl.col("p_true"),
    )
    columns = ["right", "all", "kept_right", "kept"]
    sums = sum_by_group(weighted, [], columns, num)
    found = None
    if sums:
        table = np.stack([sums[()][column].totals for column in columns], axis=1)
        found = Quantity(sums=table, of=_take_weighted_gap, n=told.height, kind="smooth")
    place = {"cell": cell, "subject": subject}
    yield _estimate("verification_gap_p_true", found, **place)
    changes = compute_within_gaps(rows)
    within = sum_by_question(changes, "change", num)
    made = within.quantity("mean", limits=(-1.0, 1.0)) if within.n else None
    yield _estimate("verification_gap_within", made, **place)


def _take_weighted_gap(totals: Array) -> Array:
    kept = divide(totals[..., 2], totals[..., 3])
    return np.asarray(kept - divide(totals[..., 0], totals[..., 1]))


def compute_within_gaps(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each question with several judged answers: J of the accepted ones, or of all where none
    is, minus J of all. Columns: question, question_code, change.
    """
    kept = pl.col("n_right_accepted").sum() + pl.col("n_wrong_accepted").sum()
    by_question = rows.group_by("question", "question_code").agg(
        n=pl.len(), kept=kept, right=pl.col("n_right_accepted").sum(), all=pl.col("n_right").mean()
    )
    several = by_question.filter(pl.col("n") > 1)
    after = pl.when(pl.col("kept") > 0).then(pl.col("right") / pl.col("kept")).otherwise("all")
    return several.select("question", "question_code", change=after - pl.col("all"))


def _compare_own(pairs: Sequence[Pair], cell: str) -> Iterator[Estimate]:
    """The mean gap on the diagonal minus that off it, plain and at equal skill."""
    own = {pair.generator for pair in pairs if pair.verifier == pair.generator}
    if not own:
        return
    used = [
        pair
        for pair in pairs
        if {pair.verifier, pair.generator} <= own and pair.counts[:, 2:4].sum() > 0
    ]
    for name, of in zip(OF_CELLS, (take_gap, _take_rest), strict=True):
        known = [pair for pair in used if of is take_gap or _has_rates(pair.neutral)]
        yield _estimate(name, _compare_pairs(known, of), cell=cell)


def _compare_pairs(pairs: Sequence[Pair], of: Callable[[Array], Array]) -> Quantity | None:
    is_own = np.array([pair.verifier == pair.generator for pair in pairs])
    if not is_own.any() or is_own.all():
        return None
    weights = np.where(is_own, 1 / is_own.sum(), -1 / (~is_own).sum())
    width = 2 * len(COUNTED)

    def compare(totals: Array) -> Array:
        parts = totals.reshape(*totals.shape[:-1], len(pairs), width)
        each = of(parts) if of is _take_rest else of(parts[..., : len(COUNTED)])
        return np.asarray(each @ weights)

    sums = np.concatenate([side for pair in pairs for side in (pair.counts, pair.neutral)], axis=1)
    num = int(sum(pair.counts[:, :2].sum() for pair in pairs))
    return Quantity(sums=sums, of=compare, n=num, kind="smooth")


def tabulate_gaps(
    estimates: Iterable[Estimate], past: Collection[tuple[str, str]] = ()
) -> pl.DataFrame:
    """A row for each cell, generator and verifier: every measure of a pair with its interval.

    relation: own, past (the verifier is a past version of the generator) or other; n: answers.
    """
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for e in estimates:
        verifier, arrow, generator = (e.subject or "").partition(" -> ")
        if not arrow or e.name not in OF_PAIRS:
            continue
        row = rows.setdefault(
            (e.cell or "", e.subject or ""),
            {
                "cell": e.cell,
                "generator": generator,
                "verifier": verifier,
                "relation": tell_relation(verifier, generator, past),
            },
        )
        row |= {e.name: e.value, f"{e.name}_low": e.low, f"{e.name}_high": e.high}
        if e.name == "generator_accuracy":
            row["n"] = e.n
    table = pl.DataFrame(list(rows.values()), schema=GAP_SCHEMA)
    return table.sort("cell", "generator", "verifier")


def tell_relation(verifier: str, generator: str, past: Collection[tuple[str, str]]) -> str:
    """Return whose answers a verifier judges: its own, those of what it is a past version of, or
    another's.

    >>> tell_relation("early", "late", {("early", "late")})
    'past'
    """
    if verifier == generator:
        return "own"
    return "past" if (verifier, generator) in past else "other"


def tabulate_reflection(
    estimates: Iterable[Estimate], protocols: Mapping[str, str]
) -> pl.DataFrame:
    """A row for each cell in which verdicts decide what stands: the verdicts' error rates on the
    openings, and `gain`, the change of accuracy since, after the last round.

    protocols: cell -> the name of its protocol.
    """
    rates: dict[str, dict[str, Estimate]] = {}
    gains: dict[str, list[Estimate]] = {}
    for e in estimates:
        if e.subject is not None or e.cell is None or protocols.get(e.cell) not in DECIDING:
            continue
        if e.name in OF_VERDICTS:
            rates.setdefault(e.cell, {})[e.name] = e
        elif e.name == "accuracy_change":
            gains.setdefault(e.cell, []).append(e)
    rows: list[dict[str, object]] = []
    for cell in sorted(rates.keys() & gains.keys()):
        last = max(gains[cell], key=lambda e: e.round or 0)
        row: dict[str, object] = {"cell": cell, "round": last.round}
        for name, e in {**rates[cell], "gain": last}.items():
            row |= {name: e.value, f"{name}_low": e.low, f"{name}_high": e.high}
        rows.append(row)
    return pl.DataFrame(rows, schema=REFLECTION_SCHEMA)
