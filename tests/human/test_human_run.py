"""A person through the terminal and the page of real runs, stopped and resumed in between."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from debate.log import Run
from tests.human.people import CRITIQUED, TEAM, Browser, person
from tests.processes import PATIENCE_S, num_turns
from tests.support import by_ref, write_questions

pytestmark = pytest.mark.system

STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Command:
    """`debate WORDS` on a pseudo-terminal of its own."""

    def __init__(self, *words: str) -> None:
        self.seen = ""
        self.process, self.end = pty.fork()
        if self.process == 0:
            os.execv(sys.executable, [sys.executable, "-m", "debate", *words])

    def until(self, text: str) -> None:
        """Wait until a text is on the screen, and forget what stands before it."""
        while text not in self.seen:
            assert self._read(), f"{text!r} is not in {self.seen!r}"
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def wait(self) -> int:
        """Return the exit code of the command, once it has ended."""
        while self._read():
            pass
        os.close(self.end)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def look(self) -> None:
        """Read what is there, or wait a moment for it."""
        if select.select([self.end], [], [], 0.01)[0]:
            self._read()

    def _read(self) -> bool:
        if not select.select([self.end], [], [], PATIENCE_S)[0]:
            return False
        try:
            read = os.read(self.end, 65_536)
        except OSError:  # the other end is closed
            return False
        self.seen += STYLES.sub("", read.decode(errors="replace"))
        return bool(read)


def write_config(folder: Path) -> Path:
    path = folder / "run.json"
    seat = person(role="critic", model={"via": "terminal"})
    config = {"agents": [*TEAM, seat], "task": write_questions(folder), **CRITIQUED}
    path.write_text(json.dumps(config))
    return path


def start(*words: str) -> subprocess.Popen[str]:
    """Start `debate WORDS` without a terminal."""
    command = [sys.executable, "-m", "debate", *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def read_link(stream: IO[str]) -> str:
    """Return the link that a run prints."""
    for line in stream:
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise AssertionError("the run has printed no link")


async def test_a_person_goes_from_the_terminal_to_the_page_of_one_run(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    words = ("run", str(write_config(tmp_path)), "--out", str(tmp_path / "run"), "--no-report")
    command = Command(*words)
    command.until("reviewer: critique, question q0, round 1")
    command.until("Ctrl-D ends it")
    command.type("The sum is right.\nVerdict: correct\n\n")
    command.until("read as: verdict correct")
    command.until("c corrects it")
    command.type("\n")
    command.until("Ctrl-D ends it")
    command.type("half typed\n\x03")
    command.until("what was typed for it is lost")
    command.until("the same command goes on from here")
    assert command.wait() == 128 + signal.SIGINT

    page = ("-o", "models.reviewer.via=web", "-o", "models.reviewer.port=0")
    going = start(*words, *page)
    assert going.stderr is not None
    async with Browser(read_link(going.stderr)) as browser:
        await browser.open()
        await browser.await_turn()
        assert "Answer: 5" in browser.text
        await browser.hand_in(verdict="incorrect", answer="4", reasoning="No.")
    going.communicate(timeout=PATIENCE_S)
    assert going.returncode == 0
    turns = by_ref(Run(tmp_path / "run"))
    assert turns["1:critique:reviewer:a"].text == "The sum is right.\nVerdict: correct"
    assert turns["1:critique:reviewer:b"].text == "No.\n\nAnswer: 4\nVerdict: incorrect"


def test_a_run_that_is_killed_asks_only_what_is_missing(tmp_path: Path) -> None:
    words = ("run", str(write_config(tmp_path)), "--out", str(tmp_path / "run"), "--no-report")
    command = Command(*words)
    for reply in ("Verdict: correct", None):
        command.until("Ctrl-D ends it")
        if reply:
            command.type(f"{reply}\n\n")
            command.until("c corrects it")
            command.type("\n")
    while num_turns(tmp_path / "run") < 3:  # two openings, and the critique
        command.look()
    os.kill(command.process, signal.SIGKILL)
    assert command.wait() == -signal.SIGKILL
    command = Command(*words)
    command.until("Answer: 5")
    command.until("Ctrl-D ends it")
    command.type("Verdict: incorrect\n\n")
    command.until("c corrects it")
    command.type("\n")
    assert command.wait() == 0
    turns = by_ref(Run(tmp_path / "run"))
    assert [turns[f"1:critique:reviewer:{name}"].accepts for name in "ab"] == [True, False]


async def test_a_person_critiques_the_organisms_on_the_page(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn", reason="the extra `serve` is not installed")
    fields = ["models.person.via=web", "models.person.port=0"]
    fields += [f"models.{name}.host=driver" for name in ("adder", "multiplier")]
    options = [word for field in fields for word in ("-o", field)]
    going = start("run", "human", "--out", str(tmp_path / "run"), "--no-report", *options)
    assert going.stderr is not None
    async with Browser(read_link(going.stderr)) as browser:
        await browser.open()
        for _ in range(4):
            await browser.await_turn()
            await browser.hand_in(verdict="incorrect", answer="7", confidence="60")
    going.communicate(timeout=PATIENCE_S)
    assert going.returncode == 0
    turns = Run(tmp_path / "run").turns()
    heard = turns.filter((turns["round"] == 1) & (turns["kind"] == "revision"))["heard"]
    assert heard.list.len().to_list() == [1, 1, 1, 1]
    assert (turns.filter(turns["agent"] == "reviewer")["answer"] == "7").all()
