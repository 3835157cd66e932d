"""What private probes found stands beside the answer that they were about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import run, simulated


def test_beliefs_and_confidences_of_probes_stand_in_the_trajectory(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        [simulated("a"), simulated("b")],
        num_questions=6,
        rounds=2,
        probes=["belief", "verbal", {"name": "consistency", "samples": 4}, "p_true"],
    )
    frame = found.trajectories()
    assert frame.height == 6 * 2 * 3
    for name in ("confidence_belief", "confidence_consistency", "confidence_p_true", "belief_own"):
        assert frame[name].null_count() == 0, name
        assert frame[name].is_between(0, 1).all(), name
    probes = found.turns().filter(kind="probe")
    assert sorted(set(probes["about"])) == ["belief", "consistency", "p_true", "verbal"]
    assert not any("probe" in ref for refs in found.turns()["heard"] for ref in refs)


def test_the_candidates_are_the_same_in_every_round(tmp_path: Path) -> None:
    found = run(tmp_path, [simulated("a"), simulated("b")], rounds=3, probes=["belief"])
    beliefs = found.turns().filter(kind="probe")["belief"].to_list()
    candidates = {tuple(sorted(each["candidate"] for each in belief)) for belief in beliefs}
    assert len(candidates) == 1
    assert "4" in candidates.pop()


def test_a_probe_that_cannot_be_read_leaves_no_constant(tmp_path: Path) -> None:
    from tests.support import scripted

    found = run(
        tmp_path, [scripted("a", "Answer: 4")], topology="isolated", rounds=0, probes=["verbal"]
    )
    assert found.turns().filter(kind="probe")["confidence"].to_list() == [None]
    assert found.trajectories()["confidence"].to_list() == [None]


@pytest.mark.parametrize("samples", [2, 5])
def test_consistency_is_the_smoothed_share_of_samples_that_agree(
    samples: int, tmp_path: Path
) -> None:
    from tests.support import scripted

    probe = {"name": "consistency", "samples": samples}
    found = run(
        tmp_path, [scripted("a", "Answer: 4")], topology="isolated", rounds=0, probes=[probe]
    )
    value = found.trajectories()["confidence_consistency"].item()
    assert value == pytest.approx((samples + 0.5) / (samples + 1))
