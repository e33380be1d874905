# SPDX-License-Identifier: GPL-2.0-only
"""A headless Chromium: a picture of a page, as long as the page is."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from emulator.errors import HostError, Unsupported
from emulator.places import find_program, run_program

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_SECONDS = 300
_WIDTH = 800
_HIGHEST = 32000  # what the browser still draws
_MEASURE = "<script>document.title = Math.ceil(document.body.getBoundingClientRect().bottom)</script>"


def find_chromium() -> str:
    """Its path. Raises Unsupported if none is installed."""
    for name in _NAMES:
        path = find_program(name)
        if path:
            return path
    raise Unsupported(f"a picture needs a browser, and none of {', '.join(_NAMES)} is installed")


def command(*options: str, profile: str) -> list[str]:
    """Chromium with these options, headless, with everything that it keeps in the directory `profile`."""
    own = ["--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", f"--user-data-dir={profile}"]
    if os.geteuid() == 0:
        own.append("--no-sandbox")  # which it does not have for root; the page is our own
    return [find_chromium(), *own, *options]


def screenshot(page: str, *, dark: bool = False, width: int = _WIDTH) -> bytes:
    """The HTML `page` as a PNG picture. Raises HostError if the browser fails."""
    look = ["--blink-settings=preferredColorScheme=0"] if dark else []
    with tempfile.TemporaryDirectory(prefix="pvperf-browser-") as scratch:
        source, picture = Path(scratch, "page.html"), Path(scratch, "page.png")
        source.write_text(page + _MEASURE, encoding="utf-8")
        said = _run(f"--window-size={width},600", "--dump-dom", *look, source.as_uri(), profile=scratch)
        measured = re.search(r"<title>(\d+)</title>", said)
        height = int(measured[1]) if measured else 0
        if not 0 < height <= _HIGHEST:
            raise HostError(f"the browser says that the page is {height} pixels long; {_HIGHEST} are the most")
        source.write_text(page, encoding="utf-8")
        size = f"--window-size={width},{height}"
        _run(size, f"--screenshot={picture}", *look, source.as_uri(), profile=scratch)
        if not picture.exists():
            raise HostError("the browser drew nothing, and did not say why")
        return picture.read_bytes()


def _run(*options: str, profile: str) -> str:
    """What it printed."""
    try:
        done = run_program(command(*options, profile=profile), timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise HostError(f"the browser drew nothing within {_TIMEOUT_SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise HostError(f"the browser drew nothing{': ' + said[-1] if said else ''}")
    return done.stdout
