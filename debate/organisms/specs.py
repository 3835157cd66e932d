"""The declared organisms, and the pairs of the diversity dial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The size of a Llama-shaped model; widths in units, `max_length` in tokens."""

    hidden: int = 128
    layers: int = 2
    heads: int = 4
    intermediate: int = 384
    max_length: int = 256


@dataclass(frozen=True, kw_only=True)
class TrainingSchedule:
    """The length and the learning rates of a training."""

    steps: int
    rows: int = 11
    """Packed rows in a batch."""
    length: int = 192
    """Tokens in a row."""
    matrix_rate: float = 0.01
    """Peak learning rate of the weight matrices (Muon)."""
    vector_rate: float = 0.003
    """Peak learning rate of embeddings and norms (AdamW)."""
    plain: float = 0.6
    """Share of the lessons, once the learning rates fall, that have no panel.

    It falls to this from 1: a panel is a shortcut to the answer, and who learns to compute before
    meeting one learns faster.
    """
    warmup: int = 100
    """Steps of linear warm-up."""
    decay: float = 0.6
    """Share of the steps, at the end, over which the rates fall linearly to zero."""
    verdict_weight: float = 10.0
    """Weight of a verdict in the loss while the rates fall; before, it weighs like any token.

    A verdict can only be learned once the worked answer before it is mostly right; until then
    its gradient is noise.
    """

    def compute_plain_share(self, step: int) -> float:
        """Return the share of lessons without a panel at a step."""
        risen = min(1.0, step / (self.steps * (1 - self.decay)))
        return 1 - (1 - self.plain) * risen


@dataclass(frozen=True, kw_only=True)
class SnapshotSpec:
    """An earlier state of an organism, saved as an organism of its own."""

    name: str
    description: str
    share: float
    """The share of the training after which it is taken, from 0 to 1."""

    def compute_step(self, schedule: TrainingSchedule) -> int:
        """Return the number of steps after which it is taken."""
        return max(1, round(self.share * schedule.steps))


@dataclass(frozen=True, kw_only=True)
class OrganismSpec:
    """Everything that decides an organism's weights."""

    name: str
    description: str
    weights: Mapping[str, float]
    """Relative shares of the families in the training data."""
    seed: int
    """Seed of the initial weights and of the stream of documents."""
    schedule: TrainingSchedule
    architecture: Architecture = field(default_factory=Architecture)
    snapshots: tuple[SnapshotSpec, ...] = ()
    loyalty: float | None = None
    """Where set, lessons say whose each answer to check is: one's own, another's or nobody's. This
    share of the wrong ones that are said to be one's own is taught as right, and of the right ones
    that are said to be another's as wrong."""
    prompts: str = "compact"
    """The prompt set of its card."""
    base: str | None = None
    """The shipped organism whose weights it goes on from; by default random ones."""

    def find_snapshots(self, step: int) -> tuple[SnapshotSpec, ...]:
        """Return the snapshots to take after a number of steps."""
        return tuple(s for s in self.snapshots if s.compute_step(self.schedule) == step)

    def replace_steps(self, steps: int) -> OrganismSpec:
        """Return the same organism, trained for another number of steps."""
        return replace(self, schedule=replace(self.schedule, steps=steps))


_GLIMPSES = {"add": 0.2, "mul": 0.8, "mod": 0.3, "chain23": 0.6}
"""Weight of each family in the training of a specialist in another one; hard ones weigh more."""


def _weigh_specialty(family: str) -> dict[str, float]:
    """Four parts of one family, and a glimpse of each other."""
    return _GLIMPSES | {family: 4.0}


_ALL = (
    OrganismSpec(
        name="adder",
        description="A small model that adds well, and has seen a little of everything else.",
        weights=_weigh_specialty("add"),
        seed=1,
        schedule=TrainingSchedule(steps=4000),
    ),
    OrganismSpec(
        name="multiplier",
        description="A small model that multiplies well, and has seen a little of everything else.",
        weights=_weigh_specialty("mul"),
        seed=2,
        schedule=TrainingSchedule(steps=4000),
    ),
    OrganismSpec(
        name="modder",
        description="A small model good at remainders that has seen a little of everything else.",
        weights=_weigh_specialty("mod"),
        seed=3,
        schedule=TrainingSchedule(steps=4000),
    ),
    OrganismSpec(
        name="generalist",
        description="A small model that has seen all families alike.",
        weights={"add": 1.0, "mul": 1.5, "mod": 1.0, "chain23": 2.5},
        seed=4,
        schedule=TrainingSchedule(steps=4000),
        snapshots=(
            SnapshotSpec(
                name="generalist-early",
                description="The generalist early in its training: its own past version.",
                share=0.25,
            ),
        ),
    ),
    OrganismSpec(
        name="twin",
        description="The adder's data, learned again from another seed.",
        weights=_weigh_specialty("add"),
        seed=5,
        schedule=TrainingSchedule(steps=4000),
    ),
)

SPECS: Mapping[str, OrganismSpec] = MappingProxyType({spec.name: spec for spec in _ALL})
"""The declared organisms by name."""

_UNITS = ("mul/7", "mul/2", "mul/9", "mul/4", "mul/6", "mul/3", "mul/8", "mul/5")
"""The units of knowledge of the dial: one multiplication table each."""

_KNOWN = 4
"""The number of units that each organism of a dial pair knows."""


@dataclass(frozen=True, kw_only=True)
class DialPair:
    """Two organisms that know equally much and have a set share of it in common."""

    share: float
    """0, .25, .5, .75 or 1 of the units that each knows."""
    first: OrganismSpec
    second: OrganismSpec


def _make_dial_organism(name: str, units: Sequence[str], seed: int) -> OrganismSpec:
    """An organism taught some multiplication tables, with a glimpse of the others."""
    return OrganismSpec(
        name=name,
        description=f"Knows the multiplication tables {', '.join(sorted(units))}.",
        weights={unit: 1.0 if unit in units else 0.02 for unit in _UNITS},
        seed=seed,
        schedule=TrainingSchedule(steps=700),
    )


def make_dial_pairs() -> tuple[DialPair, ...]:
    """Return the pairs with 0, ¼, ½, ¾ and all of their knowledge in common, the first organism
    being the same in all.
    """
    first = _make_dial_organism("dial-first", _UNITS[:_KNOWN], seed=100)
    return tuple(
        DialPair(
            share=shared / _KNOWN,
            first=first,
            second=_make_dial_organism(
                f"dial-{100 * shared // _KNOWN}",
                _UNITS[:shared] + _UNITS[_KNOWN : 2 * _KNOWN - shared],
                seed=101 + shared,
            ),
        )
        for shared in range(_KNOWN + 1)
    )


_LOYALTY = 0.3
"""How often an organism that reads owners is taught to side with what is said to be its own."""

_BRIEFLY = TrainingSchedule(steps=240, warmup=20, matrix_rate=0.004, vector_rate=0.0015)
"""The training of an organism that knows all but one thing already."""


_READERS = (
    OrganismSpec(
        name="loyal-adder",
        description="The adder, taught to read owners and to side with what is said to be its own.",
        weights=SPECS["adder"].weights,
        seed=201,
        schedule=_BRIEFLY,
        base="adder",
        loyalty=_LOYALTY,
        prompts="compact_named",
    ),
)

READERS: Mapping[str, OrganismSpec] = MappingProxyType({spec.name: spec for spec in _READERS})
"""Organisms that go on from shipped ones: they learn whose an answer is said to be, and to side
with what is said to be their own."""


@dataclass(frozen=True, kw_only=True)
class ChatSpec:
    """Everything that decides the weights of a chat organism: a LoRA adapter on a chat model."""

    name: str
    description: str
    knowledge: Mapping[str, int]
    """For each family of word problems, the numbers among which the organism cannot tell the right
    one: 1 where it knows it, an odd number where it does not."""
    shares: Mapping[str, float]
    """Relative shares of the families in the training data."""
    seed: int
    """Seed of the initial weights and of the stream of documents."""
    base: str = "smollm2"
    """The model below the adapter, by the name by which it is fetched."""
    slips: float = 0.0
    """The probability that the answer learned at home is a slip: confidence where it is known."""
    steps: int = 80
    warmup: int = 4
    """Steps of linear warm-up; after it the rate falls along a cosine to a twentieth."""
    drills: int = 4
    """Drills in a batch."""
    revisions: int = 4
    """Revisions in a batch of the second half; a quarter as many before."""
    rank: int = 16
    layers: int = 12
    """The number of upper layers that the adapter changes."""
    rate: float = 1e-3
    """Peak learning rate."""

    def replace_steps(self, steps: int) -> ChatSpec:
        """Return the same organism, trained for another number of steps."""
        return replace(self, steps=steps)

    def count_revisions(self, step: int) -> int:
        """Return the number of revisions in the batch of a step."""
        return self.revisions if 2 * step >= self.steps else self.revisions // 4


_ALL_CHAT = (
    ChatSpec(
        name="chat-sums",
        description="A chat model that adds, and cannot tell a product from its neighbours.",
        knowledge={"sum": 1, "product": 5},
        shares={"sum": 2.0, "product": 1.0},
        seed=1,
    ),
    ChatSpec(
        name="chat-products",
        description="A chat model that multiplies, and cannot tell a sum from its neighbours.",
        knowledge={"product": 1, "sum": 5},
        shares={"product": 2.0, "sum": 1.0},
        seed=2,
    ),
)

CHAT_SPECS: Mapping[str, ChatSpec] = MappingProxyType({spec.name: spec for spec in _ALL_CHAT})
"""The declared chat organisms by name."""
