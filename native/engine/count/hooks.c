/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/state.h"

#include <errno.h>
#include <string.h>

#include "engine/unicorn/access.h"

extern __typeof__(pv_access_take) pv_access_take __attribute__((weak));

enum { PAGE = 4096 };

int hooks_create(struct pv_engine *e, const char **why)
{
	int ret = caches_create(&e->hooks.caches, &e->config.l1d, &e->config.llc);

	*why = "no cache can be made with this size, associativity and line";
	if (!ret) {
		ret = predictor_create(&e->hooks.predictor, e->config.predictor_bits);
		*why = "no predictor can be made with that much history";
	}
	if (ret == -ENOMEM)
		*why = "no memory for the models";
	return ret;
}

void hooks_destroy(struct pv_engine *e)
{
	caches_destroy(&e->hooks.caches);
	predictor_destroy(&e->hooks.predictor);
}

static uint32_t wanted_now(const struct pv_engine *e)
{
	return e->config.hook == PV_ENGINE_COUNT && !e->guest ? e->config.run->wanted & ~((1u << PV_COUNTS_AT_EXIT) - 1) : 0;
}

static bool is_other_breakpoint(const struct pv_breakpoint *a, const struct pv_breakpoint *b)
{
	return a->address != b->address || a->length != b->length || a->type != b->type;
}

static bool is_outdated(const struct pv_engine *e)
{
	const struct hooks *hooks = &e->hooks;
	bool change = wanted_now(e) != hooks->wanted;

	for (unsigned slot = 0; slot < PV_BREAKPOINTS && hooks->wanted >> PV_COUNT_BREAKPOINT; slot++)
		change |= hooks_breakpoint(hooks, slot) &&
			  is_other_breakpoint(&hooks->breakpoint[slot], &e->config.run->breakpoint[slot]);
	return change;
}

void hooks_entered(struct pv_engine *e)
{
	if (is_outdated(e))
		count_attend(e, ATTEND_FLUSH);
}

/* Every access by an instruction, once, at the gpa of its first byte; but 16-byte operands and areas
 * such as fxsave's come in pieces. Not: fetches, page walks, uc_vmem_*(), and accesses whose first page faults. */
static void on_memory(uc_engine *uc, uc_mem_type type, uint64_t gpa, int size, int64_t value, void *data)
{
	struct pv_engine *e = data;

	struct held_piece access = { .gpa = gpa, .size = (uint32_t)size, .write = type == UC_MEM_WRITE };

	(void)uc;
	(void)value;
	access.located = pv_access_take && pv_access_take(&access.address) && (access.address ^ gpa) % PAGE == 0;
	held_access(e, reg_get(e, UC_X86_REG_RIP), &access);
}

static int hooks_add(struct pv_engine *e)
{
	struct hooks *hooks = &e->hooks;

	hooks->memory = hooks->wanted & HOOKS_CACHES;
	for (unsigned slot = 0; slot < PV_BREAKPOINTS; slot++)
		hooks->memory |= hooks_data_breakpoint(hooks, slot);
	return hooks->memory && uc_hook_add(e->uc, &hooks->on_memory, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE,
					    (void *)on_memory, e, (uint64_t)1, (uint64_t)0) ? -ENOMEM : 0;
}

void hooks_remove(struct pv_engine *e)
{
	struct hooks *hooks = &e->hooks;

	if (!is_outdated(e))
		return;
	if (hooks->memory)
		uc_hook_del(e->uc, hooks->on_memory);
	hooks->memory = false;
}

void hooks_change(struct pv_engine *e)
{
	struct hooks *hooks = &e->hooks;
	uint32_t before = hooks->wanted, added;

	if (!is_outdated(e))
		return;
	hooks->wanted = wanted_now(e);
	memcpy(hooks->breakpoint, e->config.run->breakpoint, sizeof(hooks->breakpoint));
	added = hooks->wanted & ~before;
	if ((added & HOOKS_CACHES) && !(before & HOOKS_CACHES))
		caches_empty(&hooks->caches);
	if (added & HOOKS_BRANCHES)
		predictor_forget(&hooks->predictor);
	if (!hooks->wanted)
		hooks->held = (struct held){ 0 };
	if (hooks_add(e))
		vmexit_fail(e, -ENOMEM, "no memory for the hooks of what is counted");
}
