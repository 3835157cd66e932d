"""An endpoint on this machine that says what is written, for whole runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.serving import serve_http


@contextmanager
def saying(*replies: tuple[int, str], asked: list[dict[str, Any]] | None = None) -> Iterator[str]:
    """The address of a server that gives these replies in turn, and the last again and again.

    The bodies of its requests are added to `asked`.
    """
    left = list(replies)
    bodies = [] if asked is None else asked

    class Handler(BaseHTTPRequestHandler):
        """Gives the next reply to whatever is asked."""

        def do_POST(self) -> None:
            """Answer."""
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, text = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serve_http(server) as url:
        yield url


def chat(usage: str = "{}", logprob: str = "-0.5", content: str = '"Answer: 4"') -> tuple[int, str]:
    """A chat completion with these pieces of JSON in it."""
    logprobs = f'{{"content": [{{"token": "Answer: 4", "logprob": {logprob}}}]}}'
    choice = (
        f'{{"message": {{"content": {content}}}, "logprobs": {logprobs}, "finish_reason": "stop"}}'
    )
    return 200, f'{{"choices": [{choice}], "usage": {usage}}}'


def seat(url: str, **model: Any) -> dict[str, Any]:
    """A seat whose model is at this address and is asked twice at most."""
    return {
        "id": "a",
        "model": {"engine": "openai", "url": url, "model": "m", "retries": 0} | model,
    }
