"""What a run directory holds, key by key, without what depends on the clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from debate.engines.endpoint_session import PACED
from debate.log.codec import decode_line
from debate.types import Turn, Usage, Verdict

Key = tuple[str, str, int, str]


def turn_key(turn: Turn) -> Key:
    """What names a turn in its run."""
    return (turn.cell, turn.question, turn.seed, turn.ref)


def timeless(turn: Turn) -> Turn:
    """The turn without times, waits, and which of two equal calls was made first.

    Of probes that need the same scores the first has the usage.
    """
    usage = replace(turn.usage, queued_s=None, running_s=None)
    if turn.kind == "probe":
        usage = Usage()
    notes = tuple([note for note in turn.notes if note != PACED])
    untimed = replace(turn, started_at=0.0, finished_at=0.0, usage=usage, notes=notes)
    return replace(untimed, shared_with=None)


@dataclass(frozen=True)
class Records:
    """A directory's turns and verdicts; `repeated` counts lines beyond the first of a key."""

    turns: Mapping[Key, Turn]
    verdicts: Mapping[Key, Verdict]
    repeated: int


def read(directory: Path) -> Records:
    """Everything on disk. Raises CorruptLine for a line that is not whole."""
    turns = [decode_line(line, Turn) for line in lines(directory, "turns")]
    verdicts = [decode_line(line, Verdict) for line in lines(directory, "verdicts")]
    decided = {(v.cell, v.question, v.seed, f"{v.round}:{v.method}"): v for v in verdicts}
    times = Counter(map(turn_key, turns))
    repeated = sum(count - 1 for count in times.values()) + len(verdicts) - len(decided)
    return Records({turn_key(turn): timeless(turn) for turn in turns}, decided, repeated)


def lines(directory: Path, folder: str) -> list[bytes]:
    """The lines of all files of a folder."""
    files = sorted((directory / folder).glob("*.jsonl"))
    return [line for path in files for line in path.read_bytes().splitlines(keepends=True)]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a disturbed run ended, against an undisturbed one."""

    lost: int = 0
    extra: int = 0
    duplicated: int = 0
    differing: int = 0
    examples: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether the two are the same."""
        return not (self.lost or self.extra or self.duplicated or self.differing)


def is_same(old: Turn | Verdict, new: Turn | Verdict) -> bool:
    """Whether the two are equal, but for counts of tokens that the new one does not know.

    A reply whose usage is absent or false is as good as any other, so it is not asked for again.
    """
    if isinstance(old, Turn) and isinstance(new, Turn):
        names = [each.name for each in fields(Usage)]
        unknown = {name: None for name in names if getattr(new.usage, name) is None}
        old = replace(old, usage=replace(old.usage, **unknown))
    return old == new


def compare(whole: Records, disturbed: Records) -> Comparison:
    """Turns and verdicts, key by key."""
    lost = extra = differing = 0
    examples: list[str] = []
    for old, new in ((whole.turns, disturbed.turns), (whole.verdicts, disturbed.verdicts)):
        missing, added = [k for k in old if k not in new], [k for k in new if k not in old]
        changed = [k for k in old if k in new and not is_same(old[k], new[k])]
        lost, extra, differing = lost + len(missing), extra + len(added), differing + len(changed)
        examples += [f"lost {key}" for key in missing[:2]]
        examples += [f"extra {key}" for key in added[:2]]
        examples += [f"{old[key]}\n  became {new[key]}" for key in changed[:2]]
    return Comparison(
        lost=lost,
        extra=extra,
        duplicated=disturbed.repeated,
        differing=differing,
        examples=tuple(examples),
    )
