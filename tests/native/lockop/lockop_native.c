/* SPDX-License-Identifier: GPL-2.0-only */
#include "lockop_native.h"

#include <asm/prctl.h>
#include <assert.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	ARITHMETIC_FLAGS = 0x8d5,
	FLAGS_ALWAYS = 0x202, /* IF, and the bit that is always one */
	SIGNAL_STACK = 64 << 10,
};

#define HIGH_HINT ((void *)0x500000000000)

uint8_t *arena_low, *arena_high;

static uint8_t *code, *signal_stack;
static unsigned code_at;
static uint64_t old_gs;
static volatile sig_atomic_t caught;

/* What the assembly below reaches, relative to RIP: it has no register to spare. */
struct native_frame {
	uint64_t gpr[16];
	uint64_t rflags;
	uint64_t fs_base, old_fs_base; /* fs_base 0: leave it */
	uint64_t entry;
	uint64_t stack;
};
extern struct native_frame native_frame;
struct native_frame native_frame;
_Static_assert(offsetof(struct native_frame, rflags) == 128, "asm below");
_Static_assert(offsetof(struct native_frame, stack) == 160, "asm below");

extern void native_enter(void);
extern char native_return[];

__asm__(".text\n"
	".type native_enter, @function\n"
	"native_enter:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n"
	"	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, native_frame+160(%rip)\n"
	"	mov native_frame+136(%rip), %rsi\n"
	"	test %rsi, %rsi\n"
	"	jz 1f\n"
	"	mov $158, %eax\n" /* arch_prctl(ARCH_SET_FS) */
	"	mov $0x1002, %edi\n"
	"	syscall\n"
	"1:	push native_frame+128(%rip)\n"
	"	popf\n"
	"	mov native_frame+0(%rip), %rax\n"
	"	mov native_frame+8(%rip), %rcx\n"
	"	mov native_frame+16(%rip), %rdx\n"
	"	mov native_frame+24(%rip), %rbx\n"
	"	mov native_frame+40(%rip), %rbp\n"
	"	mov native_frame+48(%rip), %rsi\n"
	"	mov native_frame+56(%rip), %rdi\n"
	"	mov native_frame+64(%rip), %r8\n"
	"	mov native_frame+72(%rip), %r9\n"
	"	mov native_frame+80(%rip), %r10\n"
	"	mov native_frame+88(%rip), %r11\n"
	"	mov native_frame+96(%rip), %r12\n"
	"	mov native_frame+104(%rip), %r13\n"
	"	mov native_frame+112(%rip), %r14\n"
	"	mov native_frame+120(%rip), %r15\n"
	"	mov native_frame+32(%rip), %rsp\n"
	"	jmp *native_frame+152(%rip)\n"
	"native_return:\n"
	"	mov %rax, native_frame+0(%rip)\n"
	"	mov %rcx, native_frame+8(%rip)\n"
	"	mov %rdx, native_frame+16(%rip)\n"
	"	mov %rbx, native_frame+24(%rip)\n"
	"	mov %rsp, native_frame+32(%rip)\n"
	"	mov %rbp, native_frame+40(%rip)\n"
	"	mov %rsi, native_frame+48(%rip)\n"
	"	mov %rdi, native_frame+56(%rip)\n"
	"	mov %r8, native_frame+64(%rip)\n"
	"	mov %r9, native_frame+72(%rip)\n"
	"	mov %r10, native_frame+80(%rip)\n"
	"	mov %r11, native_frame+88(%rip)\n"
	"	mov %r12, native_frame+96(%rip)\n"
	"	mov %r13, native_frame+104(%rip)\n"
	"	mov %r14, native_frame+112(%rip)\n"
	"	mov %r15, native_frame+120(%rip)\n"
	"	mov native_frame+160(%rip), %rsp\n"
	"	pushf\n"
	"	pop native_frame+128(%rip)\n"
	"	cmpq $0, native_frame+136(%rip)\n"
	"	jz 2f\n"
	"	mov $158, %eax\n"
	"	mov $0x1002, %edi\n"
	"	mov native_frame+144(%rip), %rsi\n"
	"	syscall\n"
	"2:	pop %r15\n	pop %r14\n	pop %r13\n"
	"	pop %r12\n	pop %rbp\n	pop %rbx\n"
	"	ret\n"
	".size native_enter, .-native_enter\n");

static void *map(void *hint, size_t size, int protection, int flags)
{
	void *memory = mmap(hint, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

/* A fault in the code page goes on at native_return; any other is this program's. */
static void on_fault(int number, siginfo_t *info, void *data)
{
	ucontext_t *context = data;
	uint64_t rip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];

	(void)info;
	if (rip < (uintptr_t)code || rip >= (uintptr_t)code + PAGE) {
		signal(number, SIG_DFL);
		return;
	}
	caught = number;
	context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)native_return;
}

void native_create(void)
{
	static const int numbers[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	int rwx = PROT_READ | PROT_WRITE | PROT_EXEC, rw = PROT_READ | PROT_WRITE;
	stack_t stack = { .ss_size = SIGNAL_STACK };

	arena_low = (uint8_t *)map(NULL, 2 * PAGE, rw, MAP_32BIT) + PAGE - ARENA_BYTES / 2;
	arena_high = (uint8_t *)map(HIGH_HINT, 2 * PAGE, rw, 0) + PAGE - ARENA_BYTES / 2;
	code = map(NULL, PAGE, rwx, MAP_32BIT);
	stack.ss_sp = signal_stack = map(NULL, SIGNAL_STACK, rw, 0);
	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	syscall(SYS_arch_prctl, ARCH_GET_FS, &native_frame.old_fs_base);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &old_gs);
}

void native_destroy(void)
{
	stack_t off = { .ss_flags = SS_DISABLE };

	sigaltstack(&off, NULL);
	munmap(arena_low - (PAGE - ARENA_BYTES / 2), 2 * PAGE);
	munmap(arena_high - (PAGE - ARENA_BYTES / 2), 2 * PAGE);
	munmap(code, PAGE);
	munmap(signal_stack, SIGNAL_STACK);
}

uint64_t native_address(void)
{
	return (uintptr_t)code + code_at;
}

/* The bytes, then `jmp *0(%rip)` and where to. */
void native_load(const uint8_t *bytes, unsigned length)
{
	static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };
	uint64_t target = (uintptr_t)native_return;
	uint8_t *at = code + code_at;

	native_frame.entry = (uintptr_t)at;
	memcpy(at, bytes, length);
	memcpy(at + length, jump, sizeof(jump));
	memcpy(at + length + sizeof(jump), &target, sizeof(target));
	code_at = (code_at + 67) % (PAGE - 64);
}

int native_run(struct lockop_registers *regs)
{
	caught = 0;
	memcpy(native_frame.gpr, regs->gpr, sizeof(regs->gpr));
	native_frame.rflags = (regs->rflags & ARITHMETIC_FLAGS) | FLAGS_ALWAYS;
	native_frame.fs_base = regs->fs_base;
	if (regs->gs_base && syscall(SYS_arch_prctl, ARCH_SET_GS, regs->gs_base)) {
		perror("arch_prctl");
		exit(2);
	}
	native_enter();
	if (regs->gs_base)
		syscall(SYS_arch_prctl, ARCH_SET_GS, old_gs);
	memcpy(regs->gpr, native_frame.gpr, sizeof(regs->gpr));
	regs->rflags = native_frame.rflags;
	return caught;
}
