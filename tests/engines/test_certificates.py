"""A server whose certificate is not to be trusted is told in a line, and nothing is sent to it."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.processes import invoke
from tests.runner.speaker import seat
from tests.serving import serve_app
from tests.support import write_questions

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes keys by openssl")
KEY = "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"
REPLY = {"choices": [{"message": {"content": "Answer: 4"}, "finish_reason": "stop"}]}


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a server of this name that is signed by itself, and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    words = ("-subj", "/CN=test", "-addext", f"subjectAltName={name}", "-days", "30", "-nodes")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", *KEY, *words, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


@contextmanager
def serving(certificate: Path, key: Path, asked: list[bytes]) -> Iterator[int]:
    """An endpoint behind TLS on a free port, which keeps what it is asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.read())
        return web.json_response(REPLY)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    with serve_app(runner, tls=context) as port:
        yield port


@pytest.mark.parametrize(
    ("name", "is_trusted", "told"),
    [
        ("IP:127.0.0.1", False, "not trusted (self-signed certificate); name the file of its"),
        ("IP:127.0.0.2", True, "not trusted (IP address mismatch, certificate is not valid for"),
        ("IP:127.0.0.1", True, None),
    ],
)
def test_a_certificate_is_checked_before_anything_is_sent(
    tmp_path: Path, name: str, is_trusted: bool, told: str | None
) -> None:
    certificate, key = make_certificate(tmp_path, name)
    asked: list[bytes] = []
    with serving(certificate, key, asked) as port:
        fields = {"ca_file": str(certificate)} if is_trusted else {}
        agent = seat(f"https://127.0.0.1:{port}/v1", retries=5, **fields)
        config = {"agents": [agent], "topology": "isolated", "rounds": 0}
        path = tmp_path / "run.yaml"
        path.write_text(json.dumps(config | {"task": write_questions(tmp_path, 1)}))
        done = invoke(
            "run", str(path), "--out", str(tmp_path / "out"), "--no-report", COLUMNS="300"
        )
    if told is None:
        assert (done.returncode, len(asked)) == (0, 2)
        return
    assert (done.returncode, asked) == (2, [])
    (line,) = [line for line in done.stderr.splitlines() if "certificate" in line]
    assert told in line
    assert ("ca_file" in line) == (not is_trusted)
    assert not (tmp_path / "out").exists()
