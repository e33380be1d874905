# SPDX-License-Identifier: GPL-2.0-only
"""Cache model, branch predictor and breakpoints of the engine: exact counts of known programs, by the fake host."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fake_host import (
    BEGIN,
    CODE,
    END,
    HANDLER,
    LEAVE,
    PAGE_TABLE,
    STACK,
    USER_CODE,
    USER_DATA,
    Breakpoint,
    Counted,
    FakeHost,
    assemble,
    exit_call,
)
from model_oracle import step

from emulator.native import load_engine

lib = load_engine().lib
R, W, RW, X = lib.PV_BP_R, lib.PV_BP_W, lib.PV_BP_R | lib.PV_BP_W, lib.PV_BP_X
CACHES = ["L1D_LOADS", "L1D_LOAD_MISSES", "L1D_STORES", "CACHE_REFERENCES", "CACHE_MISSES"]

#: The exception handler: skips R15 bytes, and stores R13 at R14. Both are 0, or an address, beforehand.
FAULTS = f"""
.org {HANDLER - CODE:#x}
    test %r14, %r14
    jz 1f
    mov %r13, (%r14)
1:  add $8, %rsp
    add %r15, (%rsp)
    iretq
"""
PAGE = 0x40000000  # mapped to 0x300000; its neighbour is elsewhere
ABSENT, ALIAS = PAGE + 0x3000, PAGE + 0x4000
SETUP = f"""
    lidt 0x9ff0
    mov $0x28, %eax
    ltr %ax
    xor %r13d, %r13d
    xor %r14d, %r14d
    xor %r15d, %r15d
    mov ${PAGE:#x}, %edi
    lea 0x800(%rdi), %rsi
    xor %edx, %edx
    xor %ebx, %ebx
    cld
"""


def program(body: str) -> str:
    """A guest that counts `body`, which finds RDI at PAGE, RSI in it, RDX and RBX 0; `watched` is a label of its."""
    return SETUP + exit_call(BEGIN) + body + "\n" + exit_call(END) + body_after() + exit_call(LEAVE) + FAULTS


def body_after() -> str:
    """What would count, if anything still did: an access, a branch and a locked operation."""
    return f"mov ${PAGE:#x}, %edi; mov (%rdi), %eax; mov %eax, (%rdi); lock incl (%rdi); jmp 9f; 9: jmp *8f(%rip)\n" + (
        ".balign 8; 8: .quad 7f; 7:\n"
    )


def loop(turns: int, body: str) -> str:
    return f"mov ${turns}, %ebp; 5: {body}; dec %ebp; jnz 5b"


def address_of(code: bytes, mark: bytes) -> int:
    """Where `mark`, which is in the code once, lies."""
    assert code.count(mark) == 1
    return CODE + code.index(mark)


def count(
    folder: Path, body: str, wanted: list[str], breakpoints: dict[int, Breakpoint] | None = None, **config: object
) -> Counted:
    counted = FakeHost(assemble(program(body), folder), **config).count(wanted, breakpoints)
    assert not any(counted.afterwards.values()), counted.afterwards
    return counted


def hits(folder: Path, body: str, *breakpoints: Breakpoint) -> list[int]:
    """Kernel and user hits together of each breakpoint."""
    counted = count(folder, body, [], dict(enumerate(breakpoints)))
    return [sum(counted.counts[f"BREAKPOINT{slot}"]) for slot in range(len(breakpoints))]


DATA = {  # body, and the hits of R, W and RW on 8 bytes at PAGE + 0x100
    "loads": (loop(100, "mov 0x100(%rdi), %eax"), (100, 0, 100)),
    "stores": (loop(100, "mov %eax, 0x100(%rdi)"), (0, 100, 100)),
    "read-modify-write": (loop(100, "addl $1, 0x100(%rdi)"), (100, 100, 100)),
    "compare": (loop(7, "cmpb $1, 0x107(%rdi)"), (7, 0, 7)),
    "beside it": ("mov 0xf8(%rdi), %rax; mov %rax, 0x108(%rdi); lock incl 0x108(%rdi)", (0, 0, 0)),
    "overlap from below": ("mov 0xf9(%rdi), %rax; mov %rax, 0xf9(%rdi)", (1, 1, 2)),
    "overlap from above": ("mov 0x107(%rdi), %rax; mov %rax, 0x107(%rdi)", (1, 1, 2)),
    "halves of 16 bytes": ("movups 0xf0(%rdi), %xmm0; movups 0xf8(%rdi), %xmm0; movups 0x100(%rdi), %xmm0", (2, 0, 2)),
    "store of 16 bytes": ("movups %xmm0, 0xf4(%rdi); movups %xmm0, 0x100(%rdi)", (0, 2, 2)),
    "fxsave": ("fxsave 0x80(%rdi); fxrstor 0x80(%rdi)", (1, 1, 2)),
    "push and pop": ("mov %rsp, %rax; lea 0x108(%rdi), %rsp; push %rdx; pop %rdx; mov %rax, %rsp", (1, 1, 2)),
    "push from memory": ("pushq 0x100(%rdi); popq 0x100(%rdi)", (1, 1, 2)),
    "call and ret": ("mov %rsp, %rax; lea 0x108(%rdi), %rsp; call 1f; jmp 2f; 1: ret; 2: mov %rax, %rsp", (1, 1, 2)),
    "rep stos": ("mov $16, %ecx; add $0xfc, %rdi; rep stosb", (0, 8, 8)),
    "rep movs": ("mov $4, %ecx; lea 0x100(%rdi), %rsi; rep movsw", (4, 0, 4)),
    "rep movs into itself": ("mov $8, %ecx; lea 0x100(%rdi), %rsi; mov %rsi, %rdi; rep movsb", (8, 8, 8)),
    "rep of none": ("xor %ecx, %ecx; add $0x100, %rdi; rep stosb", (0, 0, 0)),
    "repne scas": ("mov $20, %ecx; add $0xfe, %rdi; mov $1, %al; repne scasb", (8, 0, 8)),
    "cmps": ("lea 0x100(%rdi), %rsi; lea 0x101(%rdi), %rdi; cmpsb", (1, 0, 1)),
    "lock inc": (loop(50, "lock incl 0x104(%rdi)"), (50, 50, 50)),
    "xchg": ("xchg %rax, 0x100(%rdi)", (1, 1, 1)),
    "failing cmpxchg": ("mov $77, %eax; lock cmpxchg %edx, 0x100(%rdi)", (1, 1, 1)),
    "lock cmpxchg16b": ("lock cmpxchg16b 0x100(%rdi)", (1, 1, 1)),
    "cmpxchg16b": ("cmpxchg16b 0xf0(%rdi); cmpxchg16b 0x100(%rdi)", (1, 1, 1)),
    "bts by register": ("mov $0x806, %eax; bts %rax, (%rdi)", (1, 1, 1)),
    "prefetch": ("prefetcht0 0x100(%rdi); clflush 0x100(%rdi)", (0, 0, 0)),
    "lea": ("lea 0x100(%rdi), %rax", (0, 0, 0)),
    "another name of the page": (
        f"mov ${ALIAS + 0x100:#x}, %eax; mov (%rax), %ecx; mov %ecx, (%rax); lock incl (%rax); push (%rax); "
        "mov %rax, %rdi; mov %rax, %rsi; movsb; mov $3, %ecx; rep stosb; fxsave -0x20(%rax); cmpxchg16b (%rax)",
        (0, 0, 0),
    ),
    "the same offset of other pages": (
        f"mov ${PAGE + 0x1100:#x}, %eax; mov (%rax), %rcx; mov %rcx, (%rax); mov 0x200100, %ecx",
        (0, 0, 0),
    ),
    "fault that is skipped": (
        f"mov ${ABSENT:#x}, %eax; mov $7, %r15d; movq $1, (%rax); mov 0x100(%rdi), %ecx",
        (1, 0, 1),
    ),
    "load that faults in its store": (
        f"lea 0x100(%rdi), %rsi; mov ${ABSENT:#x}, %edi; mov $2, %r15d; movsq",
        (0, 0, 0),
    ),
    "load that faults behind one of the same block": (
        f"mov ${ABSENT:#x}, %eax; mov $2, %r15d; mov 0x100(%rdi), %ecx; mov (%rax), %ebx",
        (1, 0, 1),
    ),
    "remapped": (
        f"movq ${0x301000 | 7:#x}, {PAGE_TABLE:#x}; invlpg (%rdi); mov 0x100(%rdi), %eax; mov 0x300100, %eax",
        (1, 0, 1),
    ),
}


@pytest.mark.parametrize("case", DATA)
def test_data_breakpoint(case: str, tmp_path: Path) -> None:
    body, expected = DATA[case]
    watched = (PAGE + 0x100, 8)
    assert tuple(hits(tmp_path, body, (*watched, R), (*watched, W), (*watched, RW))) == expected


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, 1, 1), (4, 1, 1), (5, 1, 0), (4, 4, 1), (8, 8, 0), (-3, 1, 1), (-4, 1, 0), (-8, 8, 1)],
)
def test_access_across_pages_that_are_no_neighbours_in_ram(
    offset: int, length: int, expected: int, tmp_path: Path
) -> None:
    """8 bytes from 3 in front of the page's end."""
    body = "mov 0xffd(%rdi), %rax; mov %rax, 0xffd(%rdi)"
    at = (PAGE + 0x1000 + offset, length)
    assert hits(tmp_path, body, (*at, R), (*at, W), (*at, RW)) == [expected, expected, 2 * expected]


def test_a_fault_that_is_mended_counts_once(tmp_path: Path) -> None:
    """The first attempt crosses into a page that is not present; the handler maps it."""
    body = f"mov ${PAGE_TABLE + 24:#x}, %r14d; mov ${0x355007:#x}, %r13d; mov ${ABSENT - 4:#x}, %eax; mov %rcx, (%rax)"
    assert hits(tmp_path, body, (ABSENT - 8, 8, W), (ABSENT, 4, W)) == [1, 1]


MARK = b"\x48\x8d\x49\x55"  # lea 0x55(%rcx), %rcx: in front of the watched instruction
LEAD = "lea 0x55(%rcx), %rcx; "

CODE_CASES = {  # body, and how often what stands behind LEAD is executed
    "once": (LEAD + "nop", 1),
    "in a loop": (loop(100, LEAD + "add $1, %eax"), 100),
    "not reached": ("jmp 1f; " + LEAD + "nop; 1:", 0),
    "rep stos": (LEAD + "rep stosb", 1),
    "rep movs, three times": (loop(3, f"mov $5, %ecx; mov ${PAGE:#x}, %edi; jmp 1f; {LEAD}1: rep movsb"), 3),
    "rep of none": ("jmp 1f; " + LEAD + "1: xor %ecx, %ecx", 1),
    "branch to itself": (f"mov $9, %ecx; jmp 1f; {LEAD}1: loop 1b", 9),
    "lock inc": (loop(10, LEAD + "lock incl (%rdi)"), 10),
    "xchg": (LEAD + "xchg %eax, (%rdi)", 1),
    "cpuid": (LEAD + "cpuid", 1),
    "out": ("mov $0x55, %eax; " + LEAD + "out %al, $0x80", 1),
    "in": (LEAD + "in $0x80, %al", 1),
    "hypercall": ("mov $77, %eax; " + LEAD + "vmcall", 1),
    "fault that is skipped": (f"mov ${ABSENT:#x}, %eax; mov $7, %r15d; {LEAD} movq $1, (%rax)", 0),
    "rewritten store": (f"lea 2f(%rip), %rax; {LEAD}movb $0x90, (%rax); nop; 2: nop; nop", 1),
}


@pytest.mark.parametrize("case", CODE_CASES)
def test_code_breakpoint(case: str, tmp_path: Path) -> None:
    body, expected = CODE_CASES[case]
    code = assemble(program(body), tmp_path)
    at = address_of(code, MARK) + len(MARK)
    counted = FakeHost(code).count([], {0: (at, 1, X), 1: (at - 1, 1, X), 3: (at, 8, X)})
    counts = [sum(counted.counts[f"BREAKPOINT{slot}"]) for slot in range(4)]
    assert counts == [expected, 0, 0, expected]


def test_rep_that_faults_counts_once(tmp_path: Path) -> None:
    """Instruction and iterations: 8 bytes in front of the absent page, 8 in it once the handler has mapped it."""
    setup = f"mov ${PAGE_TABLE + 24:#x}, %r14d; mov ${0x355007:#x}, %r13d; mov ${ABSENT - 8:#x}, %edi; mov $16, %ecx"
    code = assemble(program(f"{setup}; jmp 1f; {LEAD}1: rep stosb"), tmp_path)
    at = address_of(code, MARK) + len(MARK)
    points = {0: (at, 1, X), 1: (ABSENT - 8, 8, W), 2: (ABSENT, 8, W)}
    counted = FakeHost(code).count([], points)
    assert [sum(counted.counts[f"BREAKPOINT{slot}"]) for slot in range(3)] == [1, 8, 8]


def test_a_store_into_its_own_block_counts_once(tmp_path: Path) -> None:
    """Unicorn begins it anew. The cache sees it once, too."""
    body = "lea 2f(%rip), %rax; nop; movb $0x90, (%rax); nop; 2: nop; nop; mov (%rdi), %ecx"
    counted = count(tmp_path, body, CACHES)
    assert [counted.counts[name][0] for name in CACHES] == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("between", ["nop", "in $0x80, %al"])
def test_a_store_into_its_own_block_counts_once_in_front_of_a_rep(between: str, tmp_path: Path) -> None:
    """One a turn, and two of the rep."""
    body = f"lea 3f(%rip), %rbx; movb $0xb1, (%rbx); nop; {between}; nop; 3: mov $0, %cl; mov $2, %ecx; rep stosb"
    assert count(tmp_path, loop(10, body), ["L1D_STORES"]).counts["L1D_STORES"] == (30, 0)


USER = f"""
    mov $0xc0000080, %ecx
    rdmsr
    or $1, %eax
    wrmsr
    mov $0xc0000081, %ecx
    xor %eax, %eax
    mov $0x00100008, %edx
    wrmsr
    mov $0xc0000082, %ecx
    lea 3f(%rip), %rax
    xor %edx, %edx
    wrmsr
    mov $0xc0000084, %ecx
    xor %eax, %eax
    wrmsr
    mov (%rdi), %eax
    mov %eax, (%rdi)
    pushq ${USER_DATA}
    pushq ${STACK}
    pushfq
    pushq ${USER_CODE}
    lea 2f(%rip), %rax
    push %rax
    iretq
2:  addl $1, (%rdi)
    mov (%rdi), %eax
    mov (%rdi), %eax
    lock incl (%rdi)
    {LEAD} nop
    lea 4f(%rip), %rax
    jmp *%rax
    .balign 64
4:  syscall
3:  mov (%rdi), %eax
"""


def test_privilege_levels(tmp_path: Path) -> None:
    """Kernel: load, store, five pushes, iret that pops them, load. User: two updates, two loads, a watched nop."""
    code = assemble(program(USER), tmp_path)
    at = address_of(code, MARK) + len(MARK)
    points = {0: (PAGE, 8, R), 1: (PAGE, 8, W), 2: (at, 1, X)}
    counts = FakeHost(code).count([*CACHES, "BRANCH_MISSES"], points).counts
    assert counts["L1D_LOADS"] == (3, 4)
    assert counts["L1D_STORES"] == (6, 2)
    assert counts["BRANCH_MISSES"] == (0, 1)
    assert (counts["BREAKPOINT0"], counts["BREAKPOINT1"], counts["BREAKPOINT2"]) == ((2, 4), (1, 2), (0, 1))


BUFFER = 0x400000


def walk(bytes_: int, stride: int, rounds: int, access: str = "mov (%rax), %ecx") -> str:
    """`rounds` times over `bytes_` of BUFFER."""
    return (
        f"mov ${rounds}, %r8d; 6: mov ${BUFFER:#x}, %eax; "
        f"5: {access}; add ${stride}, %rax; cmp ${BUFFER + bytes_:#x}, %rax; jb 5b; dec %r8d; jnz 6b"
    )


WALKS = {  # body, configuration; loads, load misses, stores, references, misses
    "fits L1D": (walk(32 << 10, 64, 4), {}, (2048, 512, 0, 512, 512)),
    "a line more than L1D": (walk((32 << 10) + 64, 64, 4), {}, (2052, 513 + 3 * 9, 0, 513 + 3 * 9, 513)),
    "twice L1D": (walk(64 << 10, 64, 3), {}, (3072, 3072, 0, 3072, 1024)),
    "twice the last level": (walk(2 << 20, 64, 2), {}, (65536, 65536, 0, 65536, 65536)),
    "every word": (walk(4096, 8, 2), {}, (1024, 64, 0, 64, 64)),
    "as many lines of a set as ways": (walk(8 * 4096, 4096, 10), {}, (80, 8, 0, 8, 8)),
    "a line more than ways": (walk(9 * 4096, 4096, 10), {}, (90, 90, 0, 90, 9)),
    "stores allocate": (walk(4096, 64, 2, "mov %ecx, (%rax)"), {}, (0, 0, 128, 64, 64)),
    "updates": (walk(4096, 64, 2, "incl (%rax)"), {}, (128, 64, 128, 64, 64)),
    "locked updates": (walk(4096, 64, 2, "lock incl (%rax)"), {}, (128, 64, 128, 64, 64)),
    "across lines": (walk(4096, 128, 1, "mov 60(%rax), %rcx"), {}, (32, 32, 0, 64, 64)),
    "16 bytes are one load": (walk(4096, 16, 1, "movups (%rax), %xmm0"), {}, (256, 64, 0, 64, 64)),
    "16 bytes across lines": (walk(4096, 128, 1, "movups %xmm0, 56(%rax)"), {}, (0, 0, 32, 64, 64)),
    "rep stos": (f"mov ${BUFFER}, %edi; mov $4096, %ecx; rep stosb", {}, (0, 0, 4096, 64, 64)),
    "direct-mapped, two lines": (
        walk(4096, 64, 2),
        {"l1d": (1024, 1, 64), "llc": (2048, 2, 64)},
        (128, 128, 0, 128, 128),
    ),
    "longer lines": (walk(4096, 64, 2), {"l1d": (2048, 32, 64), "llc": (4096, 4, 256)}, (128, 128, 0, 128, 16)),
    "one line": (walk(128, 64, 5), {"l1d": (64, 1, 64), "llc": (64, 1, 64)}, (10, 10, 0, 10, 10)),
}


@pytest.mark.parametrize("case", WALKS)
def test_cache_walk(case: str, tmp_path: Path) -> None:
    body, config, expected = WALKS[case]
    counted = count(tmp_path, body, CACHES, **config)
    assert tuple(counted.counts[name][0] for name in CACHES) == expected


def calls(depth: int) -> str:
    """A recursion, and the way back."""
    return f"mov ${depth}, %ecx; call 1f; jmp 2f; 1: dec %ecx; jz 3f; call 1b; 3: ret; 2:"


BRANCHES = {  # body, misses
    "straight on": ("jmp 1f; nop; 1: jmp 1f; 1: call 1f; 1: pop %rax", 0),
    "weakly not taken at first": ("xor %eax, %eax; jnz 1f; nop; 1:", 0),
    "taken at first": ("xor %eax, %eax; jz 1f; nop; 1:", 1),
    "same target": ("lea 1f(%rip), %rax; jmp *%rax; 1:", 1),
    "call and ret": ("call 1f; call 1f; call 1f; jmp 2f; 1: ret; 2:", 0),
    "ret without call": ("lea 1f(%rip), %rax; push %rax; ret; 1:", 1),
    "ret elsewhere": ("call 1f; nop; jmp 2f; 1: addq $1, (%rsp); ret; 2:", 1),
    "iret is not predicted": (
        "mov %rsp, %rax; pushq $0x10; push %rax; pushfq; pushq $8; lea 1f(%rip), %rbx; push %rbx; iretq; 1:",
        0,
    ),
}


@pytest.mark.parametrize("case", BRANCHES)
def test_branch_misses(case: str, tmp_path: Path) -> None:
    body, expected = BRANCHES[case]
    assert count(tmp_path, body, ["BRANCH_MISSES"]).counts["BRANCH_MISSES"] == (expected, 0)


@pytest.mark.parametrize(("depth", "returns"), [(1, 0), (15, 0), (16, 0), (17, 1), (20, 4), (40, 24)])
def test_return_stack(depth: int, returns: int, tmp_path: Path) -> None:
    """Beyond 16 calls the oldest are lost. The one conditional branch that ends the recursion is the same each time."""
    counts = count(tmp_path, calls(depth), ["BRANCH_MISSES"]).counts
    assert counts["BRANCH_MISSES"] == (returns + 1, 0)


def test_indirect_targets(tmp_path: Path) -> None:
    """A jump that alternates between two targets always goes where it did not go last time."""
    body = "lea 1f(%rip), %rax; lea 2f(%rip), %rbx; " + ("mov $100, %ebp; 5: jmp *%rax; 1: nop; 2: xchg %rax, %rbx; ")
    straight = "mov $100, %ebp; lea 1f(%rip), %rax; 5: jmp *%rax; 1: nop; "
    end = "dec %ebp; jnz 5b"
    loops = count(tmp_path, loop(100, "nop"), ["BRANCH_MISSES"]).counts["BRANCH_MISSES"][0]
    assert count(tmp_path, body + end, ["BRANCH_MISSES"]).counts["BRANCH_MISSES"][0] == 100 + loops
    assert count(tmp_path, straight + end, ["BRANCH_MISSES"]).counts["BRANCH_MISSES"][0] == 1 + loops


@pytest.mark.parametrize("bits", [1, 4, 12, 24])
def test_history(bits: int, tmp_path: Path) -> None:
    """A loop of `bits` + 1 taken outcomes fills the history: each address xor history is new, and misses once."""
    counted = count(tmp_path, loop(1000, "nop"), ["BRANCH_MISSES"], predictor_bits=bits)
    assert counted.counts["BRANCH_MISSES"] == (bits + 2, 0)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"l1d": (1000, 8, 64)}, "no cache"),
        ({"l1d": (3 << 10, 8, 64)}, "no cache"),
        ({"llc": (1 << 20, 0, 64)}, "no cache"),
        ({"llc": (1 << 20, 16, 48)}, "no cache"),
        ({"l1d": (4096, 8, 128), "llc": (8192, 8, 64)}, "no cache"),
        ({"llc": (1 << 31, 16, 64)}, "no cache"),
        ({"predictor_bits": 25}, "no predictor"),
    ],
)
def test_what_cannot_be_modelled_is_refused(config: dict[str, object], sentence: str) -> None:
    error, why = FakeHost(b"", **config).create()
    assert error == -lib.PV_EINVAL
    assert sentence in why


def random_program(seed: int) -> str:
    """Accesses and branches of all kinds, in two nested loops, with functions that call functions."""
    rng = random.Random(seed)
    pieces = [
        lambda: f"mov {rng.randrange(0, 1 << 17)}(%rdi), %rax",
        lambda: f"mov %eax, {rng.randrange(0, 1 << 12)}(%rsi, %rbp, 8)",
        lambda: f"addl $3, {rng.randrange(0, 1 << 16)}(%rdi)",
        lambda: f"movups {rng.randrange(0, 1 << 14)}(%rdi), %xmm1; movups %xmm1, {rng.randrange(0, 1 << 14)}(%rdi)",
        lambda: f"lock xadd %eax, {rng.randrange(0, 1 << 14)}(%rdi)",
        lambda: f"push {rng.randrange(0, 1 << 10) * 8}(%rdi); pop %rdx",
        lambda: f"fxsave {(1 << 18) + rng.randrange(1 << 10) * 16}(%rdi)",
        lambda: f"push %rdi; mov ${rng.randrange(0, 40)}, %ecx; rep stosb; pop %rdi",
        lambda: f"push %rdi; push %rsi; mov ${rng.randrange(0, 9)}, %ecx; rep movsq; pop %rsi; pop %rdi",
        lambda: f"bt ${rng.randrange(6)}, %ebp; jc 1f; inc %r9; 1: nop",
        lambda: f"test ${1 << rng.randrange(4)}, %r8d; jz 1f; mov {rng.randrange(1 << 15)}(%rdi), %ecx; 1: nop",
        lambda: f"mov ${rng.randrange(1, 6)}, %ecx; 1: loop 1b",
        lambda: f"call f{rng.randrange(4)}",
        lambda: "mov %ebp, %ecx; and $3, %ecx; lea table(%rip), %rax; call *(%rax, %rcx, 8)",
        lambda: "lea 1f(%rip), %rax; lea 2f(%rip), %rcx; test $2, %ebp; cmovz %rcx, %rax; jmp *%rax; 1: nop; 2: nop",
        lambda: f"movdqa {rng.randrange(1 << 10) * 16}(%rdi), %xmm2; paddd {rng.randrange(1 << 10) * 16}(%rdi), %xmm2",
    ]
    body = "".join(f"{rng.choice(pieces)()}\n" for _ in range(60))
    functions = ["f0: ret", "f1: mov 8(%rsp), %rax; ret", "f2: call f1; jmp f0", "f3: call f2; call f0; ret $0"]
    return (
        f"mov ${BUFFER:#x}, %edi; lea 0x20000(%rdi), %rsi; mov $7, %r8d\n"
        f"6: mov $5, %ebp\n5: {body} dec %ebp; jnz 5b\n dec %r8d; jnz 6b\n jmp 9f\n"
        + "\n".join(functions)
        + "\n.balign 8\ntable: .quad f0, f1, f2, f3\n9:"
    )


GEOMETRIES = [
    ((32 << 10, 8, 64), (1 << 20, 16, 64), 12),
    ((4 << 10, 2, 64), (16 << 10, 4, 64), 6),
    ((2 << 10, 1, 32), (8 << 10, 8, 128), 3),
    ((8 << 10, 8, 64), (8 << 10, 1, 64), 16),
]


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_against_the_oracle(seed: int, tmp_path: Path) -> None:
    l1d, llc, bits = GEOMETRIES[seed % len(GEOMETRIES)]
    code = assemble(program(random_program(seed)), tmp_path)
    host = FakeHost(code, l1d=l1d, llc=llc, predictor_bits=bits)
    names = [*CACHES, "BRANCH_MISSES"]
    counted = host.count(names)
    assert {name: counted.counts[name][0] for name in names} == step(code, l1d, llc, bits)
    assert min(counted.counts[name][0] for name in names) > 10


def test_a_model_that_is_wanted_later_starts_empty(tmp_path: Path) -> None:
    """Deterministic: what ran before does not show."""
    body = walk(4096, 64, 1)
    code = assemble(
        SETUP + body + "\n" + exit_call(BEGIN) + body + "\n" + exit_call(END) + exit_call(LEAVE) + FAULTS, tmp_path
    )
    counts = FakeHost(code).count(CACHES).counts
    assert tuple(counts[name][0] for name in CACHES) == (64, 64, 0, 64, 64)


LONG_REP = f"mov ${BUFFER + (1 << 20):#x}, %edi; mov $100000, %ecx; rep stosb"


def test_kicks_change_nothing(tmp_path: Path) -> None:
    """Exits between blocks and in the midst of a rep, while everything is counted."""
    body = f"{random_program(1)}\n{LONG_REP}\n{walk(64 << 10, 64, 20)}\n{loop(10, LEAD + 'lock incl (%rdi)')}"
    code = assemble(program(body), tmp_path)
    at = address_of(code, MARK) + len(MARK)
    points = {0: (BUFFER + (1 << 20) + 4096, 8, W), 1: (BUFFER, 8, RW), 2: (at, 1, X)}
    names = [*CACHES, "BRANCH_MISSES"]
    left_alone, kicked = FakeHost(code).count(names, points), FakeHost(code).count(names, points, ring=True)
    assert kicked.counts == left_alone.counts
    assert kicked.counts["BREAKPOINT0"] == (8, 0)
    assert (left_alone.kicks, kicked.kicks > 50) == (0, True)


def test_an_entry_that_jumps_brings_hooks_too(tmp_path: Path) -> None:
    body = f"jmp 1f; lea 0x55(%rcx), %rcx; 1: mov ${PAGE:#x}, %edi; {loop(20, 'mov (%rdi), %eax')}"
    code = assemble(program(body), tmp_path)
    counts = FakeHost(code).count([], {3: (PAGE, 8, R)}, jump=address_of(code, MARK)).counts
    assert counts["BREAKPOINT3"] == (20, 0)


def test_beside_the_single_stepping_oracle(tmp_path: Path) -> None:
    """The engine's own oracle, which has a hook on every instruction, sees no difference and makes none."""
    code = assemble(program(random_program(2)), tmp_path)
    host = FakeHost(code, oracle=1)
    counts = host.count([*CACHES, "BRANCH_MISSES"]).counts
    assert counts == FakeHost(code).count([*CACHES, "BRANCH_MISSES"]).counts
    assert host.run_page.oracle_checks >= 3
    assert host.run_page.oracle_differences == 0, host.ffi.string(host.run_page.text)


def test_each_counter_alone_counts_what_it_counts_with_the_others(tmp_path: Path) -> None:
    code = assemble(program(random_program(4)), tmp_path)
    together = FakeHost(code).count([*CACHES, "BRANCH_MISSES"]).counts
    for name in (*CACHES, "BRANCH_MISSES"):
        assert FakeHost(code).count([name]).counts[name] == together[name]
