# SPDX-License-Identifier: GPL-2.0-only
"""native/engine/x86 against iced-x86, which shares no code; test_decoder_processor.py asks the processor."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import iced_x86
import pytest
from decoder import LONGEST, STRIDE, Decoder, Strings
from iced_x86 import DecoderOptions, EncodingKind, MemorySizeExt, OpKind, Register, RegisterExt, RflagsBits

OK, UD, GP, SHORT = range(4)
NONE, RIP = 255, 16
READ, WRITE = 1, 2
SHARE = [pytest.param(16), pytest.param(1, marks=pytest.mark.soak)]


def names(enum: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enum).items() if isinstance(value, int)}


FEATURES, ACCESSES, MNEMONICS = names(iced_x86.CpuidFeature), names(iced_x86.OpAccess), names(iced_x86.Mnemonic)
READS = {"READ", "COND_READ", "READ_WRITE", "READ_COND_WRITE"}
WRITES = {"WRITE", "COND_WRITE", "READ_WRITE", "READ_COND_WRITE"}
INFO = iced_x86.InstructionInfoFactory()

#: iced's names of features, and which of ours that is. What is in neither list, no processor has that we decode for.
SAME = {
    "SSE4_1": "SSE41",
    "SSE4_2": "SSE42",
    "CMPXCHG16B": "CX16",
    "CET_IBT": "CET",
    "CET_SS": "CET",
    "D3NOW": "3DNOW",
    "D3NOWEXT": "3DNOW",
    "HLE_OR_RTM": "RTM",
    "INVEPT": "VMX",
    "INVVPID": "VMX",
    "SKINIT_OR_SVM": "SVM",
    "SEP": "SYSENTER",
}
ALWAYS = set(
    re.findall(
        r"\w+",
        "INTEL8086 INTEL186 INTEL286 INTEL386 INTEL486 X64 FPU FPU287 FPU387 CPUID CMOV TSC MSR MMX SSE SSE2 FXSR CX8"
        " CLFSH PAUSE RDPMC SYSCALL MULTIBYTENOP PREFETCHW",
    )
)
#: Without their feature these are others, or hints.
FALLS_BACK = {"TZCNT", "LZCNT", "RDSSPD", "RDSSPQ", "ENDBR32", "ENDBR64", "CLDEMOTE", "PREFETCHWT1", "WBNOINVD"}
FALLS_BACK |= {"PREFETCHIT0", "PREFETCHIT1"}
#: iced has these to have a name for them.
NO_INSTRUCTION = {"UD0", "UD1", "UD2", "RSM"}


@dataclass
class Case:
    """A string, what we say and what iced says."""

    string: bytes
    ours: Any
    theirs: iced_x86.Instruction
    offsets: iced_x86.ConstantOffsets
    intel: bool

    @property
    def name(self) -> str:
        return MNEMONICS[self.theirs.mnemonic]

    @property
    def opcode(self) -> tuple[int, int]:
        """The map's number, and the byte; of legacy encodings."""
        return (self.ours.map, self.ours.opcode) if self.ours.encoding == 0 else (-1, -1)

    def __str__(self) -> str:
        return f"{self.string.hex()}: {self.theirs}"


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Decoder:
    return Decoder(tmp_path_factory.mktemp("decoder"))


def cases(decoder: Decoder, strings: list[bytes], features: set[str], *, intel: bool) -> Iterator[Case]:
    options = DecoderOptions.NONE if intel else DecoderOptions.AMD
    for string, ours in zip(strings, decoder.decode(decoder.cpu(features, intel=intel), strings), strict=True):
        theirs = iced_x86.Decoder(64, string, options)
        instruction = theirs.decode()
        yield Case(string, ours, instruction, theirs.get_constant_offsets(instruction), intel)


@pytest.fixture(scope="module", params=SHARE)
def both(request: pytest.FixtureRequest, decoder: Decoder) -> list[Case]:
    """What both say is an instruction, of either vendor."""
    ret = []
    for intel in (True, False):
        strings = list(Strings(seed=2 + intel, share=request.param))
        for case in cases(decoder, strings, set(decoder.features()), intel=intel):
            if case.ours.verdict == OK and case.theirs and not excused(case):
                ret.append(case)
    return ret


def needs(decoder: Decoder, case: Case) -> set[str] | None:
    """Features, or None: it needs one that we do not know."""
    ret = {FEATURES[number] for number in case.theirs.cpuid_features()} - ALWAYS
    ret = {SAME.get(name, name) for name in ret}
    if case.name in ("LAHF", "SAHF"):
        ret.add("LAHF")
    if case.name == "VMMCALL":
        ret.clear()  # what makes it one to its guest does not depend on what the guest has
    if case.theirs.encoding in (EncodingKind.VEX, EncodingKind.XOP) and not ret & {"BMI1", "BMI2", "TBM"}:
        ret.add("AVX")  # which theirs takes for granted
    return ret if ret <= set(decoder.features()) else None


def excused(case: Case) -> str | None:
    """Why we know better than iced whether it is an instruction."""
    ours = case.ours
    if case.opcode == (1, 0x01) and ours.modrm == 0xC1:
        return "vmcall has no mandatory prefix: others do nothing"
    if case.opcode in ((1, 0x20), (1, 0x22)) and ours.lock:
        return "LOCK makes CR0 CR8 (AMD APM vol. 3, MOV CRn)"
    if not case.intel and case.opcode == (1, 0x01) and ours.modrm in (0xEE, 0xEF):
        return "rdpkru and wrpkru: AMD's take any prefix"
    if not case.intel and case.opcode == (1, 0x0D) and ours.modrm >= 0xC0:
        return "AMD's prefetch has no register form; Intel's 0F 0D is reserved for hints"
    return None


def report(wrong: dict[str, list[Case]]) -> str:
    return "\n".join(f"{reason} ({len(them)}): {them[0]}" for reason, them in sorted(wrong.items())[:30])


def add(wrong: dict[str, list[Case]], reason: str, case: Case) -> None:
    wrong.setdefault(f"{case.name} {reason}", []).append(case)


@pytest.mark.parametrize("share", SHARE)
@pytest.mark.parametrize("intel", [True, False], ids=["intel", "amd"])
def test_what_is_an_instruction_and_how_long_it_is(decoder: Decoder, intel: bool, share: int) -> None:
    wrong: dict[str, list[Case]] = {}
    seen: Counter[int] = Counter()
    for case in cases(decoder, list(Strings(seed=1, share=share)), set(decoder.features()), intel=intel):
        seen[case.ours.verdict] += 1
        if excused(case):
            continue
        needed = needs(decoder, case)
        if case.ours.verdict == OK and not case.theirs:
            add(wrong, "is none", case)
        elif case.ours.verdict == OK and case.ours.length != case.theirs.len:
            add(wrong, f"has {case.theirs.len} bytes, not {case.ours.length}", case)
        elif case.ours.verdict != OK and case.theirs and needed is not None and case.name not in NO_INSTRUCTION:
            add(wrong, f"is one, with {needed}", case)
    assert not wrong, report(wrong)
    assert seen[OK] > seen.total() // 4
    assert seen[UD] > seen.total() // 5
    assert seen[GP] > 0
    assert seen[SHORT] == 0


def test_without_a_feature_what_needs_it_is_none(decoder: Decoder) -> None:
    """Random sets of features: all that iced lists have to be there."""
    wrong: dict[str, list[Case]] = {}
    dice = random.Random(4)
    missed: Counter[str] = Counter()
    strings = list(Strings(seed=4, share=2))
    for part in range(24):
        lacks = set(dice.sample(decoder.features(), 6)) - {"AVX"}
        if part % 8 == 0:
            lacks.add("AVX")
        have = set(decoder.features()) - lacks
        for case in cases(decoder, strings[part::24], have, intel=True):
            needed = needs(decoder, case)
            if not case.theirs or needed is None or case.name in FALLS_BACK | NO_INSTRUCTION or excused(case):
                continue
            missed.update(needed & lacks)
            if (case.ours.verdict == OK) != (needed <= have):
                add(wrong, f"needs {needed}, of which {needed & lacks} are missing: {case.ours.verdict}", case)
    assert not wrong, report(wrong)
    assert len(missed) > 25, missed


def test_what_is_something_else_without_its_feature(decoder: Decoder) -> None:
    old = decoder.cpu(set(), intel=True)
    new = decoder.cpu(set(decoder.features()), intel=True)
    bsf, bsr, hint, popcnt = b"\xf3\x0f\xbc\xc1", b"\xf3\x0f\xbd\xc1", b"\xf3\x0f\x1e\xc8", b"\xf3\x0f\xb8\xc1"
    kinds = decoder.kinds()
    before, after = (list(decoder.decode(cpu, [bsf, bsr, hint, popcnt])) for cpu in (old, new))
    assert [insn.verdict for insn in before] == [OK, OK, OK, UD]
    assert [insn.verdict for insn in after] == [OK] * 4
    assert [insn.gpr_read for insn in before[:2]] == [3, 3], (
        "bsf and bsr leave their destination alone if they find no bit"
    )
    assert [insn.gpr_read for insn in after[:2]] == [2, 2]
    assert [kinds[insn.kind] for insn in (before[2], after[2])] == ["NOP", "OTHER"]


def number(register: int) -> int:
    """Of a register in an address, as we have it."""
    if register == Register.NONE:
        return NONE
    if register in (Register.RIP, Register.EIP):
        return RIP
    return RegisterExt.number(RegisterExt.full_register(register))


def memory_operand(case: Case) -> int | None:
    kinds = [case.theirs.op_kind(at) for at in range(case.theirs.op_count)]
    found = [
        at for at, kind in enumerate(kinds) if kind in (OpKind.MEMORY, OpKind.MEMORY_SEG_RDI, OpKind.MEMORY_SEG_EDI)
    ]
    strings = {OpKind.MEMORY_SEG_RSI, OpKind.MEMORY_SEG_ESI}
    return found[0] if found and not strings & set(kinds) else None


def test_memory_operands(both: list[Case]) -> None:
    """Where it is, how much of it is accessed, and how."""
    wrong: dict[str, list[Case]] = {}
    sizes: Counter[int] = Counter()
    for case in both:
        at = memory_operand(case)
        if case.name == "XLATB":
            continue  # RBX and AL are no operand of ModRM
        if (at is not None) != case.ours.memory:
            add(wrong, f"has memory operand {at}", case)
            continue
        if at is None:
            continue
        if not is_address(case):
            add(wrong, "has another address", case)
        access = ACCESSES[INFO.info(case.theirs).op_access(at)]
        size = MemorySizeExt.size(case.theirs.memory_size)
        how = (READ if access in READS else 0) | (WRITE if access in WRITES else 0)
        if access in ("NONE", "NO_MEM_ACCESS") or case.name in ("CLFLUSH", "CLFLUSHOPT", "CLWB"):
            size = how = 0
        elif "GATHER" in case.name:
            size = 0  # theirs is that of an element
        elif case.name == "MOVSXD" and size == 2 and not case.intel:
            size = 4  # by test_decoder_processor.py
        elif case.name.startswith("XSAVE"):
            how = WRITE  # of what is there it reads the header
        sizes[size] += 1
        if (size, how) != (case.ours.memory_bytes, case.ours.memory_access):
            add(wrong, f"accesses {size} bytes, {how}; ours {case.ours.memory_bytes}, {case.ours.memory_access}", case)
        if how & WRITE and not case.ours.writes_memory:
            add(wrong, "writes memory", case)
    assert not wrong, report(wrong)
    assert set(sizes) == {0, 1, 2, 4, 6, 8, 10, 14, 16, 28, 32, 94, 108, 512}, sizes


def is_address(case: Case) -> bool:
    ours, theirs = case.ours, case.theirs
    if theirs.memory_base == theirs.memory_index == Register.NONE and ours.base == 7:
        return True  # maskmovq and maskmovdqu: theirs has no base there
    displacement = ours.displacement + (ours.length if ours.base == RIP else 0)
    bits = 32 if ours.address32 else 64
    segment = {Register.FS: 4, Register.GS: 5}.get(theirs.segment_prefix, ours.segment if ours.void_segment else NONE)
    return (
        (number(theirs.memory_base), number(theirs.memory_index)) == (ours.base, ours.index)
        and (ours.index == NONE or theirs.memory_index_scale == ours.scale)
        and (theirs.memory_displacement - displacement) % (1 << bits) == 0
        and segment == ours.segment
    )


def test_where_constants_lie(both: list[Case]) -> None:
    wrong: dict[str, list[Case]] = {}
    for case in both:
        ours, theirs = case.ours, case.offsets
        immediate = theirs.immediate_size + theirs.immediate_size2
        if case.string[ours.opcode_at] != ours.opcode or (ours.has_modrm and case.string[ours.modrm_at] != ours.modrm):
            add(wrong, "has its opcode or ModRM elsewhere", case)
        if (ours.displacement_at, ours.displacement_bytes) != (theirs.displacement_offset, theirs.displacement_size):
            add(wrong, f"has its displacement at {theirs.displacement_offset}", case)
        if ours.immediate_bytes and not immediate:
            continue
        if (ours.immediate_at, ours.immediate_bytes) != (theirs.immediate_offset, immediate):
            add(wrong, f"has an immediate of {immediate} at {theirs.immediate_offset}", case)
    assert not wrong, report(wrong)


@dataclass
class Uses:
    """Registers by bits."""

    read: int = 0
    written: int = 0

    def add(self, access: str, bit: int, *, partly: bool) -> None:
        if access in WRITES:
            self.written |= bit
        if access in READS or access == "COND_WRITE" or (access in WRITES and partly):
            self.read |= bit


def uses(case: Case) -> tuple[Uses, Uses, Uses]:
    """Of general registers and vectors, by iced; and of MMX."""
    general, vectors, mmx = Uses(), Uses(), Uses()
    for used in INFO.info(case.theirs).used_registers():
        register, access = used.register, ACCESSES[used.access]
        if RegisterExt.is_gpr(register):
            bit = 1 << RegisterExt.number(RegisterExt.full_register(register))
            general.add(access, bit, partly=RegisterExt.size(register) < 4)
        elif RegisterExt.is_vector_register(register):
            if RegisterExt.number(register) < 16:
                vectors.add(access, 1 << RegisterExt.number(register), partly=False)
        elif RegisterExt.is_mm(register):
            mmx.add(access, 1 << RegisterExt.number(register), partly=False)
    return general, vectors, mmx


#: Of these ours says less of registers: nobody executes them natively.
SYSTEM = re.compile(
    r"(VMRUN|VMLOAD|VMSAVE|VMFUNC|INVLPGA|SKINIT|SYS(CALL|RET|ENTER|EXIT)Q?|XBEGIN|RDSSP[DQ]|PAUSE|ENDBR64)$"
)
ZEROES = re.compile(r"V?(PXOR|XORP[SD]|PSUBU?S?[BWDQ]|PANDN|PCMPGT[BWDQ])$|XOR$|SUB$")


def test_registers(both: list[Case]) -> None:
    wrong: dict[str, list[Case]] = {}
    for case in both:
        ours = case.ours
        if SYSTEM.match(case.name) or kind(case) == "NOP":
            continue
        general, vectors, mmx = uses(case)
        gather = "GATHER" in case.name
        address = sum(1 << reg for reg in {ours.base, ours.index} if reg < 16) if ours.memory and not gather else 0
        if gather:
            address = 1 << ours.base if ours.base < 16 else 0
            vectors.read &= ~(1 << ours.index) | ours.vector_read
        read, vector_read = ours.gpr_read | address, ours.vector_read
        if ZEROES.match(case.name) or case.name == "INSERTQ":
            # Theirs knows that a register less itself is 0; and of INSERTQ not that the rest of its destination stays.
            general.read |= read
            vectors.read |= vector_read
            mmx.read |= ours.mmx_read
        if case.name.startswith("LODS"):
            general.read |= 1  # 0 times: it stays
            read |= 1
        if (general.read, general.written) != (read, ours.gpr_written):
            add(
                wrong,
                f"reads {general.read:x}, not {read:x}, writes {general.written:x}, not {ours.gpr_written:x}",
                case,
            )
        if (vectors.read, vectors.written) != (vector_read, ours.vector_written):
            add(wrong, f"reads {vectors.read:x}, not {vector_read:x}, of vectors, writes {vectors.written:x}", case)
        whole = case.name in ("FNSAVE", "FRSTOR")  # of x87, which is none of MMX
        if not whole and (mmx.read, mmx.written) != (ours.mmx_read, ours.mmx_written):
            add(wrong, f"reads {mmx.read:x}, not {ours.mmx_read:x}, of MMX, writes {mmx.written:x}", case)
    assert not wrong, report(wrong)


ARITHMETIC = RflagsBits.OF | RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.CF | RflagsBits.PF
#: By a count, which theirs looks at: by 0 they leave flags alone.
SHIFTS = re.compile(r"(RO|RC|SH|SA)[LR]D?$")
#: What theirs has as undefined no processor changes; and a VM's exits are not executed here.
FLAGS_APART = re.compile(r"(MOV|RSTORSSP|SKINIT|SYSCALL|VMCALL|VMFUNC|VMLAUNCH|VMRESUME|VMXOFF|VMRUN|VMGEXIT)$")


def test_flags(both: list[Case]) -> None:
    wrong: dict[str, list[Case]] = {}
    for case in both:
        reads, writes = bool(case.theirs.rflags_read & ARITHMETIC), bool(case.theirs.rflags_modified & ARITHMETIC)
        if FLAGS_APART.match(case.name):
            continue
        if SHIFTS.match(case.name) and not writes:
            continue
        if (reads, writes) != (case.ours.reads_flags, case.ours.writes_flags):
            add(wrong, f"reads flags: {reads}; writes flags: {writes}", case)
    assert not wrong, report(wrong)


KINDS = {
    r"J(?!MP)\w+|LOOP\w*|XBEGIN": "JCC",
    r"RET": "RET",
    r"RETF": "FAR",
    r"IRET[DQ]?": "IRET",
    r"INT|INT1|INT3": "INT",
    r"SYSCALL": "SYSCALL",
    r"SYSRETQ?": "SYSRET",
    r"SYSENTER": "SYSENTER_OP",
    r"SYSEXITQ?": "SYSEXIT",
    r"HLT": "HLT",
    r"PAUSE": "PAUSE",
    r"INVLPG": "INVLPG",
    r"WRMSR": "WRMSR",
    r"IN": "IN",
    r"OUT": "OUT",
    r"INS[BWD]": "INS",
    r"OUTS[BWD]": "OUTS",
    r"MFENCE": "MFENCE",
    r"CPUID": "CPUID",
    r"VMCALL|VMMCALL|VMGEXIT": "HYPERCALL",
    r"(MOVS|STOS|LODS|CMPS|SCAS)[BWDQ]": "STRING",
    r"NOP|RESERVEDNOP|PREFETCH\w*|CLDEMOTE|ENDBR\w*": "NOP",
    r"XSAVE\w*|XRSTOR\w*|FXSAVE\w*|FXRSTOR\w*|XGETBV|XSETBV": "XSAVE_OP",
    r"V?LDMXCSR|V?STMXCSR": "MXCSR",
    r"CLFLUSH|CLFLUSHOPT|CLWB": "CACHE_LINE",
    r"ENTER": "ENTER",
    r"VZEROUPPER|VZEROALL": "VZERO",
    r"V\w*GATHER\w+": "GATHER",
    r"V?MASKMOV\w+|VPMASKMOV\w+": "MASKED",
}


def kind(case: Case) -> str:
    theirs = case.theirs
    if case.name in ("MOVSD", "CMPSD") and case.ours.map != 0:
        return "OTHER"  # of vectors
    if case.name == "PAUSE" and case.ours.b and not case.intel:
        return "OTHER"  # the processor exchanges RAX and R8
    if case.name in ("CALL", "JMP") and theirs.op0_kind in (OpKind.NEAR_BRANCH16, OpKind.NEAR_BRANCH64):
        return case.name
    if case.name in ("CALL", "JMP"):
        return "FAR" if theirs.is_call_far_indirect or theirs.is_jmp_far_indirect else f"{case.name}_INDIRECT"
    if case.name == "MOV" and theirs.op0_kind == OpKind.REGISTER and RegisterExt.is_cr(theirs.op0_register):
        return "MOV_CR"
    return next((ours for pattern, ours in KINDS.items() if re.fullmatch(pattern, case.name)), "OTHER")


def test_kinds(decoder: Decoder, both: list[Case]) -> None:
    wrong: dict[str, list[Case]] = {}
    kinds = decoder.kinds()
    seen = set()
    for case in both:
        expected = kind(case)
        seen.add(expected)
        if expected != kinds[case.ours.kind]:
            add(wrong, f"is {expected}, not {kinds[case.ours.kind]}", case)
    assert not wrong, report(wrong)
    assert seen == set(kinds.values())


def unit(case: Case) -> str:
    _, vectors, mmx = uses(case)
    features = {FEATURES[number] for number in case.theirs.cpuid_features()}
    if (
        case.ours.encoding == 0
        and case.ours.map == 0
        and (0xD8 <= case.ours.opcode <= 0xDF or case.ours.opcode == 0x9B)
    ):
        return "X87"
    if mmx.read | mmx.written or case.name in ("EMMS", "FEMMS") or re.match(r"CVTT?PI2|CVTT?P[SD]2PI", case.name):
        return "MMX"
    vector = bool(vectors.read | vectors.written) or re.search("MXCSR|VZERO|CVT", case.name)
    if not vector or features & {"BMI1", "BMI2", "TBM"}:
        return "INTEGER"
    return "SSE" if case.theirs.encoding == EncodingKind.LEGACY else "VEX"


def test_units(decoder: Decoder, both: list[Case]) -> None:
    wrong: dict[str, list[Case]] = {}
    units = {number: name.removeprefix("X86_") for name, number in decoder.units().items()}
    for case in both:
        if re.match(r"X(SAVE|RSTOR)|FX", case.name):
            continue  # all there is, as INTEGER
        if unit(case) != units[case.ours.unit]:
            add(wrong, f"is {unit(case)}, not {units[case.ours.unit]}", case)
    assert not wrong, report(wrong)


def test_bytes_that_are_not_there(decoder: Decoder) -> None:
    """Each string cut short everywhere: it says so, up to its length, and then what it said with all of them."""
    cpu = decoder.cpu(set(decoder.features()), intel=False)
    strings = list(Strings(seed=5, share=16))
    whole = decoder.decode(cpu, strings)
    for size in range(1, STRIDE):
        cut = decoder.decode(cpu, strings, [size] * len(strings))
        for string, ours, all_of_it in zip(strings, cut, whole, strict=True):
            if size < all_of_it.length:
                assert ours.verdict == SHORT, (string.hex(), size)
            else:
                assert (
                    decoder.ffi.buffer(decoder.ffi.addressof(ours))[:]
                    == decoder.ffi.buffer(decoder.ffi.addressof(all_of_it))[:]
                ), (string.hex(), size)


def test_what_is_behind_does_not_matter(decoder: Decoder) -> None:
    cpu = decoder.cpu(set(decoder.features()), intel=True)
    strings = list(Strings(seed=6, share=8))
    once = decoder.decode(cpu, strings)
    others = [string[: ours.length] + b"\xa5" * STRIDE for string, ours in zip(strings, once, strict=True)]
    assert decoder.ffi.buffer(once)[:] == decoder.ffi.buffer(decoder.decode(cpu, others))[:]


@pytest.mark.parametrize("opcode", ["90", "0f0b", "0f58c1", "c5f858c1"])
def test_more_than_fifteen_bytes(decoder: Decoder, opcode: str) -> None:
    """Whatever it would be."""
    cpu = decoder.cpu(set(decoder.features()), intel=True)
    code = bytes.fromhex(opcode)
    longest = b"\x2e" * (LONGEST - len(code)) + code
    fits, does_not = decoder.decode(cpu, [longest, b"\x2e" + longest])
    assert fits.verdict != GP
    assert fits.length == LONGEST
    assert does_not.verdict == GP


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("ddc8", OK),  # aliases that processors execute
        ("dcd0", OK),
        ("dfc0", OK),
        ("dcd8", OK),
        ("ded0", OK),
        ("dfc8", OK),
        ("dfd0", OK),
        ("dfd8", OK),
        ("d9d8", OK),
        ("f6c801", OK),
        ("f7c801020304", OK),
        ("c0f003", OK),
        ("d3f0", OK),
        ("0faee9", OK),
        ("0faef7", OK),
        ("0faeff", OK),
        ("66f390", OK),
        ("f20fbcc1", OK),
        ("6648c20800", OK),
        ("0f1ac1", OK),
        ("f1", OK),
        ("82c001", UD),
        ("d6", UD),
        ("8fc8", SHORT),  # XOP
        ("8fc87878c0", UD),
        ("66c5f858c1", UD),
        ("f3c5f858c1", UD),
        ("f0c5f858c1", UD),
        ("40c5f858c1", UD),
        ("482ec5f858c1", OK),  # a void REX
        ("c5f05bc1", UD),  # vvvv without meaning
        ("c5fc6ec1", UD),
        ("f00000", OK),
        ("f000c0", UD),
        ("f00200", UD),
        ("f03800", UD),
        ("0f20c8", UD),  # CR1
        ("440f20c0", OK),  # CR8
        ("440f20c8", UD),
        ("440f21c0", UD),
        ("8ec8", UD),  # CS
        ("8ef0", UD),
        ("8cc8", OK),
        ("62f17c4858c1", UD),  # EVEX
        ("c4e26990040a", OK),
        ("c4e2699014 0a", UD),  # a gather of one register twice
        ("c4e2699001", UD),  # a gather without SIB
    ],
)
def test_odd_ones(decoder: Decoder, code: str, verdict: int) -> None:
    """Each is decoded whole."""
    string = bytes.fromhex(code)
    cpu = decoder.cpu(set(decoder.features()) - {"XOP"}, intel=True)
    assert decoder.decode(cpu, [string], [len(string)])[0].verdict == verdict


@pytest.mark.parametrize(("intel", "length"), [(True, 7), (False, 5)])
def test_near_branches_of_16_bits_are_amds(decoder: Decoder, intel: bool, length: int) -> None:
    jcc, call, ret = decoder.decode(
        decoder.cpu(set(), intel=intel), [b"\x66\x0f\x84" + bytes(9), b"\x66\xe8" + bytes(9), b"\x66\xc3"]
    )
    assert (jcc.length, call.length, ret.length) == (length, length - 1, 2)
