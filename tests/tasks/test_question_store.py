"""Questions on disk are the questions that were put there."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debate.errors import TaskError
from debate.tasks.question_store import QuestionStore
from debate.types import Question

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
QUESTIONS = st.builds(
    Question,
    id=TEXT,
    text=TEXT,
    kind=st.sampled_from(["number", "choice", "text"]),
    options=st.lists(TEXT, max_size=3).map(tuple),
    category=st.none() | TEXT,
    cluster=st.none() | TEXT,
    target=st.none() | TEXT,
)


@given(st.lists(QUESTIONS, max_size=8), st.data())
def test_what_was_put_there_comes_back(questions: list[Question], data: st.DataObject) -> None:
    store = QuestionStore(questions)
    assert (len(store), list(store), store[1:-1]) == (len(questions), questions, questions[1:-1])
    rows = data.draw(st.permutations(range(len(questions))))[:5]
    store.select(np.array(rows, dtype=np.int64))
    assert list(store) == [questions[row] for row in rows]


def test_there_is_nothing_behind_the_last() -> None:
    store = QuestionStore([Question(id="a", text="1?")])
    assert store[-1] == store[0]
    with pytest.raises(IndexError):
        store[1]


def test_a_folder_without_room_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(TaskError, match=r"no room among .*/gone/.*TMPDIR"):
        QuestionStore([])
