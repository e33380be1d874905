/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/state.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

enum { VECTOR_PF = 14 };

/* Unicorn takes callbacks as void pointers. */
static int hook(struct pv_engine *e, int type, void *callback, uint64_t begin, uint64_t end)
{
	uc_hook handle;

	return uc_hook_add(e->uc, &handle, type, callback, e, begin, end) ? -ENOMEM : 0;
}

static int hook_instruction(struct pv_engine *e, int instruction, void *callback)
{
	uc_hook handle;

	return uc_hook_add(e->uc, &handle, UC_HOOK_INSN, callback, e, (uint64_t)1, (uint64_t)0,
			   instruction) ? -ENOMEM : 0;
}

void on_block_empty(uc_engine *uc, uint64_t address, uint32_t size, void *data)
{
	(void)uc;
	(void)address;
	(void)size;
	(void)data;
}

static int set_block_hooks(struct pv_engine *e)
{
	switch (e->config.hook) {
	case PV_ENGINE_NO_HOOK:
		return 0;
	case PV_ENGINE_EMPTY_HOOK:
		return hook(e, UC_HOOK_BLOCK, (void *)on_block_empty, 1, 0);
	default:
		if (e->config.oracle && hook(e, UC_HOOK_CODE, (void *)on_oracle, 1, 0))
			return -ENOMEM;
		return blocks_create(e);
	}
}

static int set_hooks(struct pv_engine *e)
{
	if (set_block_hooks(e) || hook(e, UC_HOOK_INTR, (void *)on_interrupt, 1, 0) ||
	    hook(e, UC_HOOK_INSN_INVALID, (void *)on_invalid, 1, 0))
		return -ENOMEM;
	if (hook_instruction(e, UC_X86_INS_OUT, (void *)on_out) ||
	    hook_instruction(e, UC_X86_INS_IN, (void *)on_in) ||
	    hook_instruction(e, UC_X86_INS_CPUID, (void *)on_cpuid) ||
	    hook_instruction(e, UC_X86_INS_SYSCALL, (void *)on_syscall) ||
	    hook_instruction(e, UC_X86_INS_SYSENTER, (void *)on_sysenter))
		return -ENOMEM;
	return 0;
}

/* What Unicorn's CPU answers to CPUID leaf 1, with the hypervisor bit. Asked by executing it. */
static int ask_cpuid1(struct pv_engine *e, uint64_t page)
{
	static const uint8_t code[] = { 0x0f, 0xa2, 0xf4 }; /* cpuid; hlt */

	if (uc_mem_write(e->uc, page, code, sizeof(code)))
		return -ENOMEM;
	reg_set(e, UC_X86_REG_RAX, 1);
	reg_set(e, UC_X86_REG_RCX, 0);
	if (uc_emu_start(e->uc, page, 0, 0, 0))
		return -EOPNOTSUPP;
	e->cpuid1[0] = (uint32_t)reg_get(e, UC_X86_REG_RAX);
	e->cpuid1[1] = (uint32_t)reg_get(e, UC_X86_REG_RBX);
	e->cpuid1[2] = (uint32_t)reg_get(e, UC_X86_REG_RCX) | 1u << 31;
	e->cpuid1[3] = (uint32_t)reg_get(e, UC_X86_REG_RDX);
	return 0;
}

/* What is found out about Unicorn by executing something, on a page of its own, before there is guest RAM. */
static int try_out(struct pv_engine *e)
{
	enum { PAGE = 0x1000, BYTES = 4096 };
	int ret;

	if (uc_mem_map(e->uc, PAGE, BYTES, UC_PROT_ALL))
		return -ENOMEM;
	ret = blocks_calibrate(e, PAGE);
	if (!ret)
		ret = ask_cpuid1(e, PAGE);
	if (!ret && e->config.lock == PV_LOCK_IN_BLOCK && e->config.hook == PV_ENGINE_COUNT)
		parallel_calibrate(e, PAGE);
	if (!ret && e->config.stores == PV_STORE_FAST && e->config.hook == PV_ENGINE_COUNT)
		stores_calibrate(e, PAGE);
	return uc_mem_unmap(e->uc, PAGE, BYTES) && !ret ? -ENOMEM : ret;
}

/* Whether there may be memory that is written and executed. Where not, Unicorn ends the process without a word to us. */
static int try_code_memory(const char **why)
{
	void *code = mmap(NULL, TCG_BUFFER_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED) {
		*why = "no memory that may be written and executed: raise ulimit -v, or a policy forbids it";
		return -errno;
	}
	munmap(code, TCG_BUFFER_BYTES);
	return 0;
}

static int open_unicorn(struct pv_engine *e)
{
	int ret;

	if (uc_open(UC_ARCH_X86, UC_MODE_64, &e->uc))
		return -ENOMEM;
	if (uc_ctl_set_tcg_buffer_size(e->uc, TCG_BUFFER_BYTES))
		return -ENOMEM;
	ret = hidden_calibrate(e);
	if (!ret)
		ret = try_out(e);
	if (ret)
		return ret;
	if (uc_mem_map_ptr(e->uc, 0, e->config.ram_size, UC_PROT_ALL, e->config.ram))
		return -ENOMEM;
	/* No address ends the emulation: hooks do. */
	if (uc_ctl_exits_enable(e->uc) || uc_ctl_set_exits(e->uc, NULL, 0))
		return -EOPNOTSUPP;
	ret = set_hooks(e);
	parallel_choose(e);
	stores_choose(e);
	return ret;
}

/* All of it is a hint: without, only slower. */
static void pin(const struct pv_engine *e)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)e->config.core, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void choose_core(struct pv_engine *e)
{
	struct pv_engine_config *config = &e->config;

	if (config->core < 0)
		return;
	if (config->may_part) {
		sched_getaffinity(0, sizeof(e->other_cores), &e->other_cores);
		CPU_CLR((unsigned)config->core, &e->other_cores);
		config->may_part = CPU_COUNT(&e->other_cores) > 0;
	}
	placement_init(&e->placement);
	config->run->together = 1;
	pin(e);
}

void engine_place(struct pv_engine *e, uint64_t ticks)
{
	if (!placement_note(&e->placement, ticks))
		return;
	if (e->placement.apart)
		sched_setaffinity(0, sizeof(e->other_cores), &e->other_cores);
	else
		pin(e);
	__atomic_store_n(&e->config.run->together, !e->placement.apart, __ATOMIC_RELAXED);
}

int engine_create(const struct pv_engine_config *config, struct pv_engine **ret, char *why, uint64_t why_size)
{
	struct pv_engine *e = calloc(1, sizeof(*e));
	const char *what;
	int err;

	if (!e) {
		snprintf(why, why_size, "no memory for the engine");
		return -ENOMEM;
	}
	e->config = *config;
	e->chunk = CHUNK_INSTRUCTIONS;
	e->budget = e->chunk << INSTRUCTION_SHIFT;
	e->overflowed_at = UINT64_MAX;
	choose_core(e);
	err = hooks_create(e, &what);
	if (!err)
		err = try_code_memory(&what);
	if (err) {
		snprintf(why, why_size, "%s", what);
		engine_destroy(e);
		return err;
	}
	err = decode_create(e);
	if (!err)
		err = open_unicorn(e);
	if (err) {
		snprintf(why, why_size, "%s", err == -EOPNOTSUPP ?
			 "this build of Unicorn is not one that the engine knows; 2.1.4 is" :
			 "cannot set Unicorn up: out of memory");
		engine_destroy(e);
		return err;
	}
	err = agent_create(e, why, why_size);
	if (err) {
		engine_destroy(e);
		return err;
	}
	*ret = e;
	return 0;
}

void engine_destroy(struct pv_engine *e)
{
	stores_destroy(e);
	blocks_destroy(e);
	decode_destroy(e);
	agent_destroy(e);
	hooks_destroy(e);
	span_unmap(&e->span);
	if (e->context)
		uc_context_free(e->context);
	if (e->uc)
		uc_close(e->uc);
	free(e);
}

/* Unicorn came back. Without an error and unasked, that is a hlt. */
static void came_back(struct pv_engine *e, uc_err err)
{
	if (err) {
		char why[128];

		snprintf(why, sizeof(why), "%s: access outside RAM", uc_strerror(err));
		vmexit_shutdown(e, VECTOR_PF, 0, why);
	} else {
		vmexit_hlt(e);
	}
}

void engine_go_on(struct pv_engine *e)
{
	while (!e->stop) {
		uc_err err;

		if (e->flush) {
			e->flush = false;
			hooks_change(e);
			parallel_choose(e);
			stores_choose(e);
			uc_ctl_flush_tb(e->uc);
			blocks_forget(e);
			continue;
		}
		err = uc_emu_start(e->uc, reg_get(e, UC_X86_REG_RIP), 0, 0, 0);
		if (!e->stop && !e->flush)
			came_back(e, err);
	}
}

int engine_run(struct pv_engine *e)
{
	e->tsc_start = __rdtsc();
	vmexit_ready(e);
	engine_go_on(e);
	return e->failure;
}
