# SPDX-License-Identifier: GPL-2.0-only
"""How a panic is told from everything else on a console, in whatever pieces that comes."""

from __future__ import annotations

import pytest

from emulator.guest.linux.panic import PanicWatch, panic_of

LINES = b"".join(b"[    0.%06d] line %d\r\n" % (number, number) for number in range(20))
PANIC = (
    b"[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n"
    b"[    1.234999] CPU: 0 PID: 1 Comm: swapper/0 Not tainted\r\n"
    b"[    1.235000] Call Trace:\r\n"
)
REASON = "VFS: Unable to mount root fs on unknown-block(0,0)"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_panic_is_seen_once(size: int) -> None:
    watch, said = PanicWatch(), 0
    text = LINES + PANIC
    for at in range(0, len(text), size):
        said += watch.look(text[at : at + size])
    assert said == 1
    assert watch.seen


@pytest.mark.parametrize(
    "line",
    [
        b"Kernel panic - not syncing: x\r\n",
        b"[    0.000000] Kernel panic - not syncing: x\r\n",
        b"[    0.000000][    T1] Kernel panic - not syncing: x\r\n",
        b"[    0.000000] [T12] Kernel panic - not syncing: x\n",
    ],
)
def test_how_it_may_look(line: bytes) -> None:
    assert PanicWatch().look(line)
    assert panic_of(line)[0] == "x"


@pytest.mark.parametrize(
    "line",
    [
        b"grep 'Kernel panic - not syncing: ' log\r\n",
        b"[    0.1] it said: Kernel panic - not syncing: x\r\n",
        b"Kernel panic\r\n",
        b"Kernel panic - not syncing: and no end of the line",
    ],
)
def test_what_is_none(line: bytes) -> None:
    assert not PanicWatch().look(line)
    assert panic_of(line) == ("", "")


def test_the_reason_and_the_last_lines() -> None:
    reason, lines = panic_of(LINES + PANIC)
    assert reason == REASON
    shown = lines.splitlines()
    assert shown[0].endswith("line 12")
    assert shown[-1].endswith("Call Trace:")
    assert len(shown) == 8 + 3


def test_what_a_kernel_prints_for_ever_is_cut() -> None:
    assert len(panic_of(LINES + PANIC + LINES * 50)[1].splitlines()) == 40
