/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks that yield to each other, with a context switch each time. */
#include "../oracle.h"

enum { TASKS = 3, YIELDS = 10 };

static struct task tasks[GUEST_MAX_VCPUS][TASKS];
static uint64_t turns[GUEST_MAX_VCPUS];

static void prepare(void)
{
}

static void take_turns(void *arg)
{
	for (unsigned i = 0; i < YIELDS; i++) {
		++*(uint64_t *)arg;
		task_yield();
	}
}

static uint64_t program(unsigned vcpu)
{
	turns[vcpu] = 0;
	for (unsigned i = 0; i < TASKS; i++)
		task_start(&tasks[vcpu][i], vcpu, take_turns, &turns[vcpu]);
	for (unsigned i = 0; i < TASKS; i++)
		task_join(&tasks[vcpu][i]);
	return turns[vcpu] != TASKS * YIELDS;
}
