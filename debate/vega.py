"""Vega-Lite charts as pictures, drawn by a process of their own.

The library that draws brings a JavaScript engine, which ends its process without a word where
memory is limited. So it is imported nowhere else: what else a command does is done in any case.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

from debate.errors import DrawingError

Format = Literal["svg", "pdf", "png"]

_COMMAND = ("-P", "-c", "from debate.vega import serve; serve()")


class _Drawer:
    """A process that draws one job after the other, as long as it is kept."""

    def __init__(self) -> None:
        self._program, self._owner = sys.executable, os.getpid()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        # what can be imported here can be there, wherever it comes from
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [self._program, *_COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
        )

    def draw(self, job: Mapping[str, Any]) -> list[bytes]:
        """Return the job's pictures. Raises DrawingError where the process ends instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        reply = b""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
            reply = self._process.stdout.readline()
        if reply.endswith(b"\n"):
            return [base64.b64decode(picture) for picture in json.loads(reply)]
        said = self.close()
        how = _explain_end(self._process.returncode, said)
        raise DrawingError(f"pictures cannot be drawn: {how}")

    def close(self) -> bytes:
        """Let the process end, wait until it has, and return what it said to standard error.

        A fork of its owner leaves it alone, and what is closed stays so: both return nothing.
        """
        if self._owner != os.getpid() or self._stderr.closed:
            return b""
        with suppress(BrokenPipeError):
            self._process.communicate()
        self._process.wait()
        with self._stderr:
            self._stderr.seek(0)
            return self._stderr.read()

    def is_usable(self) -> bool:
        """Whether it runs, was started here, and by the program that would be started now."""
        here = (self._program, self._owner) == (sys.executable, os.getpid())
        return here and self._process.poll() is None


class _Keeping(threading.local):
    """Of each thread: whether it keeps the process that draws, and that process."""

    depth = 0
    drawer: _Drawer | None = None


_KEEPING = _Keeping()


@contextmanager
def keep_drawing() -> Iterator[None]:
    """While inside, draw by one process, which takes a second to start."""
    _KEEPING.depth += 1
    try:
        yield
    finally:
        _KEEPING.depth -= 1
        if not _KEEPING.depth and _KEEPING.drawer:
            _KEEPING.drawer.close()
            _KEEPING.drawer = None


def draw_charts(
    charts: Sequence[Mapping[str, Any]], format: Format, *, scale: float = 1.0
) -> list[bytes]:
    """Return each chart, a Vega-Lite specification, as a file of this format.

    scale: pixels of a PNG for each pixel of the chart. Raises DrawingError with the reason.
    """
    if not charts:
        return []
    job = {"charts": charts, "format": format, "scale": scale, "version": _get_version()}
    with keep_drawing():
        if _KEEPING.drawer and not _KEEPING.drawer.is_usable():
            _KEEPING.drawer.close()
            _KEEPING.drawer = None
        try:
            _KEEPING.drawer = _KEEPING.drawer or _Drawer()
        except (OSError, ValueError) as cause:
            why = f"no process for it starts: {cause}"
            raise DrawingError(f"pictures cannot be drawn: {why}") from None
        return _KEEPING.drawer.draw(job)


def serve() -> None:
    """Draw what each line of standard input asks for, in the process that `draw_charts` starts."""
    import vl_convert

    for line in sys.stdin.buffer:
        job = json.loads(line)
        draw = getattr(vl_convert, f"vegalite_to_{job['format']}")
        options = {"scale": job["scale"]} if job["format"] == "png" else {}
        drawn = [draw(chart, vl_version=job["version"], **options) for chart in job["charts"]]
        files = [each.encode() if isinstance(each, str) else each for each in drawn]
        print(json.dumps([base64.b64encode(file).decode() for file in files]), flush=True)


def _get_version() -> str:
    """Return the version of Vega-Lite that draws: the one that altair writes."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _explain_end(code: int, stderr: bytes) -> str:
    """Say how the process ended, and what may help."""
    if code < 0:
        how = f"the process for it was ended by {signal.Signals(-code).name}"
    else:
        said = stderr.decode(errors="replace").strip().splitlines()
        how = f"the process for it failed: {said[-1] if said else f'exit code {code}'}"
    limit = _get_memory_limit()
    if limit is None:
        return how
    return f"{how}; memory is limited to {limit / 1e9:.1f} GB here (ulimit -v): draw without that"


def _get_memory_limit() -> int | None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
