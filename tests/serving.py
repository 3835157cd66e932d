"""Servers on free ports of this machine, each in a thread that ends with the block."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from aiohttp import web


@contextmanager
def serve_app(runner: web.AppRunner, *, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve an aiohttp application; give its port."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), []

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        ports.append(runner.addresses[0][1])
        ready.set()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


@contextmanager
def serve_http(server: ThreadingHTTPServer) -> Iterator[str]:
    """Serve by a server of the standard library; give the URL of its endpoint."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
