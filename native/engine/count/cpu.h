/* SPDX-License-Identifier: GPL-2.0-only */
/* A CPU that executes and counts: what its mechanisms know of it. What it leaves guest mode for is run/'s. */
#ifndef PV_CPU_H
#define PV_CPU_H

#include <stdbool.h>

#include <unicorn/unicorn.h>

#include "engine/count/alarm.h"
#include "engine/count/config.h"
#include "engine/count/count.h"
#include "engine/count/freeze.h"
#include "engine/count/hooks.h"
#include "engine/count/oracle.h"
#include "engine/decode/code.h"
#include "engine/decode/decode.h"
#include "engine/decode/share.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/hidden.h"
#include "engine/unicorn/parallel.h"
#include "engine/unicorn/stores.h"
#include "engine/x86/insn.h"

/* What a room below asks of run/, which alone leaves guest mode. */
struct cpu_calls {
	/* The engine itself failed: the reason is in the run page. */
	void (*failed)(struct cpu *cpu);
	/* The guest can go on no more, for this exception. */
	void (*shut_down)(struct cpu *cpu, unsigned vector, uint32_t error, const char *why);
};

struct native;

struct cpu {
	struct count count; /* first: the block hook's line */
	struct freeze freeze;
	struct pv_engine_config config;
	struct pv_bell *bell;
	const struct cpu_calls *calls;
	struct x86_cpu x86; /* what the guest's processor has */
	uc_engine *uc;
	struct hidden hidden;
	struct blocks blocks;
	struct parallel parallel;
	struct stores stores;
	struct decode decode;
	struct share share;
	struct code code;
	struct hooks hooks;
	struct oracle oracle;
	struct native *native; /* NULL: Unicorn executes all */
	bool narrow; /* it has not come to 64-bit mode yet */
	uint64_t cr2; /* that the guest has been told of */
	bool stop;   /* the host said so, or the VM is over */
	int failure; /* negative errno once PV_EXIT_ERROR was raised */
};

/* The engine itself failed; `why` may have printf arguments. */
void cpu_fail(struct cpu *cpu, int error, const char *why, ...) __attribute__((format(printf, 3, 4)));

/* Adds to a counter that blocks are not charged for: one at or above PV_COUNTS_AT_EXIT. */
static inline void count_event(struct cpu *cpu, unsigned counter, uint64_t n)
{
	cpu->count.total[counter][cpu->count.cpl] += n;
	if (unlikely(alarm_is_armed(cpu->config.run, counter)))
		alarm_look(cpu, counter);
}

#endif
