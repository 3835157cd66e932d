"""Readers of logs, manifests and completions survive whatever bytes they are given."""

from __future__ import annotations

import asyncio
import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from debate.config.models import OpenaiModel
from debate.engines.base import Completion, Request, Token
from debate.engines.chat_reply import NoCompletion, parse_chat_completion, read_json
from debate.engines.openai import OpenaiEngine
from debate.engines.rate_limit import parse_retry_after
from debate.engines.validation import validate_completion
from debate.errors import DebateError
from debate.log import Run, RunLog, check_log
from debate.log.codec import CorruptLine, decode_line, encode_line
from debate.runner.verify_run import verify_run
from debate.types import Turn, Usage
from tests.hostile.strategies import nasty_texts
from tests.log.builders import DEBATE, QUESTIONS, SPEC, open_log, turn, turn_lines, verdict, write

BYTES = st.binary(max_size=60) | st.sampled_from(
    [
        b"",
        b"{}",
        b"null",
        b"[" * 9_000,
        b'{"a":' * 9_000,
        b"\xff\xfe",
        b"\x00" * 50,
        b'"\\ud800"',
        b"1e999",
        b"NaN",
        b'{"round": 99999999999999999999}',
        b'{"cell": 1}',
        b"\n\n",
        b"\xef\xbb\xbf{}",
    ]
)


@given(BYTES | st.text().map(lambda text: json.dumps(text).encode()))
def test_any_line_is_a_turn_or_corrupt(line: bytes) -> None:
    try:
        assert isinstance(decode_line(line, Turn), Turn)
    except CorruptLine as error:
        assert str(error)  # noqa: PT017 - it may raise


def paired(text: str) -> str:
    """The text with every two halves of a pair side by side as one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(nasty_texts, nasty_texts, st.floats())
def test_any_turn_comes_back_as_it_was(text: str, question: str, number: float) -> None:
    made = turn(question=question, text=text, started_at=number)
    line = encode_line(made)
    back = decode_line(line, Turn)
    assert line.count(b"\n") == 1
    assert (back.text, back.question) == (paired(text), paired(question))
    assert back.started_at == number or number != number


@given(st.lists(BYTES, min_size=1, max_size=4), st.data())
def test_any_bytes_in_the_files_are_named_and_the_rest_is_kept(
    junk: list[bytes], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory = Path(folder)
        write(directory, [turn("a"), turn("b"), turn("c")], [verdict(0)])
        lines = turn_lines(directory)
        at = data.draw(st.integers(0, 3))
        cut = data.draw(st.integers(0, len(lines[-1])))
        mixed = [*lines[:at], *(each + b"\n" for each in junk), *lines[at:]]
        content = b"".join(mixed)
        (directory / "turns" / "0.jsonl").write_bytes(content[: len(content) - cut])
        check_log(directory)
        verify_run(directory)
        whole = [decode_line(line, Turn) for line in lines if line in content[: len(content) - cut]]
        with open_log(directory) as log:
            assert log.recorded(DEBATE).keys() >= {each.ref for each in whole}
        assert not [p for p in check_log(directory) if "line" in p.what]
        Run(directory).turns()


@given(BYTES)
def test_any_manifest_is_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        directory = Path(folder)
        write(directory, [turn("a")])
        (directory / "manifest.json").write_bytes(content)
        assert check_log(directory)
        assert verify_run(directory).problems
        try:
            RunLog.open(directory, spec=SPEC, questions=QUESTIONS).close()
            Run(directory)
        except DebateError as error:
            assert str(error)  # noqa: PT017 - it may raise


@given(BYTES | nasty_texts.map(lambda t: t.encode(errors="surrogatepass")))
def test_any_bytes_from_an_endpoint_are_a_reply_or_a_refusal(body: bytes) -> None:
    try:
        assert isinstance(parse_chat_completion("1", read_json(body)), Completion)
    except (NoCompletion, ValueError, RecursionError) as error:
        assert str(error)  # noqa: PT017 - it may raise


@given(
    st.text(max_size=30)
    | st.sampled_from(["1" * 400, ".", "٣", "-1", "Mon, 99 Jan 99999 00:00:00 GMT"])
)
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    found = parse_retry_after({"Retry-After": value})
    assert found is None or found >= 0


ANYTHING = (
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=2)
)


@given(
    st.builds(
        Completion,
        id=st.just("1"),
        text=ANYTHING,
        tokens=ANYTHING | st.lists(st.builds(Token, text=st.text(), log_p=st.floats()), max_size=2),
        candidate_log_p=ANYTHING | st.lists(st.floats(), max_size=3),
        finish_reason=st.none() | st.text(),
        usage=ANYTHING | st.builds(Usage, prompt_tokens=ANYTHING, running_s=ANYTHING),
        failure=ANYTHING,
    ),
    st.sampled_from([(), ("a",), ("a", "b")]),
)
def test_any_completion_is_sound_or_a_failure(given: Any, candidates: tuple[str, ...]) -> None:
    found = validate_completion(given, Request(id="1", messages=(), candidates=candidates), "x")
    assert found.id == "1"
    if found.failure is None:
        encode_line(turn(text=found.text if isinstance(found.text, str) else "", usage=found.usage))
        numbers = list(found.candidate_log_p or ()) if candidates else []
        numbers += [token.log_p for token in found.tokens or ()] if not candidates else []
        assert all(number == number and number < float("inf") for number in numbers)


def test_a_reply_of_many_megabytes_is_refused(tmp_path: Path) -> None:
    from aiohttp import web

    from tests.faults.endpoint import serving

    async def endless(request: web.Request, good: bytes) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b" " * 2**20)
        return response

    async def ask(url: str) -> Completion:
        spec = OpenaiModel(engine="openai", model="m", url=url, retries=0, timeout_s=60)
        engine = OpenaiEngine(spec)
        await engine.start()
        try:
            async for completions in engine.complete([Request(id="1", messages=())]):
                return completions[0]
        finally:
            await engine.close()
        raise AssertionError

    with serving() as endpoint:
        endpoint.strike(1.0, (endless,), "x")
        reply = asyncio.run(ask(endpoint.url))
    assert reply.failure is not None
    assert "more than" in reply.failure.message
