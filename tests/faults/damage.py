"""Ways to damage a sound run, each with what the checker must say of it.

    python -m tests.faults.damage

prints the table.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from debate.runner.verify_run import verify_run
from tests.faults.damaging import (
    Damage,
    again,
    change,
    drop,
    is_turn,
    is_verdict,
    lose_debate,
    manifest,
    other_checksum,
    rows,
    spoil,
    swap,
    write,
)
from tests.faults.driver import undisturbed

CONFIG: dict[str, Any] = {
    "agents": [{"id": name, "model": {"engine": "simulated", "competence": 0.6}} for name in "abc"],
    "topology": "ring",
    "task": {"generator": "arithmetic", "n": 3},
    "rounds": 2,
    "probes": ["belief"],
    "protocol": "critique",
    "cells": {"talk": {"protocol": "exchange"}, "review": {}},
}
OTHER_TEXT = "Answer: 12345\nConfidence: 50%"
DAMAGES: dict[str, Damage] = {
    "a torn last line": Damage(
        lambda d: (d / "turns/0.jsonl").open("ab").write(b'{"cell":"talk"'),
        r"turns/0\.jsonl:\d+: torn last line",
    ),
    "a corrupted line": spoil("turns/0.jsonl", 5)._replace(
        named=r"turns/0\.jsonl:6: corrupted line"
    ),
    "a corrupted verdict": spoil("verdicts/0.jsonl", 2)._replace(
        named=r"verdicts/0\.jsonl:3: corrupted line"
    ),
    "one letter of a text changed": swap("turns/0.jsonl", b'"Answer: ', b'"answer: ')._replace(
        named=r"turns/0\.jsonl:1: corrupted line \(it differs from its checksum\)"
    ),
    "one digit of a time changed": swap("turns/0.jsonl", b'_at":1', b'_at":2')._replace(
        named=r"turns/0\.jsonl:1: corrupted line \(it differs from its checksum\)"
    ),
    "one digit of a checksum changed": Damage(
        lambda d: other_checksum(d / "verdicts/0.jsonl"),
        r"verdicts/0\.jsonl:1: corrupted line \(it differs from its checksum\)",
    ),
    "a turn twice": again(is_turn("opening", 0))._replace(named=r"its key is recorded again"),
    "the last round's turn lost": drop(is_turn("revision", 2))._replace(
        named=r"2:revision:a: is missing, though the debate is over"
    ),
    "a probe lost": drop(is_turn("probe", 1))._replace(
        named=r"1:probe:a:belief: is missing, though the debate is over"
    ),
    "a debate lost": Damage(lose_debate, r"no turn, though complete"),
    "heard whom the topology does not send": change(
        is_turn("revision", 1), heard=["0:opening:b"]
    )._replace(named=r"1:revision:a: heard is \(0:opening:b\), but it should be \(0:opening:c\)"),
    "heard nobody": change(is_turn("revision", 2), heard=[])._replace(
        named=r"2:revision:a: heard is \(\), but it should be \(1:revision:c\)"
    ),
    "heard from the future": change(is_turn("revision", 1), heard=["2:revision:c"])._replace(
        named=r"heard 2:revision:c, which is from a later round"
    ),
    "another text": change(is_turn("revision", 1), text=OTHER_TEXT)._replace(
        named=r"1:revision:a: answer is Answer\(.*but its text says Answer\(value='12345'"
    ),
    "another answer": change(
        is_turn("opening", 0), answer={"value": "12345", "matched": []}, correct=False
    )._replace(named=r"0:opening:a: answer is Answer\(value='12345'"),
    "scored otherwise": Damage(
        lambda d: write(
            d,
            [r | {"correct": not r["correct"]} if is_turn("opening", 0)(r) else r for r in rows(d)],
        ),
        r"0:opening:a: correct is (True|False), but its answer is scored (True|False)",
    ),
    "another prompt": change(is_turn("opening", 0), prompt_hash="0" * 32)._replace(
        named=r"0:opening:a: its prompt, by its hash, is not what the debate before it makes"
    ),
    "another model": change(is_turn("opening", 0), model="b")._replace(
        named=r"0:opening:a: model is 'b', but it should be 'a'"
    ),
    "a model that is none": change(is_turn("opening", 0), model="nobody")._replace(
        named=r"0:opening:a: model is 'nobody', but it should be 'a'"
    ),
    "a turn too many": again(is_turn("revision", 2), round=3, heard=[])._replace(
        named=r"3:revision:a: the debate never comes to this turn"
    ),
    "a turn of no seat": again(is_turn("revision", 2), agent="z")._replace(
        named=r'agent "z" is not among the manifest\'s agents'
    ),
    "a cell that is none": again(is_turn("opening", 0), cell="other")._replace(
        named=r'the configuration has no cell "other"'
    ),
    "a verdict falsified": change(is_verdict(1), "verdicts", value="12345")._replace(
        named=r"majority verdict on round 1: value is '12345', but the turns make it"
    ),
    "a tally falsified": change(is_verdict(0), "verdicts", tally={"1": 9.0})._replace(
        named=r"majority verdict on round 0: tally is \{'1': 9\.0\}, but the turns make it"
    ),
    "a verdict lost": drop(is_verdict(1), "verdicts")._replace(
        named=r"majority verdict on round 1: is missing, though the debate is over"
    ),
    "tokens that do not add up": change(
        is_turn("opening", 0), usage={"generated_tokens": 999}
    )._replace(named=r"totals\.generated_tokens is \d+, but the log adds up to \d+"),
    "seeds that are not the spec's": manifest(seeds=[0, 7])._replace(
        named=r"manifest\.json: seeds are \[0, 7\], but the spec says \[0\]"
    ),
    "agents that are not the spec's": manifest(agents=["a", "b"])._replace(
        named=r"manifest\.json: agents are \['a', 'b'\], but the spec seats \['a', 'b', 'c'\]"
    ),
    "a manifest cut short": Damage(
        lambda d: (d / "manifest.json").write_text('{"format_version": 1'),
        r"manifest\.json: .* cannot be read as a manifest",
    ),
    "questions lost": Damage(
        lambda d: (d / "questions.jsonl").unlink(), r"questions\.jsonl: .*No such file"
    ),
}


def said_of(directory: Path) -> str:
    """What the checker says, a line each."""
    return "\n".join(map(str, verify_run(directory).problems))


def table() -> Iterator[tuple[str, str, bool]]:
    """Each damage, the problem that names it, and whether it was named."""
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound"
        undisturbed(CONFIG, sound)
        yield "none", said_of(sound) or "no problem found", not said_of(sound)
        for number, (what, damage) in enumerate(DAMAGES.items()):
            copy = copied(sound, Path(folder) / str(number))
            damage.do(copy)
            said = said_of(copy)
            line = next((s for s in said.splitlines() if re.search(damage.named, s)), "")
            yield what, line or said, bool(line)


def copied(sound: Path, to: Path) -> Path:
    """A copy to be damaged."""
    import shutil

    shutil.copytree(sound, to)
    return to


def main() -> int:
    print("| damage | what is said of it |\n| --- | --- |")
    all_named = True
    for what, line, was_named in table():
        all_named &= was_named
        print(f"| {what} | {'' if was_named else 'NOT NAMED: '}{line[:200]} |")
    return 0 if all_named else 1


if __name__ == "__main__":
    sys.exit(main())
