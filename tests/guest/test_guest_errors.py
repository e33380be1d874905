# SPDX-License-Identifier: GPL-2.0-only
"""A guest's own mistake is the guest's: with the same status and sentence from run, stat, record and Python."""

from __future__ import annotations

import errno
import re
import struct
import subprocess
from pathlib import Path

import pytest
from commands import pvperf
from tiny_guest import CODE_GPA, HALT, UNDEFINED, guest, leave, say

from emulator import AllHalted, GuestError, GuestShutdown, HostError, Unsupported, VirtualMachine
from emulator.errors import HostPanic, OutOfMemory, PvperfError, VcpuDied
from emulator.guest.build import find_compiler
from emulator.vm.machine import _end_error
from emulator.vm.protocol import Ended

# It loads a GDT whose first descriptor is 32-bit code, and returns there. What it needs lies behind 32 bytes of code.
_GDT, _LIMIT_AND_BASE, _CODE_32 = CODE_GPA + 32, CODE_GPA + 48, CODE_GPA + 64
INTO_32_BITS = b"".join(
    (
        b"\xbc" + struct.pack("<I", 0x80000),  # mov esp, 0x80000
        b"\x0f\x01\x14\x25" + struct.pack("<I", _LIMIT_AND_BASE),  # lgdt [_LIMIT_AND_BASE]
        b"\x6a\x08\x68" + struct.pack("<I", _CODE_32) + b"\x48\xcb",  # push 8; push _CODE_32; retfq
    )
).ljust(32, b"\x90")
INTO_32_BITS += struct.pack("<2Q", 0, 0x00CF9B000000FFFF) + struct.pack("<HQ", 15, _GDT).ljust(16, b"\0") + b"\xeb\xfe"

#: The guest's code, its status, and what is said of it.
MISTAKES = {
    "all halted": (HALT, 123, "every vCPU is halted, and nothing can wake one", AllHalted),
    "triple fault": (UNDEFINED, 123, "vCPU 0 shut down: triple fault", GuestShutdown),
    "an NMI without an IDT": (b"\xcd\x02", 123, "vCPU 0 shut down: triple fault", GuestShutdown),
    "a load outside RAM": (b"\xa0" + struct.pack("<Q", 1 << 40) + HALT, 123, "vCPU 0 shut down", GuestShutdown),
    "a jump outside RAM": (b"\x48\xc7\xc0\x00\x00\x00\x70\xff\xe0", 123, "vCPU 0 shut down", GuestShutdown),
    "32-bit code": (INTO_32_BITS, 126, "vCPU 0: the guest runs 32-bit code .*, which is not supported", Unsupported),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_same_from_everywhere(tmp_path: Path, mistake: str) -> None:
    code, status, sentence, kind = MISTAKES[mistake]
    program = guest(tmp_path, say(b"x") + code)
    if mistake == "32-bit code":
        program = guest(tmp_path, code)  # which knows where it lies
    for command in (["run"], ["stat"], ["stat", "-j"], ["record", "-o", tmp_path / "perf.data"]):
        done = pvperf(*command, program)
        assert done.returncode == status, done.stderr
        assert re.search(rf"^pvperf: {sentence}", done.stderr, re.MULTILINE), done.stderr
        assert "host" not in done.stderr
    with VirtualMachine() as vm, pytest.raises(kind, match=sentence) as caught:
        vm.run(program)
    assert caught.value.exit_status == status
    assert caught.value.statistics["exits_ready"] == 1
    assert not isinstance(caught.value, HostError)


CRASH = """
#include "guest.h"
__attribute__((noinline)) static void poke(volatile char *at) { *at = 0; }
int guest_main(void)
{
	poke((volatile char *)0x8000000000000000);
	return 0;
}
"""


def test_a_crash_has_a_name_and_a_place(tmp_path: Path) -> None:
    """Which exception, and in which line: of the guest runtime, and of a guest that has none."""
    source, program = tmp_path / "crash.c", tmp_path / "crash.elf"
    source.write_text(CRASH)
    assert pvperf("guests", "build", source, "-o", program).returncode == 0
    done = pvperf("run", program)
    assert (done.returncode, "unexpected #GP (vector 13) at RIP 0x" in done.stdout) == (70, True)
    assert re.fullmatch(r"pvperf: RIP 0x[0-9a-f]+ is poke[\w.]*\+0x[0-9a-f]+, crash\.c:3\n", done.stderr), done.stderr
    counted = pvperf("stat", "-r", "3", program)
    assert counted.returncode == 70
    assert " Partial: run 1 of 3 ended early: the guest crashed: vCPU 0: unexpected #GP" in counted.stderr

    source = tmp_path / "bare.S"
    source.write_text(".globl _start\n_start:\n\tnop\n\tud2\n")
    command = [*find_compiler(None), "-g", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x10000"]
    subprocess.run([*command, str(source), "-o", str(program)], check=True, capture_output=True)
    said = r"vCPU 0 shut down: triple fault after #UD (vector 6) at rip 0x10001 (_start+0x1, bare.S:4), rsp 0x0"
    assert said in pvperf("run", program).stderr
    with VirtualMachine() as vm, pytest.raises(GuestShutdown, match=re.escape(said)):
        vm.run(program)


def test_what_only_looks_like_a_crash(tmp_path: Path) -> None:
    """A guest may write what it likes: no such symbol, no line, and no traceback."""
    text = b"guest: vCPU 0: unexpected #GP at RIP 0xffffffffffffffff, x\nguest: vCPU 99: unexpected at RIP 0x, \n"
    done = pvperf("run", guest(tmp_path, say(text) + leave(70)))
    assert (done.returncode, done.stderr) == (70, "")


def ended(reason: str, error: int = 0) -> PvperfError:
    return _end_error(Ended(reason, 0, 0, error, "", (), {}, {}, 0.0))


def test_every_end_is_the_guests_or_the_hosts() -> None:
    """By type, and so by status: 123, 126 or 125."""
    kinds = {
        ("all_halted", 0): AllHalted,
        ("shutdown", 0): GuestShutdown,
        ("engine_error", errno.EOPNOTSUPP): Unsupported,
        ("engine_error", errno.EIO): HostError,
        ("vcpu_died", 0): VcpuDied,
        ("host_panic", 0): HostPanic,
        ("host_error", errno.ENOMEM): OutOfMemory,
        ("host_error", errno.EIO): HostError,
    }
    assert {end: type(ended(*end)) for end in kinds} == kinds
    assert {kind.exit_status for kind in kinds.values() if issubclass(kind, GuestError)} == {123}
    assert {kind.exit_status for kind in kinds.values() if issubclass(kind, HostError)} == {125}


def test_the_help_has_the_status() -> None:
    for command in ("run", "stat", "record"):
        assert "123 the guest cannot go on" in pvperf(command, "--help").stdout
