# SPDX-License-Identifier: GPL-2.0-only
"""Where in its source a guest was, when it says an address: for messages, from what its ELF file has."""

from __future__ import annotations

import os
import re

from emulator.errors import PvperfError

#: What native/guest/runtime/exception.c says of an exception that the guest has no handler for.
_CRASH = re.compile(rb"guest: (vCPU \d{1,2}: unexpected [^\n]* at RIP (0x[0-9a-f]{1,16})), ")
STATUS_CRASHED = 70  # native/guest/runtime/cpu.h
#: What native/engine/run/vmexit.c says of a shutdown.
_SHUTDOWN = re.compile(r"\bat rip (0x[0-9a-f]{1,16})\b")


def place_of(path: str | os.PathLike[str], address: int) -> str:
    """ "main+0x4, count.c:12": symbol, and source line where there is one; empty if the file knows no symbol."""
    try:
        from emulator.guest.lines import line_of
        from emulator.guest.symbols import read_symbols

        symbol = read_symbols(os.fspath(path))[0].find(address)
    except (PvperfError, ImportError):  # the crash is what has to be told
        return ""
    if symbol is None:
        return ""
    line = line_of(path, address)
    return f"{symbol.name}+{address - symbol.address:#x}" + (f", {line}" if line else "")


def with_place(sentence: str, path: str | os.PathLike[str]) -> str:
    """What is said of a shutdown, with the place behind its address."""
    match = _SHUTDOWN.search(sentence)
    place = place_of(path, int(match[1], 16)) if match else ""
    return f"{sentence[: match.end()]} ({place}){sentence[match.end() :]}" if match and place else sentence


def crash_of(status: int, console: bytes) -> str:
    """What the guest runtime says of the crash that a run ended with; empty if that was not how it ended."""
    match = _CRASH.search(console) if status == STATUS_CRASHED else None
    return match[1].decode(errors="replace") if match else ""


def crash_places(console: bytes, path: str | os.PathLike[str]) -> list[str]:
    """A sentence for each address at which the guest runtime says that the guest crashed."""
    addresses = dict.fromkeys(int(number, 16) for _, number in _CRASH.findall(console))
    places = {address: place_of(path, address) for address in list(addresses)[:64]}
    return [f"RIP {address:#x} is {place}" for address, place in places.items() if place]
