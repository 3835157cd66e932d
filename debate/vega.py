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
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from debate.errors import DrawingError

Format = Literal["svg", "pdf", "png"]

_COMMAND = ("-P", "-c", "from debate.vega import serve; serve()")


def draw_charts(
    charts: Sequence[Mapping[str, Any]], format: Format, *, scale: float = 1.0
) -> list[bytes]:
    """Return each chart, a Vega-Lite specification, as a file of this format.

    scale: pixels of a PNG for each pixel of the chart. Raises DrawingError with the reason.
    """
    if not charts:
        return []
    job = {"charts": charts, "format": format, "scale": scale, "version": _get_version()}
    # what can be imported here can be there, wherever it comes from
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            [sys.executable, *_COMMAND],
            input=json.dumps(job).encode(),
            capture_output=True,
            env=environment,
        )
    except (OSError, ValueError) as cause:
        raise DrawingError(f"pictures cannot be drawn: no process for it starts: {cause}") from None
    if done.returncode:
        raise DrawingError(f"pictures cannot be drawn: {_explain_end(done)}")
    return [base64.b64decode(picture) for picture in json.loads(done.stdout)]


def serve() -> None:
    """Draw what standard input asks for, in the process that `draw_charts` starts."""
    import vl_convert

    job = json.load(sys.stdin)
    draw = getattr(vl_convert, f"vegalite_to_{job['format']}")
    options = {"scale": job["scale"]} if job["format"] == "png" else {}
    drawn = [draw(chart, vl_version=job["version"], **options) for chart in job["charts"]]
    files = [each.encode() if isinstance(each, str) else each for each in drawn]
    json.dump([base64.b64encode(file).decode() for file in files], sys.stdout)


def _get_version() -> str:
    """Return the version of Vega-Lite that draws: the one that altair writes."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _explain_end(done: subprocess.CompletedProcess[bytes]) -> str:
    """Say how the process ended, and what may help."""
    if done.returncode < 0:
        how = f"the process for it was ended by {signal.Signals(-done.returncode).name}"
    else:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        how = f"the process for it failed: {said[-1] if said else f'exit code {done.returncode}'}"
    limit = _get_memory_limit()
    if limit is None:
        return how
    return f"{how}; memory is limited to {limit / 1e9:.1f} GB here (ulimit -v): draw without that"


def _get_memory_limit() -> int | None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft
