"""Servers of one model in processes of their own, each ended with the block that started it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

READY = "Application startup complete"
"""The line by which these servers say that they can be asked."""
START_LIMIT_S = 240.0

LLAMA_PYTHON = os.environ.get("LLAMA_CPP_PYTHON", sys.executable)
"""The Python that has llama-cpp-python's server: by default this one."""


def find_free_port() -> int:
    """Find a port of this machine that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serve(command: Sequence[str], **environment: str) -> Iterator[None]:
    """Run a server from when it can be asked. Its last lines are in the error if it ends before."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    assert process.stdout is not None
    late = threading.Timer(START_LIMIT_S, process.kill)
    late.start()
    lines: deque[str] = deque(maxlen=30)
    for line in process.stdout:
        lines.append(line)
        if READY in line:
            break
    late.cancel()
    rest = threading.Thread(target=lambda: deque(process.stdout or (), maxlen=0), daemon=True)
    rest.start()
    try:
        assert READY in "".join(lines), f"{command[0]} did not start:\n{''.join(lines)}"
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()
        rest.join(10)
        process.stdout.close()


@contextmanager
def serve_by_vllm(folder: Path) -> Iterator[str]:
    """Serve a folder as `vllm serve` does, under the name `m`; give its URL.

    The command itself asks for the version of a package `vllm`, which builds for the CPU are not.
    """
    port = str(find_free_port())
    vllm = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    room = ["--max-model-len", "1024", "--max-num-seqs", "16", "--block-size", "32"]
    room += ["--kv-cache-memory-bytes", str(256 * 2**20), "--enforce-eager"]
    named = ["--served-model-name", "m", "--dtype", "float32"]
    named += ["--host", "127.0.0.1", "--port", port]
    with serve([*vllm, *room, *named], VLLM_CPU_OMP_THREADS_BIND="nobind"):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def serve_by_llama_cpp(gguf: Path) -> Iterator[str]:
    """Serve a GGUF file by llama-cpp-python's server; give its URL."""
    port = str(find_free_port())
    command = [LLAMA_PYTHON, "-m", "llama_cpp.server", "--model", str(gguf), "--n_ctx", "1024"]
    threads = ["--n_threads", "1", "--n_threads_batch", "1", "--logits_all", "true"]
    with serve([*command, *threads, "--host", "127.0.0.1", "--port", port]):
        yield f"http://127.0.0.1:{port}/v1"


QUANTIZE = """
import ctypes, sys, llama_cpp
how = llama_cpp.llama_model_quantize_default_params()
how.ftype, how.allow_requantize, how.nthread = 0, True, 1
source, made = (each.encode() for each in sys.argv[1:])
sys.exit(llama_cpp.llama_model_quantize(source, made, ctypes.byref(how)))
"""
"""Writes a GGUF file of float32 out of a quantised one, as llama.cpp dequantises it."""


def dequantise(gguf: Path, made: Path) -> Path:
    """Write the weights of a GGUF file as float32 into another."""
    command = [LLAMA_PYTHON, "-c", QUANTIZE, str(gguf), str(made)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    return made


def has_llama_cpp() -> bool:
    """Whether llama-cpp-python's server can be run."""
    if shutil.which(LLAMA_PYTHON) is None:
        return False
    tried = subprocess.run([LLAMA_PYTHON, "-c", "import llama_cpp.server"], capture_output=True)
    return tried.returncode == 0
