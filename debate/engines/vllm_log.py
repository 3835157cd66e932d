"""What a vLLM engine and its processes write, kept to say what went wrong."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ERROR_LINE = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception)\b(?:: .*)?$")


class EngineLog:
    """Where an engine and its processes write; read only to say what went wrong."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="debate-vllm-"))
        self.path = self._folder / "vllm.log"
        self.config = self._folder / "logging.json"
        self.config.write_text(json.dumps(log_config(self.path)))

    def root_cause(self) -> str | None:
        """The first exception in the log: later ones are its consequences in other processes."""
        if not self.path.exists():
            return None
        lines = self.path.read_text(errors="replace").splitlines()
        return next((line for line in lines if ERROR_LINE.match(line)), None)

    def remove(self) -> None:
        """Delete the log."""
        shutil.rmtree(self._folder)


def log_config(path: Path) -> Mapping[str, Any]:
    """Python's logging configuration for vLLM: all to one file, nothing to the terminal."""
    plain = {"format": "%(asctime)s %(processName)s %(levelname)s %(message)s"}
    handler = {"class": "logging.FileHandler", "filename": str(path), "formatter": "plain"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": plain},
        "handlers": {"file": handler},
        "loggers": {"vllm": {"handlers": ["file"], "level": "INFO", "propagate": False}},
    }
