"""The page in a real browser: it opens without a complaint and can be looked at."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")


@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize(
    ("file", "scheme"),
    [("report.html", "light"), ("report.html", "dark"), ("report/debates-001.html", "light")],
)
def test_the_page_opens_without_a_complaint(
    page: Path, tmp_path: Path, file: str, scheme: str
) -> None:
    picture = tmp_path / f"{scheme}.png"
    assert BROWSER is not None
    command = [
        BROWSER,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1200,3000",
        f"--blink-settings=preferredColorScheme={'0' if scheme == 'dark' else '1'}",
        f"--screenshot={picture}",
        (page.parent / file).resolve().as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert ":CONSOLE" not in done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
