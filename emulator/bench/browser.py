# SPDX-License-Identifier: GPL-2.0-only
"""A headless Chromium: a picture of a page."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from emulator.errors import HostError, Unsupported

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_SECONDS = 60
#: A page of the report is this wide; it is cut off below this height.
WIDTH, HEIGHT = 800, 12000


def find_chromium() -> str:
    """Its path. Raises Unsupported if none is installed."""
    for name in _NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise Unsupported(f"a picture needs a browser, and none of {', '.join(_NAMES)} is installed")


def command(*options: str, profile: str) -> list[str]:
    """Chromium with these options, headless, with everything that it keeps in the directory `profile`."""
    own = ["--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", f"--user-data-dir={profile}"]
    if os.geteuid() == 0:
        own.append("--no-sandbox")  # which it does not have for root; the page is our own, and has no script
    return [find_chromium(), *own, *options]


def screenshot(page: str, target: Path, *, dark: bool = False, height: int = HEIGHT) -> None:
    """Draws the HTML `page` into the PNG file `target`. Raises HostError if the browser fails."""
    with tempfile.TemporaryDirectory(prefix="pvperf-browser-") as scratch:
        source, picture = Path(scratch, "page.html"), Path(scratch, "page.png")
        source.write_text(page, encoding="utf-8")
        options = [f"--window-size={WIDTH},{height}", f"--screenshot={picture}"]
        if dark:
            options.append("--blink-settings=preferredColorScheme=0")
        run = command(*options, source.as_uri(), profile=scratch)
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS)
        if done.returncode or not picture.exists():
            said = done.stderr.strip().splitlines()
            raise HostError(f"the browser drew nothing{': ' + said[-1] if said else ''}")
        try:
            shutil.copyfile(picture, target)
        except OSError as error:
            raise HostError(f"cannot write {target}: {error.strerror}") from None
