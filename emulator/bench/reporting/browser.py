# SPDX-License-Identifier: GPL-2.0-only
"""A headless Chromium: a picture of a page, as long as the page is."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from emulator.errors import HostError, Unsupported
from emulator.places import find_program, run_program

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_SECONDS = 300
#: A page of the report is this wide; it is cut off below this height.
WIDTH, HEIGHT = 800, 16000
_MARGIN = 24


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
        own.append("--no-sandbox")  # which it does not have for root; the page is our own, and has no script
    return [find_chromium(), *own, *options]


def screenshot(page: str, *, dark: bool = False, height: int = HEIGHT) -> bytes:
    """The HTML `page` as a PNG picture. Raises HostError if the browser fails."""
    with tempfile.TemporaryDirectory(prefix="pvperf-browser-") as scratch:
        source, picture = Path(scratch, "page.html"), Path(scratch, "page.png")
        source.write_text(page, encoding="utf-8")
        options = [f"--window-size={WIDTH},{height}", f"--screenshot={picture}"]
        if dark:
            options.append("--blink-settings=preferredColorScheme=0")
        run = command(*options, source.as_uri(), profile=scratch)
        try:
            done = run_program(run, timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            raise HostError(f"the browser drew nothing within {_TIMEOUT_SECONDS} s") from None
        if done.returncode or not picture.exists():
            said = done.stderr.strip().splitlines()
            raise HostError(f"the browser drew nothing{': ' + said[-1] if said else ''}")
        return without_blank_end(picture.read_bytes())


def without_blank_end(png: bytes) -> bytes:
    """The picture without the equal rows at its end, which are what the page does not fill.

    Scanlines refer to those above them alone, so that the last ones can go without decoding any.
    """
    chunks = list(_chunks(png))
    width, height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth != 8 or colour not in (2, 6) or interlaced:
        return png  # not as Chromium writes them
    line = 1 + width * (3 if colour == 2 else 4)
    data = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    last, rows = data[-line:], height
    while rows > 1 and data[(rows - 1) * line : rows * line] == last:
        rows -= 1
    rows = min(height, rows + _MARGIN)
    head = chunks[0][1][:4] + struct.pack(">I", rows) + chunks[0][1][8:]
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(data[: rows * line])), (b"IEND", b"")]
    return png[:8] + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
