/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/startup.h"

#include <errno.h>

#include "abi/handover.h"
#include "engine/count/count.h"
#include "engine/run/state.h"
#include "engine/run/vmexit.h"
#include "engine/unicorn/real_mode.h"
#include "engine/unicorn/registers.h"

void startup_wait(struct pv_engine *e)
{
	uint8_t vector;

	while (!platform_starts(&e->platform, &vector)) {
		if (e->cpu.stop || !vmexit_kick(e, reg_get(e->cpu.uc, UC_X86_REG_RIP), false))
			return;
		if (e->cpu.share.map)
			share_leave(&e->cpu.share);
		platform_wait(&e->platform);
		if (e->cpu.share.map)
			share_return(&e->cpu.share, e->cpu.uc);
	}
	nmi_abandon(&e->nmi, &e->cpu);
	e->cpu.count.attend &= ATTEND_FLUSH;
	count_enter_cpl(&e->cpu, PV_CPL_KERNEL);
	if (real_mode_enter(e->cpu.uc, vector)) {
		cpu_fail(&e->cpu, -EOPNOTSUPP, "this build of Unicorn cannot begin in real mode");
		return;
	}
	e->cpu.narrow = true;
	e->system.calls.xcr0 = 1;
	system_debug_registers_set(&e->system);
}
