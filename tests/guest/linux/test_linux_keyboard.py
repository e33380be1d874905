# SPDX-License-Identifier: GPL-2.0-only
"""What is typed, on its way from a terminal or a pipe to the guest's UART: nothing is lost, added or out of order."""

from __future__ import annotations

import os
import pty
import tempfile
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from emulator.cli.console import Console, Keys, Script
from emulator.errors import HostError
from emulator.native import load_core
from emulator.vm.keyboard import Keyboard, Line

RING = 4096  # PV_CONSOLE_INPUT


@contextmanager
def piped(data: bytes = b"") -> Iterator[tuple[int, int]]:
    """A pipe with something in it."""
    reader, writer = os.pipe()
    os.write(writer, data)
    try:
        yield reader, writer
    finally:
        for fd in (reader, writer):
            with suppress(OSError):  # closed in between
                os.close(fd)


class Terminal:
    """What Keys does beside typing."""

    def __init__(self) -> None:
        self.left = 0
        self.said = b""

    def leave(self) -> None:
        self.left += 1

    def say(self, data: bytes) -> None:
        self.said += data


@pytest.mark.parametrize(
    ("typed", "sent", "left", "helped"),
    [
        (b"ls\r\x03\x04\x1a", b"ls\r\x03\x04\x1a", 0, False),
        (b"a\x01xb", b"ab", 1, False),
        (b"\x01X", b"", 1, False),
        (b"\x01\x01", b"\x01", 0, False),
        (b"\x01\x01x", b"\x01x", 0, False),
        (b"\x01h\x01?", b"", 0, True),
        (b"a\x01qb", b"ab", 0, False),
    ],
)
@pytest.mark.parametrize("piece", [1, 100])
def test_keys(typed: bytes, sent: bytes, left: int, helped: bool, piece: int) -> None:
    terminal = Terminal()
    keys = Keys(-1, leave=terminal.leave, say=terminal.say)
    assert b"".join(keys.translate(typed[at : at + piece]) for at in range(0, len(typed), piece)) == sent
    assert (terminal.left, b"^A x" in terminal.said) == (left, helped)


def test_keys_of_which_nothing_is_for_the_guest_are_no_end() -> None:
    terminal = Terminal()
    with piped(b"\x01h") as (reader, writer):
        keys = Keys(reader, leave=terminal.leave, say=terminal.say)
        assert keys.read(100) is None
        os.close(writer)
        assert keys.read(100) == b""


@pytest.mark.parametrize(("data", "end"), [(b"", b"\x04"), (b"ls\n", b"\x04"), (b"ls", b"\x04\x04\x04")])
def test_the_end_of_a_script_is_typed_once(data: bytes, end: bytes) -> None:
    with piped(data) as (reader, writer):
        os.close(writer)
        script = Script(reader)
        assert [script.read(100) for _ in range(3)] == ([data] if data else []) + [end, b""] + [b""] * (not data)


def test_a_terminal_is_itself_again() -> None:
    """Also if what runs in between fails."""
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    terminal = Terminal()
    console = Console(leave=terminal.leave, say=terminal.say, fd=slave, foreground=lambda _: True)
    try:
        with suppress(ZeroDivisionError), console:
            raw = termios.tcgetattr(slave)
            os.write(master, b"\x03q")
            assert isinstance(console.source, Keys)
            assert console.source.read(10) == b"\x03q"
            raise ZeroDivisionError
        assert not raw[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        assert raw[1] == before[1]  # what is written is not changed
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


def test_a_background_job_has_no_keyboard() -> None:
    master, slave = pty.openpty()
    try:
        before = termios.tcgetattr(slave)
        with Console(leave=list, say=list, fd=slave, foreground=lambda _: False) as console:  # type: ignore[arg-type]
            assert console.source is None
            assert console.is_terminal
            assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


def test_a_pipe_is_left_alone_until_it_is_read() -> None:
    with piped(b"date\n") as (reader, _), Console(leave=list, say=list, fd=reader) as console:  # type: ignore[arg-type]
        assert not console.is_terminal
        assert isinstance(console.source, Script)
        assert os.read(reader, 10) == b"date\n"


def test_no_more_is_under_way_than_the_guest_can_take() -> None:
    keyboard, got = Keyboard(lambda: None), b""
    with piped(b"x" * 60000) as (reader, writer), os.fdopen(reader, "rb", buffering=0, closefd=False) as source:
        os.close(writer)
        keyboard.attach(source)
        for taken in (0, 100, 1 << 14, 5000):
            keyboard.taken(taken)
            while keyboard.descriptor >= 0:
                assert keyboard.descriptor == reader
                keyboard.read()
                got += keyboard.take()
        assert len(got) == (1 << 14) + 100 + (1 << 14) + 5000
        while len(got) < 60000:
            keyboard.taken(1 << 12)
            keyboard.read()
            got += keyboard.take()
        keyboard.taken(1 << 12)
        keyboard.read()
        assert keyboard.descriptor == -1  # that was its end
    assert got == b"x" * 60000


def test_what_is_typed_keeps_its_order() -> None:
    woken: list[None] = []
    keyboard = Keyboard(lambda: woken.append(None))
    whole = b"".join(b"%d " % number for number in range(20000))
    for at in range(0, len(whole), 777):
        keyboard.type(whole[at : at + 777])
    got = b""
    while data := keyboard.take():
        assert len(data) <= 1 << 14
        got += data
        keyboard.taken(len(data))
    assert got == whole
    assert len(woken) == -(-len(whole) // 777)


def test_a_source_that_cannot_be_read_is_an_error() -> None:
    keyboard = Keyboard(lambda: None)
    with open(os.devnull, "wb", buffering=0) as source:
        keyboard.attach(Script(source.fileno()))
        with pytest.raises(HostError, match="cannot read what is typed: Bad file descriptor"):
            keyboard.read()


@pytest.fixture
def line() -> tuple[Line, Any, Any]:
    core = load_core()
    platform, bell = core.ffi.new("struct pv_platform *"), core.ffi.new("struct pv_bell *")
    platform.input.put = platform.input.taken = 0xFFFF_FFF0  # just before it wraps
    return Line(core.lib, platform, bell), platform, bell


def test_the_guest_gets_nothing_before_it_listens(line: tuple[Line, Any, Any]) -> None:
    """A driver that begins to listen clears what has come before."""
    to, platform, bell = line
    to.add(b"early")
    assert (to.pour(), to.busy, bell.rung) == (0, True, 0)
    platform.devices.uart.ier = 1
    assert (to.pour(), to.busy, bell.rung) == (5, False, 1)
    assert to.pour() == 0


def test_the_ring_is_never_overrun(line: tuple[Line, Any, Any]) -> None:
    to, platform, _ = line
    platform.devices.uart.ier = 5
    whole = bytes(number * 7 & 0xFF for number in range(3 * RING + 100))
    to.add(whole)
    got = b""
    while to.busy or platform.input.taken != platform.input.put:
        to.pour()
        waiting = platform.input.put - platform.input.taken & 0xFFFF_FFFF
        assert waiting <= RING
        for _ in range(min(waiting, 1000)):  # as the UART does it
            got += bytes([platform.input.bytes[platform.input.taken % RING]])
            platform.input.taken = platform.input.taken + 1 & 0xFFFF_FFFF
    assert got == whole


def test_nothing_is_no_keyboard() -> None:
    """Not even its end is typed, which would come at another moment in each boot; a file that is empty has an end."""
    with open(os.devnull) as nothing, tempfile.TemporaryFile() as empty:
        assert Console(leave=lambda: None, say=print, fd=nothing.fileno()).source is None
        source = Console(leave=lambda: None, say=print, fd=empty.fileno()).source
        assert source is not None
        assert source.read() == b"\x04"
