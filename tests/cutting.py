"""An OpenAI-compatible endpoint whose replies end as they are told to, each by its first line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.serving import serve_http


class Ended(tuple[str, str]):
    """A reply's text and why it ended."""

    def __new__(cls, text: str, reason: str = "stop") -> Ended:
        """A reply."""
        return super().__new__(cls, (text, reason))


class _Handler(BaseHTTPRequestHandler):
    """Replies as the server's table says, by model and by how often the prompt has gone on."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one chat completion."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server: Any = self.server
        text, reason = server.replies(body["model"], body["messages"])
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": reason}
        raw = json.dumps({"choices": [choice], "usage": {"completion_tokens": 7}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def endpoint(replies: Mapping[str, Ended | list[Ended]]) -> Iterator[str]:
    """The address of an endpoint that has these replies by model, a list by the user's messages.

    Past the end of a list the last reply is repeated.
    """

    def reply(model: str, messages: list[dict[str, str]]) -> Ended:
        found = replies[model]
        asked = sum(message["role"] == "user" for message in messages) - 1
        return found if isinstance(found, Ended) else found[min(asked, len(found) - 1)]

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.replies = reply
    with serve_http(server) as url:
        yield url


def seat(name: str, url: str, **fields: Any) -> dict[str, Any]:
    """A seat whose model is the endpoint's of the same name, which counts what it was asked."""
    model = {"engine": "openai", "url": url, "model": name, "retries": 0}
    return {"id": name, "model": model, "prompts": "chat_zero", **fields}
