# SPDX-License-Identifier: GPL-2.0-only
"""What a caller of the Python API asks for, checked at the call: a UsageError says what is wrong with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from emulator.errors import UsageError
from emulator.events import Event, check_groups, parse_events
from emulator.guest.agent import Recording
from emulator.guest.linux import boot


def guest_path(guest: object) -> str | Path:
    """The ELF file of a bundled guest's name, or the path that it is."""
    if isinstance(guest, os.PathLike):
        guest = os.fspath(guest)
        if isinstance(guest, str):
            return Path(guest)
    if not isinstance(guest, str) or not guest:
        raise UsageError(f"a guest is the name of a bundled one or the path of an ELF file, and {guest!r} is neither")
    if "/" in guest:
        return guest
    from emulator.guest.bundled import find_guest

    return find_guest(guest)


def guest_words(args: object) -> str | tuple[str, ...]:
    """What the guest is given: a text, or words."""
    if isinstance(args, str):
        return args
    if not isinstance(args, Iterable) or isinstance(args, bytes):
        raise UsageError(f"args are the guest's words, as ['n=1'], or its command line, and {args!r} is neither")
    words = tuple(args)
    for word in words:
        if not isinstance(word, str):
            raise UsageError(f"each of the guest's args is a str, and {word!r} is not")
    return words


def command_line(words: str | Sequence[str]) -> bytes:
    """What the guest finds as its command line: of a str that text, else the words with blanks between them."""
    try:
        line = os.fsencode(words if isinstance(words, str) else " ".join(words))
    except UnicodeEncodeError as error:
        raise UsageError(f"the guest's command line cannot be encoded: {error.reason}") from None
    if b"\0" in line:
        raise UsageError("the guest's command line cannot contain a NUL")
    return line


def kernel_line(append: str, words: str | Sequence[str]) -> bytes:
    """Linux's whole command line, with options of the kernel, and the words of its first program quoted as it reads
    them.
    """
    text = words if isinstance(words, str) else " ".join(map(_quoted, words))
    return boot.command_line(command_line(append), command_line(text))


def _quoted(word: str) -> str:
    if '"' in word:
        raise UsageError(f"the kernel has no way to pass a double quote to its first program, as in {word!r}")
    return f'"{word}"' if not word or any(map(str.isspace, word)) else word


def initrd_paths(initrd: object) -> tuple[str | Path, ...]:
    """Files of which the kernel unpacks its first file system, one or several."""
    paths = [initrd] if isinstance(initrd, (str, os.PathLike)) else initrd
    if not isinstance(paths, Iterable) or isinstance(paths, bytes):
        raise UsageError(f"initrd is the path of a file, or several, and {initrd!r} is neither")
    found: list[str | Path] = []
    for path in paths:
        check_kind("initrd", path, (str, os.PathLike), "the path of a file")
        found.append(os.fspath(path))
    return tuple(found)


def chosen_events(events: object, *, counters: int) -> tuple[Event, ...]:
    """Events by their names, "instructions,branches:u" or a list of such, or as parse_events() returns them.

    With so many hardware `counters`, each group of them can count.
    """
    if isinstance(events, (str, Event)):
        events = [events]
    if not isinstance(events, Iterable) or isinstance(events, bytes):
        raise UsageError(f"events are names, as ['instructions', 'branches:u'], and {events!r} is none")
    chosen: list[Event] = []
    for event in events:
        if isinstance(event, Event):
            _check_numbers(event)
            chosen.append(event)
        else:
            chosen += parse_events(event)
    check_groups(chosen, counters=counters)
    return tuple(chosen)


def _check_numbers(event: Event) -> None:
    """What the guest interface takes has room for them; whether they make sense, that says."""
    whole = (event.config, event.flags, event.sample_period, event.sample_type, event.behind_leader)
    points = event.breakpoint if isinstance(event.breakpoint, tuple) and len(event.breakpoint) == 3 else (None,)
    for value, bits in (*((number, 64) for number in (*whole, *points[1:])), (event.type, 32), (points[0], 32)):
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
            raise UsageError(f"event {event.name!r} has a number that is none of {bits} bits: {value!r}")


def check_recording(recording: object) -> None:
    """A Recording of whole numbers, or None; their limits depend on the VM."""
    check_kind("recording", recording, (Recording, type(None)), "a Recording or None")
    if isinstance(recording, Recording):
        for name, value in recording._asdict().items():
            check_kind(f"{name} of a recording", value, int, "a whole number")


def seconds(timeout: object) -> float | None:
    """A time-out; None is none."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 <= timeout <= sys.float_info.max:
        raise UsageError(f"timeout is a number of seconds, or None for no end, and {timeout!r} is not")
    return float(timeout)


def interval_ns(interval: object, *, wanted: bool, counted: bool) -> int:
    """From one interval to the next; 0: nobody wants to hear of them."""
    if interval is None and not wanted:
        return 0
    if not counted:
        raise UsageError("there is nothing to count in intervals: name an event")
    if interval is None or not wanted:
        raise UsageError("interval says how often intervals is called: neither goes without the other")
    if isinstance(interval, bool) or not isinstance(interval, (int, float)) or not 0.001 <= interval <= 1e9:
        raise UsageError(f"interval must be 0.001 to 1000000000 seconds, and {interval!r} is not")
    return round(interval * 1e9)


def check_callback(name: str, callback: object) -> None:
    """None, or something that can be called."""
    if callback is not None and not callable(callback):
        raise UsageError(f"{name} is called with what comes, and {callback!r} cannot be called")


def check_kind(name: str, value: object, kinds: type | tuple[type, ...], what: str) -> None:
    """`value` is of one of these types; a bool is no int."""
    allowed = kinds if isinstance(kinds, tuple) else (kinds,)
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        raise UsageError(f"{name} must be {what}, and {value!r} is not")


def names(wanted: object, what: str) -> Sequence[str] | None:
    """Some names; None means all."""
    if wanted is None:
        return None
    if isinstance(wanted, (str, bytes)) or not isinstance(wanted, Iterable):
        raise UsageError(f"{what} are names, as in a list, and {wanted!r} is none")
    return tuple(wanted)
