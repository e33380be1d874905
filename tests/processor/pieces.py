# SPDX-License-Identifier: GPL-2.0-only
"""Random pieces of code for CPL 3, as assembly: what computes, stores, locks, branches, repeats, and faults."""

from __future__ import annotations

import random

#: Registers that pieces compute with, and by width. RBX is the page of data, RSP, R14 and R15 are spoken for.
REGISTERS = {
    64: ("rax", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13"),
    32: ("eax", "ecx", "edx", "esi", "edi", "ebp", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d"),
}
SUFFIX = {64: "q", 32: "l"}

#: Each ends in an exception; what is left of the text behind it is not executed. %rbx + 4096 is absent.
FAULTS = (
    *("mov 4096(%rbx), %rax", "nop; mov %rax, 4104(%rbx); nop", "addq $1, 4096(%rbx)", "lock addq $1, 4096(%rbx)"),
    *("xchg %rax, 4100(%rbx)", "lock cmpxchg %ecx, 4096(%rbx)", "lock xaddl %eax, 4093(%rbx)", "mov 4093(%rbx), %eax"),
    *("lea 4160(%rbx), %rsp; push %rax", "lea 4160(%rbx), %rsp; call 8f", "lea 4160(%rbx), %rsp; ret"),
    *("lea 4160(%rbx), %rsp; pop %rax", "lea 4160(%rbx), %rsp; pushfq", "lea 4160(%rbx), %rsp; enter $8, $0"),
    *("lea 4096(%rbx), %rax; jmp *%rax", "lea 4096(%rbx), %rax; call *%rax", "jmp *4096(%rbx)", "call *4096(%rbx)"),
    *("push 4096(%rbx)", "mov $1, %eax; ror $1, %rax; mov (%rax), %rax", "lock cmpxchg16b 8(%rbx)"),
    *(
        "lea 4090(%rbx), %rdi; mov $20, %ecx; rep stosb",
        "lea 4080(%rbx), %rsi; lea 8(%rbx), %rdi; mov $9, %ecx; rep movsq",
    ),
    *(
        "lea 4096(%rbx), %rdi; mov $3, %ecx; rep stosl",
        "lea 4092(%rbx), %rdi; mov (%rdi), %al; mov $9, %ecx; repe scasb",
    ),
    *("xor %ecx, %ecx; nop; div %ecx; nop", "mov $-1, %rdx; mov $2, %ecx; div %rcx", "xor %ecx, %ecx; idiv %cl"),
    *(
        "ud2",
        "nop; ud2; nop",
        ".byte 0x0f, 0x0b",
        ".byte 0x06",
        ".byte 0xce",
        ".byte 0xf0, 0x90",
        ".byte 0xf0, 0x01, 0xc8",
    ),
    *("int $0x42", "nop; int $0x42; nop", ".byte 0x66, 0xcd, 0x42", "int $1", "int $14", ".byte 0x48, 0xcd, 0x40"),
    *("int3", "nop; .byte 0xcd, 3", ".byte 0xf3, 0xcc", ".byte 0x48, 0xcc", ".byte 0xf1", ".byte 0x66, 0xf1"),
    *(
        "hlt",
        "cli",
        "sti",
        "in $0x80, %al",
        "out %al, $0x80",
        "mov $0x80, %edx; outl %eax, %dx",
        "mov $0x80, %edx; insb",
        "outsb",
        "outsl",
        "rep outsl",
    ),
    *("mov $0x10, %ecx; rdmsr", "mov $0x10, %ecx; wrmsr", "mov %rax, %cr3", "mov %cr0, %rax", "mov %rax, %dr7", "clts"),
    *("lgdt (%rbx)", "lidt (%rbx)", "invlpg (%rbx)", "wbinvd", "mov $0x28, %eax; ltr %ax", "lmsw %ax", "swapgs"),
    *("push $0; push $0; push $2; push $0; push $0; iretq", "push $0; push $0; lretq", "sysretq"),
    "lea 4160(%rbx), %rsp; iretq",
)


#: What compilers do not make: each is right as it stands.
ODD = (
    ".byte 0xeb, 0xff, 0xc0",  # jmp into itself: inc %eax
    "xor %eax, %eax; .byte 0x0f, 0x84; .long 1; ud2; nop",  # a long je, into the midst of ud2: 0b c8 ... is or
    *(
        "rep ret; nop",
        "mov $3, %ecx; 1: .byte 0x67; loop 1b",
        "mov $1, %rcx; shl $32, %rcx; jecxz 1f; ud2; 1: xor %ecx, %ecx",
    ),
    *("enter $32, $0; leave", "mov (%rbx), %rax; popcnt %rax, %rcx; bsr %rcx, %rdx", "btq $70, (%rbx); sbb %rcx, %rcx"),
    *(
        "shld $3, %rax, %rcx; shrd $9, %rcx, %rdx",
        "cwtl; cltq; cqto",
        "push %rbx; mov %rbx, %rax; and $7, %al; xlat; pop %rbx",
    ),
    *("lea 64(%rbx), %rdi; mov $5, %ecx; .byte 0x67; rep stosb", "lea 64(%rbx), %rdi; mov $5, %ecx; .byte 0xf2, 0xaa"),
    *(
        "lea 64(%rbx), %rsi; mov $4, %ecx; .byte 0xf3, 0x66, 0xad",
        "lea 8(%rbx), %rsi; mov $4, %ecx; .byte 0xf3, 0x48, 0xad",
    ),
    *(
        "lock cmpxchg8b 64(%rbx)",
        "lock orb $1, 63(%rbx); lock andw $-2, 62(%rbx)",
        "xchg %ah, 5(%rbx); lock addb %bh, 6(%rbx)",
    ),
    *(
        ".byte 0x66, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0",
        ".byte 0xf3, 0x90; .byte 0x66, 0x90; .byte 0x41, 0x90",
    ),
    *(
        "cmp %eax, %eax; .byte 0x3e; jz 1f; ud2; 1: .byte 0x2e; jnz 1b; nop",
        ".byte 0xf2; jmp 1f; ud2; 1:",
        ".byte 0xf2; call 1f; jmp 2f; 1: .byte 0xf2; ret; 2:",
    ),
    *("call 1f; 1: addq $2f - 1b, (%rsp); ret; ud2; 2:", "lea 1f(%rip), %rax; push %rax; ret; ud2; 1: xor %eax, %eax"),
    *("mov $2, %ecx; 1: inc %eax; dec %ecx; jg 1b; jrcxz 2f; ud2; 2:", "stc; jc 1f; ud2; 1: cmc; jnc 2f; ud2; 2: clc"),
    "mov %ss, %ecx; mov %rsp, %rdx; push %rcx; push %rdx; movzbl processor_steps(%rip), %ecx; shl $8, %ecx; push %rcx; "
    "mov %cs, %ecx; push %rcx; lea 1f(%rip), %rcx; push %rcx; iretq; 1: xor %ecx, %ecx; xor %edx, %edx",
    "xor %eax, %eax; cpuid; xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx; xor %edx, %edx; mov $0x3000000, %ebx",
    "mfence; lfence; sfence; pause; prefetcht0 (%rbx); clflush (%rbx)",
)


class Maker:
    """Makes pieces: `take()` is the next item of a piece."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.label = 10

    def labels(self, n: int) -> list[str]:
        self.label += n
        return [str(self.label - n + i) for i in range(n)]

    def register(self, width: int = 64) -> str:
        return "%" + self.random.choice(REGISTERS[width])

    def memory(self, size: int = 8) -> str:
        return f"{self.random.randrange(0, 4096 - size)}(%rbx)"

    def compute(self) -> str:
        width = self.random.choice((32, 64))
        suffix, a, b = SUFFIX[width], self.register(width), self.register(width)
        return self.random.choice(
            (
                f"{self.random.choice(('add', 'sub', 'xor', 'and', 'or'))}{suffix} {a}, {b}",
                f"{self.random.choice(('add', 'sub', 'xor', 'and'))}{suffix} ${self.random.randrange(-999, 999)}, {a}",
                f"{self.random.choice(('inc', 'dec', 'neg', 'not', 'bswap'))} {a}",
                f"imul {a}, {b}",
                f"{self.random.choice(('shl', 'shr', 'sar', 'rol', 'ror'))} ${self.random.randrange(1, 31)}, {a}",
                f"lea {self.random.randrange(-99, 99)}({self.register()}, {self.register()}, 4), {self.register()}",
                f"cmp {a}, {b}; cmov{self.random.choice(('l', 'a', 'e', 'ns'))} {b}, {a}",
                f"sub {a}, {b}; sbb {a}, {a}",
                f"mov ${self.random.randrange(1 << 31)}, {self.register()}",
                f"xchg {a}, {b}",
                "nop",
                "nopw 0(%rax, %rax)",
                f"push {self.register()}; pop {self.register()}",
                f"movq {self.register()}, %xmm1; paddq %xmm1, %xmm1; movq %xmm1, {self.register()}",
            )
        )

    def access(self) -> str:
        width = self.random.choice((32, 64))
        suffix, a = SUFFIX[width], self.register(width)
        pair = f"{16 * self.random.randrange(250)}(%rbx)"
        return self.random.choice(
            (
                f"mov {a}, {self.memory()}",
                f"mov {self.memory()}, {a}",
                f"{self.random.choice(('add', 'sub', 'xor'))}{suffix} {a}, {self.memory()}",
                f"lock {self.random.choice(('add', 'sub', 'xor', 'xadd'))}{suffix} {a}, {self.memory()}",
                f"lock {self.random.choice(('inc', 'neg', 'not'))}{suffix} {self.memory()}",
                f"xchg {a}, {self.memory()}",
                f"lock cmpxchg {a}, {self.memory()}",
                f"lock btsl ${self.random.randrange(32)}, {self.memory()}",
                f"push {self.memory()}; pop {self.memory()}",
                f"movb %al, {self.memory()}; movzbl {self.memory()}, %ecx",
                f"movdqu {self.memory(16)}, %xmm0; movdqu %xmm0, {self.memory(16)}",
                f"mov {pair}, %rax; lock cmpxchg16b {pair}",
            )
        )

    def branch(self) -> str:
        a, b, c = self.labels(3)
        inner, jump = self.compute(), self.random.choice(("jb", "jg", "je", "jns"))
        return self.random.choice(
            (
                f"cmp {self.register()}, {self.register()}; {jump} {a}f; {inner}; {a}:",
                f"jmp {a}f; ud2; {a}:",
                f"mov ${self.random.randrange(1, 9)}, %ecx; {a}: inc %rdx; loop {a}b",
                f"mov ${self.random.randrange(1, 5)}, %ecx; {a}: loop {a}b",
                f"mov ${self.random.randrange(2, 7)}, %ecx; {a}: sub $1, %rsi; loopne {a}b",
                f"xor %ecx, %ecx; jrcxz {a}f; ud2; {a}: inc %ecx; jrcxz {a}b",
                f"mov ${self.random.randrange(1, 30)}, %edx; {a}: lea 1(%rax), %rax; dec %edx; jnz {a}b",
                f"call {a}f; jmp {b}f; {a}: inc %rax; ret; {b}:",
                f"push $5; call {a}f; jmp {b}f; {a}: {inner}; ret $8; {b}:",
                f"lea {a}f(%rip), %rax; jmp *%rax; ud2; {a}: xor %eax, %eax",
                f"lea {a}f(%rip), %rax; call *%rax; jmp {b}f; {a}: ret; {b}: xor %eax, %eax",
                f"mov $4, %edx; call {a}f; jmp {c}f; {a}: dec %edx; jz {b}f; call {a}b; {b}: ret; {c}:",
                f"mov %cs, %eax; push %rax; lea {a}f(%rip), %rax; push %rax; lretq; {a}: xor %eax, %eax",
                f"call {a}f; {a}: pop %rax; xor %eax, %eax",
            )
        )

    def repeat(self) -> str:
        n, to, source = (
            self.random.choice((0, 1, 2, 7, 33)),
            self.random.randrange(1500),
            self.random.randrange(1800, 3500),
        )
        begin = f"lea {to}(%rbx), %rdi; lea {source}(%rbx), %rsi; mov ${n}, %ecx; "
        return begin + self.random.choice(
            (
                *(
                    "rep stosb",
                    "rep stosl",
                    "rep stosq",
                    "rep movsb",
                    "rep movsq",
                    "rep lodsb",
                    "repe cmpsb",
                    "repne cmpsb",
                ),
                *("repe scasb", "repne scasb", "cmp %eax, %eax; repne scasw", "rep movsb; mov $3, %ecx; rep stosb"),
                *("std; rep movsb; cld", "movsb; stosq; lodsl"),
            )
        )

    def fault(self) -> str:
        (label,) = self.labels(1)
        text = self.random.choice(FAULTS).replace("8f", f"{label}f")
        return f"lea {label}f(%rip), %r14; {text}; {label}:"

    def piece(self) -> str:
        kinds = (self.compute, self.access, self.branch, self.repeat, self.fault)
        return "\n\t".join(self.random.choice(kinds)() for _ in range(self.random.randrange(2, 9)))


def source(seed: int, number: int) -> str:
    """A file with so many pieces behind the one that does nothing; each kind of fault is in one of its own, too."""
    maker = Maker(seed)
    faults = [f"lea 8f(%rip), %r14; {fault}; 8:" for fault in FAULTS]
    pieces = ["", *faults, *ODD, *(maker.piece() for _ in range(number))]
    text = (
        "\t.text\n\t.globl processor_code, processor_code_end, processor_pieces, processor_pieces_n\nprocessor_code:\n"
    )
    for i, piece in enumerate(pieces):
        text += f"piece_{i}:\n\tlea 9f(%rip), %r14; mov %rsp, %r15\n\t{piece}\n9:\tret\n"
    text += "processor_code_end:\n\t.section .rodata\n\t.balign 8\nprocessor_pieces:\n"
    text += "".join(f"\t.quad piece_{i}\n" for i in range(len(pieces)))
    return text + f'processor_pieces_n: .quad {len(pieces)}\n\t.section .note.GNU-stack, "", @progbits\n'
