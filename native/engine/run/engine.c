/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/run/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "engine/atomic/span.h"
#include "engine/count/config.h"
#include "engine/count/count.h"
#include "engine/count/hooks.h"
#include "engine/count/oracle.h"
#include "engine/decode/code.h"
#include "engine/decode/decode.h"
#include "engine/exception/fast_call.h"
#include "engine/native/native.h"
#include "engine/process/placement.h"
#include "engine/run/agent.h"
#include "engine/run/block_hook.h"
#include "engine/run/boundary.h"
#include "engine/run/state.h"
#include "engine/run/trap.h"
#include "engine/run/vmexit.h"
#include "engine/system/features.h"
#include "engine/system/system.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/hidden.h"
#include "engine/unicorn/parallel.h"
#include "engine/unicorn/registers.h"
#include "engine/unicorn/stores.h"

enum { PAGE = 4096 };

/* Unicorn takes callbacks as void pointers. */
static int hook(uc_engine *uc, int type, void *callback, void *data, uint64_t begin, uint64_t end)
{
	uc_hook handle;

	return uc_hook_add(uc, &handle, type, callback, data, begin, end) ? -ENOMEM : 0;
}

static int hook_instruction(uc_engine *uc, int instruction, void *callback, void *data)
{
	uc_hook handle;

	return uc_hook_add(uc, &handle, UC_HOOK_INSN, callback, data, (uint64_t)1, (uint64_t)0, instruction) ? -ENOMEM : 0;
}

static int set_block_hooks(struct pv_engine *e)
{
	uc_engine *uc = e->cpu.uc;

	switch (e->cpu.config.hook) {
	case PV_ENGINE_NO_HOOK:
		return 0;
	case PV_ENGINE_EMPTY_HOOK:
		return hook(uc, UC_HOOK_BLOCK, (void *)on_block_empty, NULL, 1, 0);
	default:
		if (e->cpu.config.oracle && hook(uc, UC_HOOK_CODE, (void *)on_oracle, &e->cpu, 1, 0))
			return -ENOMEM;
		return blocks_create(&e->cpu.blocks, uc, e, e->cpu.config.oracle, on_block, on_trap);
	}
}

static int set_hooks(struct pv_engine *e)
{
	uc_engine *uc = e->cpu.uc;

	if (set_block_hooks(e) || hook(uc, UC_HOOK_INTR, (void *)on_interrupt, e, 1, 0) ||
	    hook(uc, UC_HOOK_INSN_INVALID, (void *)on_invalid, e, 1, 0))
		return -ENOMEM;
	if (hook_instruction(uc, UC_X86_INS_OUT, (void *)on_out, e) ||
	    hook_instruction(uc, UC_X86_INS_IN, (void *)on_in, e) ||
	    hook_instruction(uc, UC_X86_INS_CPUID, (void *)on_cpuid, e) ||
	    hook_instruction(uc, UC_X86_INS_SYSCALL, (void *)on_syscall, &e->cpu) ||
	    hook_instruction(uc, UC_X86_INS_SYSENTER, (void *)on_sysenter, &e->cpu))
		return -ENOMEM;
	return 0;
}

/* What is found out about Unicorn by executing something, on a page of its own, before there is guest RAM. */
static int try_out(struct pv_engine *e)
{
	enum { AT = 0x1000, BYTES = 4096 };
	const struct stores_ram ram = { e->cpu.config.ram, e->cpu.config.ram_size, e->cpu.code.lines };
	int ret;

	if (uc_mem_map(e->cpu.uc, AT, BYTES, UC_PROT_ALL))
		return -ENOMEM;
	ret = blocks_calibrate(e->cpu.uc, AT);
	if (!ret)
		ret = system_calibrate(e->cpu.uc, AT);
	if (!ret && e->cpu.config.lock == PV_LOCK_IN_BLOCK && e->cpu.config.hook == PV_ENGINE_COUNT)
		parallel_calibrate(&e->cpu.parallel, e->cpu.uc, AT);
	if (!ret && e->cpu.config.stores == PV_STORE_FAST && e->cpu.config.hook == PV_ENGINE_COUNT)
		stores_calibrate(&e->cpu.stores, e->cpu.uc, AT, &ram);
	return uc_mem_unmap(e->cpu.uc, AT, BYTES) && !ret ? -ENOMEM : ret;
}

/* Whether there may be memory that is written and executed. Where not, Unicorn ends the process without a word to us. */
static int try_code_memory(uint64_t bytes, const char **why)
{
	void *code = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (code == MAP_FAILED) {
		*why = "no memory that may be written and executed: raise ulimit -v, or a policy forbids it";
		return -errno;
	}
	munmap(code, bytes);
	return 0;
}

/* Other vCPUs translate the same RAM. */
static void share_ram(struct pv_engine *e)
{
	const struct pv_engine_config *config = &e->cpu.config;

	e->cpu.share = (struct share){ .page = config->page, .ipi = config->platform->ipi, .vcpu = config->vcpu };
	share_create(&e->cpu.share, config->code_map, (config->ram_size + PAGE - 1) / PAGE);
}

static void stored(void *owner, uint64_t offset, unsigned size)
{
	struct pv_engine *e = owner;

	share_stored(&e->cpu.share, offset, size);
}

/* In the midst of an instruction: it is told between two blocks. */
static void stores(void *owner, uint64_t offset, unsigned size)
{
	struct pv_engine *e = owner;

	share_stores(&e->cpu.share, offset, size);
	if (e->cpu.share.laters)
		count_attend(&e->cpu, ATTEND_CODE);
}

static int open_unicorn(struct pv_engine *e)
{
	int ret;

	if (uc_open(UC_ARCH_X86, UC_MODE_64, &e->cpu.uc))
		return -ENOMEM;
	if (uc_ctl_set_tcg_buffer_size(e->cpu.uc, (uint32_t)e->cpu.blocks.code_bytes))
		return -ENOMEM;
	ret = hidden_calibrate(&e->cpu.hidden, e->cpu.uc);
	if (!ret)
		ret = try_out(e);
	if (!ret && e->cpu.config.hook == PV_ENGINE_COUNT)
		ret = native_create(&e->cpu.native, &e->cpu);
	if (ret)
		return ret;
	if (e->cpu.native)
		e->system.calls.translation = &e->cpu.native->translation;
	if (uc_mem_map_ptr(e->cpu.uc, 0, e->cpu.config.ram_size, UC_PROT_ALL, e->cpu.config.ram))
		return -ENOMEM;
	/* No address ends the emulation: hooks do. */
	if (uc_ctl_exits_enable(e->cpu.uc) || uc_ctl_set_exits(e->cpu.uc, NULL, 0))
		return -EOPNOTSUPP;
	ret = set_hooks(e);
	parallel_choose(&e->cpu.parallel, e->cpu.uc, e->cpu.hooks.memory);
	stores_choose(&e->cpu.stores, e->cpu.hooks.memory);
	if (e->cpu.config.code_map &&
	    !stores_share(&e->cpu.stores, &(struct fast_stores){ .stored = stored, .stores = stores, .owner = e }))
		return -EOPNOTSUPP;
	return ret;
}

static const struct cpu_calls calls = { vmexit_failed, vmexit_shutdown };

int engine_create(const struct pv_engine_config *config, struct pv_engine **ret, char *why, uint64_t why_size)
{
	struct pv_engine *e = calloc(1, sizeof(*e));
	const char *what;
	int err;

	if (!e) {
		snprintf(why, why_size, "no memory for the engine");
		return -ENOMEM;
	}
	e->cpu.config = *config;
	e->cpu.calls = &calls;
	e->cpu.x86.intel = true;
	e->cpu.bell = config->platform ? &config->platform->ipi[config->vcpu].bell : &config->run->bell;
	platform_create(&e->platform, &e->cpu);
	blocks_limit(&e->cpu.blocks, config->platform);
	system_create(&e->system, &e->cpu, &e->platform);
	e->cpu.count.timer = UINT64_MAX;
	e->cpu.count.chunk = CHUNK_INSTRUCTIONS;
	e->cpu.count.budget = e->cpu.count.chunk << INSTRUCTION_SHIFT;
	e->boundary.overflowed_at = UINT64_MAX;
	cores_choose(&e->cores, config->core, config->may_part);
	if (config->core >= 0)
		config->run->together = 1;
	err = engine_cpu_choose(config->cpu, engine_host_features(), &e->cpu.x86.features, why, why_size);
	if (err) {
		engine_destroy(e);
		return err;
	}
	if (config->platform) /* its runs are to be the same every time */
		e->cpu.x86.features &= ~(1ull << X86_RDRAND | 1ull << X86_RDSEED);
	err = hooks_create(&e->cpu, &what);
	if (!err)
		err = try_code_memory(e->cpu.blocks.code_bytes, &what);
	if (err) {
		snprintf(why, why_size, "%s", what);
		engine_destroy(e);
		return err;
	}
	decode_create(&e->cpu.decode, &e->cpu.parallel, config->lock == PV_LOCK_LEFT);
	if (config->code_map)
		share_ram(e);
	err = code_create(&e->cpu.code, config->ram_size, config->code_map ? &e->cpu.share : NULL);
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
	stores_destroy(&e->cpu.stores);
	blocks_destroy(&e->cpu.blocks);
	code_destroy(&e->cpu.code);
	agent_destroy(e);
	hooks_destroy(&e->cpu);
	span_unmap(&e->span);
	native_destroy(e->cpu.native);
	hidden_destroy(&e->cpu.hidden);
	if (e->cpu.uc)
		uc_close(e->cpu.uc);
	free(e);
}
