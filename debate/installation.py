"""How this project is installed: what its extras lack here, what adds them, who has its name."""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from debate.errors import InputError

DISTRIBUTION, NAMESAKE = "debate-lab", "debate"
"""What package managers call this project, and another one whose module is `debate`, too."""

_LOCAL = ("torch", "transformers", "safetensors")
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "local": _LOCAL,
    "gguf": (*_LOCAL, "accelerate", "gguf"),
    "vllm": ("vllm",),
    "math": ("math_verify",),
    "serve": ("starlette", "uvicorn"),
    "tools": ("pydantic_monty",),
    "pandas": ("pandas",),
}
"""The modules that an extra adds."""


def list_missing(extra: str) -> list[str]:
    """List the modules of an extra that are not installed, in the order of `EXTRAS`."""
    return [name for name in EXTRAS[extra] if not _is_installed(name)]


def _is_installed(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return importlib.util.find_spec(module) is not None


def require_extra(extra: str, what: str) -> None:
    """Raise InputError, with the command that helps, where `what` needs an extra that is absent."""
    if missing := list_missing(extra):
        raise InputError(f"{what} needs {', '.join(missing)}: {make_install_command(extra)}")


def make_install_command(*extras: str, options: str = "") -> str:
    """Return the shell command that installs this project, from where it came, with extras.

    Where that is not known, the command is to be typed in the checkout, and says so.
    """
    command = f"{_find_pip()} install{options and f' {options}'}"
    added = f"[{','.join(extras)}]" if extras else ""
    if (folder := find_checkout()) is not None:
        return f"{command} -e {shlex.quote(f'{folder}{added}')}"
    source = describe_source(_read_source(), added)
    return f"{command} {shlex.quote(source or f'.{added}')}{'' if source else ' in the checkout'}"


def find_checkout() -> Path | None:
    """Find the checkout that this very file lies in; None where it lies among packages."""
    folder = Path(__file__).absolute().parents[1]
    declared = folder / "pyproject.toml"
    is_own = declared.is_file() and f'name = "{DISTRIBUTION}"' in declared.read_text("utf-8")
    return folder if is_own else None


def describe_source(recorded: Mapping[str, Any], added: str) -> str | None:
    """Return what pip is to install: the path or URL it recorded, followed by extras.

    None where it recorded none, as for what came from an index, or where the path is gone.

    >>> describe_source({"url": "https://host/lab.whl", "archive_info": {}}, "[local]")
    'debate-lab[local] @ https://host/lab.whl'
    >>> source = {"url": "https://host/lab", "vcs_info": {"vcs": "git", "commit_id": "1f"}}
    >>> describe_source(source, "[local]")
    'debate-lab[local] @ git+https://host/lab@1f'
    """
    url = str(recorded.get("url", ""))
    if url.startswith("file:") and "vcs_info" not in recorded:
        path = Path(url2pathname(urlsplit(url).path))
        return f"{path}{added}" if path.exists() else None
    if vcs := recorded.get("vcs_info"):
        revision = vcs.get("requested_revision") or vcs.get("commit_id", "HEAD")
        url = f"{vcs.get('vcs', 'git')}+{url}@{revision}"
    if folder := recorded.get("subdirectory"):
        url += f"#subdirectory={folder}"
    return f"{DISTRIBUTION}{added} @ {url}" if url else None


def _read_source() -> Mapping[str, Any]:
    """Read where pip installed this project from, as PEP 610 has it; empty if that is unknown."""
    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
        read = json.loads(text or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def _find_pip() -> str:
    """Name the installer of this very environment, as it is typed here."""
    own = Path(sys.executable).with_name("pip")
    if shutil.which("pip") == str(own):
        return "pip"
    if own.exists():
        return shlex.quote(str(own))
    has_pip = importlib.util.find_spec("pip") is not None
    return f"{shlex.quote(sys.executable)} -m pip" if has_pip else "uv pip"


def describe_namesake() -> str | None:
    """Say that another project's package `debate` is in the way, and how to part the two.

    None where there is none. Two such projects in one environment overwrite files of each other.
    """
    version = _find_namesake_version()
    is_own = hasattr(sys.modules[NAMESAKE], "open_run")
    if version is None and is_own:
        return None
    other = f"another project called {NAMESAKE}" + (f" ({version})" if version else "")
    harm = "has the same module and command" if is_own else "has replaced files of this one"
    again = make_install_command(options="--force-reinstall --no-deps")
    return (
        f"{other} is installed in this environment and {harm}; `debate-lab` is this one's command. "
        f"To part them: {_find_pip()} uninstall {NAMESAKE}, then {again}"
    )


def _find_namesake_version() -> str | None:
    try:
        return metadata.version(NAMESAKE)
    except metadata.PackageNotFoundError:
        return None


def find_other_command() -> Path | None:
    """Find the program that `debate` starts where it is not this project's; None otherwise."""
    found = shutil.which("debate")
    if found is None or b"debate.cli" in Path(found).read_bytes():
        return None
    return Path(found)
