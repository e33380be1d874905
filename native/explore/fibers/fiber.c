/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/fibers/fiber.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

enum { GUARD_BYTES = 4096, SAVED_REGISTERS = 6 };

/* What the ABI lets a call destroy need not be saved: System V x86-64, 3.2.1. */
__asm__(".text\n"
	".type fiber_switch, @function\n"
	".hidden fiber_switch\n"
	".globl fiber_switch\n"
	"fiber_switch:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size fiber_switch, . - fiber_switch\n");

uint8_t *fiber_stack_create(void)
{
	uint8_t *base = mmap(NULL, FIBER_STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	mprotect(base, GUARD_BYTES, PROT_NONE);
	return base + GUARD_BYTES + FIBER_STACK_BYTES;
}

/* As fiber_switch() would have left it: the registers, the address to return to, and above it
 * the 8 bytes that make the stack look as after a call. */
void *fiber_context(uint8_t *top, void (*entry)(void))
{
	void **at = (void **)(void *)top;

	*--at = NULL;
	*--at = (void *)(uintptr_t)entry;
	at -= SAVED_REGISTERS;
	memset(at, 0, SAVED_REGISTERS * sizeof(*at));
	return at;
}
