/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/unicorn/real_mode.h"

#include <errno.h>

#include "engine/interposed/inside.h"

/* Another build may not have the name. */
extern void do_cpu_init_x86_64(void *cpu) __attribute__((weak));

enum { CS = 1 };

int real_mode_enter(uc_engine *uc, uint8_t vector)
{
	uint8_t *cpu = ((uint8_t **)(void *)uc)[INSIDE_CPU];
	struct inside_state *state = (struct inside_state *)(void *)(cpu + INSIDE_STATE_BEHIND_CPU);

	if (!do_cpu_init_x86_64 || uc_version(NULL, NULL) != INSIDE_RELEASE)
		return -EOPNOTSUPP;
	do_cpu_init_x86_64(cpu);
	state->segment[CS].selector = (uint32_t)vector << 8;
	state->segment[CS].base = (uint64_t)vector << 12;
	state->rip = 0;
	return state->cr[0] & 1 ? -EOPNOTSUPP : 0;
}
