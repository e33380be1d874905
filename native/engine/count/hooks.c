/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/count/hooks.h"

#include <errno.h>
#include <string.h>

#include "engine/count/config.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/count/held.h"
#include "engine/interposed/access.h"
#include "engine/models/cache.h"
#include "engine/models/predictor.h"
#include "engine/unicorn/registers.h"

extern __typeof__(pv_access_take) pv_access_take __attribute__((weak));

enum { PAGE = 4096 };

int hooks_create(struct cpu *cpu, const char **why)
{
	int ret = caches_create(&cpu->hooks.caches, &cpu->config.l1d, &cpu->config.llc);

	*why = "no cache can be made with this size, associativity and line";
	if (!ret) {
		ret = predictor_create(&cpu->hooks.predictor, cpu->config.predictor_bits);
		*why = "no predictor can be made with that much history";
	}
	if (ret == -ENOMEM)
		*why = "no memory for the models";
	return ret;
}

void hooks_destroy(struct cpu *cpu)
{
	caches_destroy(&cpu->hooks.caches);
	predictor_destroy(&cpu->hooks.predictor);
}

static uint32_t wanted_now(const struct cpu *cpu)
{
	if (cpu->config.hook != PV_ENGINE_COUNT || cpu->hooks.never)
		return 0;
	return cpu->config.run->wanted & ~((1u << PV_COUNTS_AT_EXIT) - 1);
}

static bool is_other_breakpoint(const struct pv_breakpoint *a, const struct pv_breakpoint *b)
{
	return a->address != b->address || a->length != b->length || a->type != b->type;
}

static bool is_outdated(const struct cpu *cpu)
{
	const struct hooks *hooks = &cpu->hooks;
	bool change = wanted_now(cpu) != hooks->wanted;

	for (unsigned slot = 0; slot < PV_BREAKPOINTS && hooks->wanted >> PV_COUNT_BREAKPOINT; slot++)
		change |= hooks_breakpoint(hooks, slot) &&
			  is_other_breakpoint(&hooks->breakpoint[slot], &cpu->config.run->breakpoint[slot]);
	return change;
}

void hooks_entered(struct cpu *cpu)
{
	if (is_outdated(cpu))
		count_attend(cpu, ATTEND_FLUSH);
}

/* Every access by an instruction, once, at the gpa of its first byte; but 16-byte operands and areas
 * such as fxsave's come in pieces. Not: fetches, page walks, uc_vmem_*(), and accesses whose first page faults. */
static void on_memory(uc_engine *uc, uc_mem_type type, uint64_t gpa, int size, int64_t value, void *data)
{
	struct cpu *cpu = data;

	struct held_piece access = { .gpa = gpa, .size = (uint32_t)size, .write = type == UC_MEM_WRITE };

	(void)uc;
	(void)value;
	access.located = pv_access_take && pv_access_take(&access.address) && (access.address ^ gpa) % PAGE == 0;
	held_access(cpu, reg_get(cpu->uc, UC_X86_REG_RIP), &access);
}

static int hooks_add(struct cpu *cpu)
{
	struct hooks *hooks = &cpu->hooks;

	hooks->memory = hooks->wanted & HOOKS_CACHES;
	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		hooks->memory |= hooks_data_breakpoint(hooks, slot);
	return hooks->memory && uc_hook_add(cpu->uc, &hooks->on_memory, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE,
					    (void *)on_memory, cpu, (uint64_t)1, (uint64_t)0) ? -ENOMEM : 0;
}

void hooks_remove(struct cpu *cpu)
{
	struct hooks *hooks = &cpu->hooks;

	if (!is_outdated(cpu))
		return;
	if (hooks->memory)
		uc_hook_del(cpu->uc, hooks->on_memory);
	hooks->memory = false;
}

static void watch_code(struct decode *decode, const struct hooks *hooks)
{
	decode->watches = 0;
	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		if (hooks_code_breakpoint(hooks, slot))
			decode->watched[decode->watches++] = hooks->breakpoint[slot].address;
}

void hooks_change(struct cpu *cpu)
{
	struct hooks *hooks = &cpu->hooks;
	uint32_t before = hooks->wanted, added;

	if (!is_outdated(cpu))
		return;
	hooks->wanted = wanted_now(cpu);
	memcpy(hooks->breakpoint, cpu->config.run->breakpoint, sizeof(hooks->breakpoint));
	watch_code(&cpu->decode, hooks);
	added = hooks->wanted & ~before;
	if ((added & HOOKS_CACHES) && !(before & HOOKS_CACHES))
		caches_empty(&hooks->caches);
	if (added & HOOKS_BRANCHES)
		predictor_forget(&hooks->predictor);
	if (!hooks->wanted)
		hooks->held = (struct held){ 0 };
	if (hooks_add(cpu))
		cpu_fail(cpu, -ENOMEM, "no memory for the hooks of what is counted");
}
