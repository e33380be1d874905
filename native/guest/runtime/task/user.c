/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

/* Requests of int 0x80, in RAX. The result comes back in RAX. */
enum {
	USER_LEAVE = 0,       /* RSI: the value of user_run() */
	USER_CALL_KERNEL = 1, /* RDI: a function, RSI: its argument */
};

uint64_t user_enter(uint64_t (*fn)(void *arg), void *arg, uint64_t user_stack, void *save, uint64_t code,
		    uint64_t data);
_Noreturn void user_leave(uint64_t value, uint64_t saved);

/* RSP as user_enter() saves it is also where interrupts from CPL 3 begin: right below
 * what the kernel side still needs. */
uint64_t user_run(uint64_t (*fn)(void *arg), void *arg)
{
	struct cpu *cpu = cpu_this();
	uint64_t old = cpu->tss.rsp[0], ret;

	ret = user_enter(fn, arg, cpu->user_stack, (char *)&cpu->tss + offsetof(struct tss, rsp),
			 SELECTOR_USER_CODE, SELECTOR_USER_DATA);
	cpu->tss.rsp[0] = old;
	return ret;
}

uint64_t user_call_kernel(uint64_t (*fn)(void *arg), void *arg)
{
	uint64_t ret = USER_CALL_KERNEL;

	__asm__ volatile("int $0x80" : "+a"(ret) : "D"(fn), "S"(arg) : "memory");
	return ret;
}

void user_request(struct exception_frame *frame)
{
	if (frame->rax == USER_LEAVE)
		user_leave(frame->rsi, cpu_this()->tss.rsp[0]);
	if (frame->rax == USER_CALL_KERNEL)
		frame->rax = ((uint64_t (*)(void *))frame->rdi)((void *)frame->rsi);
	else
		frame->rax = (uint64_t)-PV_EINVAL;
}
