# SPDX-License-Identifier: GPL-2.0-only
"""native/engine/x86 against the processor that this runs on, which executes each byte string once or twice.

tests/native/decoder/run_bytes.c says how it is known what a processor made of a string.
"""

from __future__ import annotations

import re
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from decoder import LONGEST, ROOT, Decoder, Strings, compiler

OK, UD, GP, SHORT = range(4)
TRAP_UD, TRAP_SS, TRAP_GP, TRAP_PF, TRAP_XM = 6, 12, 13, 14, 19
ERROR_WRITE = 2
WRITE = 2
SHARE = [pytest.param(24), pytest.param(2, marks=pytest.mark.soak)]
#: As /proc/cpuinfo calls them, if not as we do.
FLAGS = {
    "SSE3": "pni",
    "SSE41": "sse4_1",
    "SSE42": "sse4_2",
    "LAHF": "lahf_lm",
    "LZCNT": "abm",
    "PREFETCHW": "3dnowprefetch",
    "SHA": "sha_ni",
    "CR8_LEGACY": "cr8_legacy",
    "SYSENTER": "",  # in 64-bit mode Intel's have it, AMD's do not
    "CET": "",  # nothing here enables it
    "MONITOR": "",  # #UD outside of the kernel
}
#: A string with one of these would call the kernel.
CALLS = re.compile(rb"\x0f\x05|\x0f\x34|\xcd\x80")


@dataclass
class Processor:
    """Of this host."""

    program: Path
    decoder: Decoder
    cpu: Any
    intel: bool

    def run(self, requests: list[Request]) -> list[Answer]:
        ran = subprocess.run(
            [self.program], input=b"".join(request.pack() for request in requests), capture_output=True
        )
        answers = [Answer(*fields) for fields in struct.iter_unpack("<4Bi", ran.stdout)]
        assert (ran.returncode, len(answers)) == (0, len(requests)), requests[len(answers)]
        return answers


LENGTH_MOST, LENGTH_BEHIND_OPCODE = 15, 6


@dataclass
class Request:
    string: bytes
    there: int
    pointer: int = -2048
    read_only: bool = False
    vectors: int = 0
    unmasked: bool = False

    def pack(self) -> bytes:
        return self.string + struct.pack(
            "<BBhBB", self.there, self.read_only, self.pointer, self.vectors, self.unmasked
        )


@dataclass
class Answer:
    trap: int
    error: int
    retired: int
    wanted: int
    address: int

    @property
    def undefined(self) -> bool:
        return self.trap == TRAP_UD and not self.retired


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Processor:
    folder = tmp_path_factory.mktemp("processor")
    program = folder / "run_bytes"
    # Without what needs thread-local storage, which is taken away while a string runs.
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-fno-stack-protector", "-Wall", "-Wextra", "-Werror"]
    source = ROOT / "tests/native/decoder/run_bytes.c"
    subprocess.run([compiler(), *flags, str(source), "-o", str(program)], check=True)
    decoder = Decoder(folder)
    info = Path("/proc/cpuinfo").read_text()
    flags_line = re.search(r"^flags\s*: (.*)$", info, re.MULTILINE)
    assert flags_line
    there = set(flags_line[1].split())
    intel = "GenuineIntel" in info
    features = {name for name in decoder.features() if FLAGS.get(name, name.lower()) in there}
    if intel:
        features.add("SYSENTER")
    return Processor(program, decoder, decoder.cpu(features, intel=intel), intel)


#: Of VEX what came behind AVX2, by map: AVX-512's masks, AMX, AVX-VNNI, AVX-NE-CONVERT, AVX-IFMA, SHA512, SM3, SM4,
#: CMPCCXADD.
LATER_VEX = {
    1: {*range(0x41, 0x4C), *range(0x90, 0x94), 0x98, 0x99},
    2: {
        *range(0x48, 0x58),
        *range(0x5C, 0x78),
        0xB0,
        0xB1,
        0xB4,
        0xB5,
        *range(0xCB, 0xCE),
        *range(0xD2, 0xDB),
        *range(0xE0, 0xF0),
    },
    3: {*range(0x30, 0x34), 0xDE},
}
#: The same of others: AESKL, MOVDIRI and its like, HRESET.
LATER = {
    (2, 0xD8),
    *((2, opcode) for opcode in range(0xDC, 0xE0)),
    *((2, opcode) for opcode in range(0xF8, 0x100)),
    (3, 0xF0),
}


def is_later(ours: Any) -> bool:
    """Of extensions that the decoder does not know, as no guest has them."""
    if ours.encoding in (1, 2):
        return ours.opcode in LATER_VEX.get(ours.map, ())
    return ours.encoding == 0 and (ours.map, ours.opcode) in LATER


def excused(string: bytes, ours: Any) -> str | None:
    """Where the processors that were asked differ from their manuals, or have more than we know."""
    opcode = (ours.map, ours.opcode) if ours.encoding == 0 else None
    if ours.verdict == UD and is_later(ours):
        return "extensions that no guest has"
    if opcode == (1, 0xAE) and ours.rep and ours.modrm >> 3 & 7 >= 4:
        return "ptwrite, tpause and their like"
    if opcode == (1, 0x01) and ours.modrm >= 0xC0:
        return "system instructions, of which some have no name here, and some the hypervisor hides"
    if opcode == (1, 0x35):
        return "AMD's sysexit looks at CPL before it is #UD in long mode"
    if opcode == (1, 0x00) and ours.lock:
        return "Zen's verr and verw ignore LOCK"
    if ours.encoding == 2 and ours.map == 3 and ours.opcode in (0, 1) and not ours.w:
        return "Zen's vpermq and vpermpd ignore W"
    if opcode == (1, 0xC7) and ours.modrm >> 3 & 7 in (3, 5):
        return "xsaves and xrstors: the kernel hides them at will"
    return None


def verdict(string: bytes, ours: Any, before: Answer, there: Answer, *, amd: bool) -> str | None:
    """What is wrong with ours: `before` the last byte was missing, `there` it was not."""
    if ours.verdict == GP:
        return (
            None
            if (there.trap == TRAP_GP and not there.retired) or (there.undefined and not amd)
            else "is not too long"
        )
    if ours.verdict == OK:
        if there.wanted or not before.wanted:
            return f"has not {ours.length} bytes"
        return "is #UD" if there.undefined else None
    too_long = there.trap == TRAP_GP and not there.retired and ours.length > LENGTH_MOST - LENGTH_BEHIND_OPCODE
    if not there.undefined and not there.wanted and not (too_long and not amd):
        return "is one"
    # How much is fetched of what is refused is told by no manual.
    return f"is refused, but not with {ours.length} bytes" if amd and (there.wanted or not before.wanted) else None


@pytest.mark.parametrize("share", SHARE)
def test_what_is_an_instruction_and_how_long_it_is(processor: Processor, share: int) -> None:
    strings = [string for string in Strings(seed=7, share=share) if not CALLS.search(string)]
    decoded = processor.decoder.decode(processor.cpu, strings)
    lengths = [ours.length for ours in decoded]
    # A string of one byte is there at once.
    short = processor.run(
        [Request(string, max(length - 1, 1)) for string, length in zip(strings, lengths, strict=True)]
    )
    whole = processor.run([Request(string, length) for string, length in zip(strings, lengths, strict=True)])
    wrong, seen = Counter[str](), Counter[int]()
    for string, ours, before, there in zip(strings, decoded, short, whole, strict=True):
        if excused(string, ours):
            continue
        seen[ours.verdict] += 1
        if ours.length == 1:
            before.wanted = 1
        if said := verdict(string, ours, before, there, amd=not processor.intel):
            wrong[f"{string[:LONGEST].hex()} {said}"] += 1
    assert not wrong, "\n".join(sorted(wrong)[:30])
    assert seen[OK] > seen.total() // 5
    assert seen[UD] > seen.total() // 5
    assert seen[GP]


#: Kinds whose operands are not as long as that, or not there, or where no instruction of a program may look.
APART = {"STRING", "INS", "OUTS", "GATHER", "MASKED", "XSAVE_OP", "INVLPG"}
#: By a register, which moves the operand of bt and its like; and what the kernel emulates (UMIP).
BY_REGISTER, UMIP = {(1, 0xA3), (1, 0xAB), (1, 0xB3), (1, 0xBB)}, {(1, 0x00), (1, 0x01)}
BASE = -1024


def with_memory(processor: Processor, share: int) -> list[tuple[bytes, Any]]:
    """Instructions, their memory operand changed into what RDI or R15 points to."""
    decoder, kinds = processor.decoder, processor.decoder.kinds()
    strings = list(Strings(seed=8, share=share))
    changed = []
    for string, ours in zip(strings, decoder.decode(processor.cpu, strings), strict=True):
        if ours.verdict == OK and ours.has_modrm and ours.modrm < 0xC0 and not CALLS.search(string):
            at = ours.modrm_at
            changed.append(string[:at] + bytes([ours.modrm & 0x38 | 7]) + string[at + 1 :])
    return [
        (string, ours)
        for string, ours in zip(changed, decoder.decode(processor.cpu, changed), strict=True)
        if ours.verdict == OK and ours.memory_bytes and kinds[ours.kind] not in APART and not excused(string, ours)
        if ours.encoding or (ours.map, ours.opcode) not in BY_REGISTER | UMIP
    ]


def measure(processor: Processor, found: list[tuple[bytes, Any]]) -> list[list[Answer]]:
    """Of each: at BASE; all of it there, and not all; read-only; as little aligned as it may be, and less."""
    requests = []
    for string, ours in found:
        end, step = -ours.memory_bytes, max(ours.alignment, 1)
        pointers = [BASE, end, end + step, BASE, BASE + step, BASE + (step // 2 or 1)]
        requests += [Request(string, ours.length, at, read_only=number == 3) for number, at in enumerate(pointers)]
    answers = processor.run(requests)
    return [answers[at : at + 6] for at in range(0, len(answers), 6)]


def faults(answer: Answer, first: int, behind: int) -> bool:
    return answer.trap == TRAP_PF and not answer.wanted and first <= answer.address < behind


def aligned_anyway(ours: Any) -> bool:
    """Zen's SHA instructions do not care, whatever the manuals say."""
    return ours.encoding == 0 and (
        (ours.map == 2 and 0xC8 <= ours.opcode <= 0xCD) or (ours.map, ours.opcode) == (3, 0xCC)
    )


@pytest.mark.parametrize("share", SHARE)
def test_memory_operands(processor: Processor, share: int) -> None:
    """How many bytes are accessed, whether they are written, and how they have to be aligned."""
    found = with_memory(processor, share)
    wrong, measured, sizes = Counter[str](), 0, set()
    for (string, ours), answers in zip(found, measure(processor, found), strict=True):
        plain, fits, does_not, read_only, aligned, less = answers
        if plain.trap in (TRAP_UD, TRAP_SS, TRAP_GP):
            continue  # the kernel's
        measured += 1
        sizes.add(ours.memory_bytes)
        code = string[: ours.length].hex()
        if faults(fits, 0, 64):
            wrong[f"{code} accesses more than {ours.memory_bytes} bytes"] += 1
        if not faults(does_not, 0, 64):
            wrong[f"{code} accesses less than {ours.memory_bytes} bytes"] += 1
        writes = faults(read_only, BASE, BASE + ours.memory_bytes) and bool(read_only.error & ERROR_WRITE)
        if writes != bool(ours.memory_access & WRITE):
            wrong[f"{code} {'writes' if writes else 'does not write'} memory"] += 1
        if not aligned_anyway(ours) and (aligned.trap == TRAP_GP or (less.trap == TRAP_GP) != (ours.alignment > 1)):
            wrong[f"{code} is not to be aligned to {ours.alignment}"] += 1
    assert not wrong, "\n".join(sorted(wrong)[:30])
    assert measured > len(found) // 2
    assert {1, 2, 4, 8, 10, 16, 28, 108} <= sizes


#: Bytes of vectors of which something overflows, underflows, is inexact, denormal or invalid.
NUMBERS = (0x7F, 0x01, 0x80, 0x3F, 0x47)


@pytest.mark.parametrize("share", SHARE)
def test_only_what_rounds_raises_exceptions_of_mxcsr(processor: Processor, share: int) -> None:
    units = processor.decoder.units()
    vectors = {units[f"X86_{name}"] for name in ("MMX", "SSE", "VEX")}
    strings = [string for string in Strings(seed=9, share=max(share // 2, 1)) if not CALLS.search(string)]
    found = [
        (string, ours)
        for string, ours in zip(strings, processor.decoder.decode(processor.cpu, strings), strict=True)
        if ours.verdict == OK and ours.unit in vectors and not ours.memory
    ]
    raised, opcodes = set(), set()
    for value in NUMBERS:
        requests = [Request(string, ours.length, vectors=value, unmasked=True) for string, ours in found]
        for (string, ours), answer in zip(found, processor.run(requests), strict=True):
            if answer.trap == TRAP_XM:
                opcodes.add((ours.encoding != 0, ours.map, ours.opcode))
                if not ours.mxcsr:
                    raised.add(string[: ours.length].hex())
    assert not raised
    assert len(opcodes) > 20
