/* SPDX-License-Identifier: GPL-2.0-only */
/* A Linux program without a library: `pvperf-exit STATUS` ends the VM with that status, once the console has written all. */
#include <stdint.h>

enum { SYS_EXIT = 60, SYS_IOCTL = 16, SYS_IOPL = 172, TCSBRK = 0x5409, PV_PORT_EXIT = 0xf4 };

static long call(long number, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

__attribute__((used)) static void begin(const long *stack)
{
	const char *word = stack[0] > 1 ? (const char *)stack[2] : "0";
	uint8_t status = 0;

	for (; *word >= '0' && *word <= '9'; word++)
		status = (uint8_t)(status * 10 + *word - '0');
	call(SYS_IOCTL, 1, TCSBRK, 1); /* waits for what is left to be written */
	if (!call(SYS_IOPL, 3, 0, 0))
		__asm__ volatile("outb %0, %1" : : "a"(status), "Nd"((uint16_t)PV_PORT_EXIT));
	call(SYS_EXIT, 1, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
