/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/loop.h"

#include <stdio.h>
#include <x86intrin.h>

#include "engine/count/hooks.h"
#include "engine/run/engine.h"
#include "engine/run/startup.h"
#include "engine/run/state.h"
#include "engine/run/vmexit.h"
#include "engine/system/system.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/parallel.h"
#include "engine/unicorn/registers.h"
#include "engine/unicorn/stores.h"

enum { VECTOR_PF = 14 };

/* Unicorn came back. Without an error and unasked, that is a hlt. */
static void came_back(struct pv_engine *e, uc_err err)
{
	if (err) {
		char why[128];

		snprintf(why, sizeof(why), "%s: access outside RAM", uc_strerror(err));
		vmexit_shutdown(&e->cpu, VECTOR_PF, 0, why);
	} else {
		vmexit_hlt(e);
	}
}

void loop_go_on(struct pv_engine *e)
{
	while (!e->cpu.stop) {
		struct system_calls *before;
		uc_err err;

		if (e->boundary.reset) {
			e->boundary.reset = false;
			e->cpu.count.current = NULL;
			startup_wait(e);
			continue;
		}
		if (e->boundary.heed) {
			e->boundary.heed = false;
			e->cpu.count.current = NULL;
			share_heed(&e->cpu.share, e->cpu.uc);
			continue;
		}
		if (e->boundary.flush) {
			e->boundary.flush = false;
			hooks_change(&e->cpu);
			parallel_choose(&e->cpu.parallel, e->cpu.uc, e->cpu.hooks.memory || e->system.calls.watches);
			stores_choose(&e->cpu.stores, e->cpu.hooks.memory);
			uc_ctl_flush_tb(e->cpu.uc);
			e->cpu.count.current = NULL;
			blocks_forget(&e->cpu.blocks);
			continue;
		}
		before = system_enter(&e->system);
		err = uc_emu_start(e->cpu.uc, reg_get(e->cpu.uc, UC_X86_REG_RIP), 0, 0, 0);
		system_leave(before);
		if (!e->cpu.stop && !e->boundary.flush && !e->boundary.reset && !e->boundary.heed)
			came_back(e, err);
	}
}

int engine_run(struct pv_engine *e)
{
	e->cpu.count.tsc_start = __rdtsc();
	vmexit_ready(e);
	e->boundary.reset = platform_is_there(&e->platform) && e->cpu.config.vcpu;
	loop_go_on(e);
	return e->cpu.failure;
}
