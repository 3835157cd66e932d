"""What a run was made with, what differs, and what must not be told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec

from debate.config.secrets import redact
from debate.log.identity import diff_fields, format_clauses
from debate.log.manifest import detect_hardware, get_package_versions, read_git_state


def git(directory: Path, *command: str) -> None:
    name = ("-c", "user.name=n", "-c", "user.email=e@localhost")
    subprocess.run(["git", "-C", directory, *name, *command], check=True, capture_output=True)


def test_a_checkout_is_clean_until_a_file_differs(tmp_path: Path) -> None:
    assert read_git_state(tmp_path) is None
    git(tmp_path, "init")
    assert read_git_state(tmp_path) is None  # nothing is committed
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "one")
    state = read_git_state(tmp_path)
    assert state is not None
    assert (len(state.commit), state.dirty) == (40, False)
    (tmp_path / "file").write_text("2")
    changed = read_git_state(tmp_path)
    assert changed is not None
    assert (changed.commit, changed.dirty) == (state.commit, True)


def test_hardware_and_versions_are_known() -> None:
    assert detect_hardware().cpus >= 1
    assert get_package_versions()["msgspec"] == msgspec.__version__


def test_differences_reach_into_lists_and_mappings() -> None:
    old = {"a": [1, {"b": 2}], "gone": None, "same": {"x": [1]}}
    new = {"a": [1, {"b": 3}, 4], "same": {"x": [1]}, "come": "é"}
    assert diff_fields(old, new) == [
        "a.1.b: 2 → 3",
        "a.2: (absent) → 4",
        "gone: null → (absent)",
        'come: (absent) → "é"',
    ]


def test_what_is_ignored_may_be_nested_but_a_parent_is_not() -> None:
    old = {"models": {"a": {"price": 1, "path": "x"}}}
    assert (
        diff_fields(old, {"models": {"a": {"price": 2, "path": "x"}}}, ignoring=["models.*.price"])
        == []
    )
    assert diff_fields(old, {"models": {}}, ignoring=["models.*.price"]) != []


def test_a_long_list_of_differences_is_cut() -> None:
    clauses = diff_fields({}, {str(n): "x" * 100 for n in range(20)})
    assert format_clauses(clauses).endswith("… and 8 more")
    assert all(len(clause) < 100 for clause in clauses)


def test_what_is_named_like_a_secret_is_hidden_and_nothing_else() -> None:
    spec = {
        "api_key": "s",
        "hf_token": "s",
        "Authorization": "s",
        "password": ["s", "s"],
        "api_key_env": "NAME",
        "max_tokens": 5,
        "answer_key": "a",
        "stop_token": "</s>",
        "token": None,
        "url": "http://host/v1?q=1&api_key=s#f",
    }
    assert redact(spec) == {
        "api_key": "(hidden)",
        "hf_token": "(hidden)",
        "Authorization": "(hidden)",
        "password": ["(hidden)", "(hidden)"],
        "api_key_env": "NAME",
        "max_tokens": 5,
        "answer_key": "a",
        "stop_token": "</s>",
        "token": None,
        "url": "http://host/v1?q=1&api_key=(hidden)#f",
    }
