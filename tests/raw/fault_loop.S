/* SPDX-License-Identifier: GPL-2.0-only */
/* A page fault whose handler faults at its first fetch, on a stack of its own: nothing is ever
 * executed again, and a real CPU takes faults forever. 22 instructions retire before it
 * on vCPU 0; the others halt. */
.code64
.globl _start
_start:
  test %edi,%edi
  jnz park
  lidt idtr(%rip)
  lgdt gdtr(%rip)
  movl $0, %eax
  lea idt(%rip),%rdx
  add $14*16,%rdx
  movw $0,(%rdx)
  movw $8,2(%rdx)
  movw $0x8e01,4(%rdx)
  movw $0x4000,6(%rdx)
  movl $0,8(%rdx)
  lea tss(%rip),%rax
  mov %ax,tssd+2(%rip)
  shr $16,%rax
  mov %al,tssd+4(%rip)
  mov %ah,tssd+7(%rip)
  lea stack_top(%rip),%rax
  mov %rax,tss+36(%rip)
  mov $0x28,%ax
  ltr %ax
  lea stack_top(%rip),%rsp
  mov 0x40000000,%rax
  hlt
park:
  hlt
  jmp park
.data
.align 16
idtr: .word 4095
  .quad idt
.align 16
gdtr: .word 63
  .quad gdt
.align 16
gdt: .quad 0,0x00af9b000000ffff,0x00cf93000000ffff,0x00affb000000ffff,0x00cff3000000ffff
tssd: .quad 0x0000890000000067,0
.align 16
idt: .fill 4096,1,0
tss: .fill 104,1,0
.align 16
.fill 4096,1,0
stack_top:
