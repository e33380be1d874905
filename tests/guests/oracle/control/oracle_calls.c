/* SPDX-License-Identifier: GPL-2.0-only */
/* Nested calls and recursion. */
#include "../oracle.h"

static void prepare(void)
{
}

static __attribute__((noinline)) uint64_t fib(uint64_t n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static __attribute__((noinline)) uint64_t ackermann(uint64_t m, uint64_t n)
{
	if (!m)
		return n + 1;
	return n ? ackermann(m - 1, ackermann(m, n - 1)) : ackermann(m - 1, 1);
}

static uint64_t program(unsigned vcpu)
{
	(void)vcpu;
	return (uint64_t)(fib(15) != 610) | (uint64_t)(ackermann(2, 5) != 13) << 1;
}
