/* SPDX-License-Identifier: GPL-2.0-only */
/* How a vCPU is to be executed and counted. */
#ifndef PV_ENGINE_CONFIG_H
#define PV_ENGINE_CONFIG_H

#include "abi/code_map.h"
#include "abi/platform.h"
#include "abi/run_page.h"
#include "engine/models/config.h"

/* What the block hook does; the last two are for `bench engine` alone. */
enum pv_engine_hook {
	PV_ENGINE_COUNT = 0, /* exact counting */
	PV_ENGINE_EMPTY_HOOK, /* an empty C block hook: nothing is counted, LOCK is not atomic */
	PV_ENGINE_NO_HOOK,
};

/* How LOCK is made atomic. */
enum pv_engine_lock {
	PV_LOCK_IN_BLOCK = 0, /* by Unicorn's code for guests with several CPUs, as far as that goes: see parallel.c */
	PV_LOCK_TRAPPED,      /* by leaving the block for each: see trap.c */
	PV_LOCK_LEFT,         /* not at all: it loses updates; a negative control */
};

/* Stores to memory that the guest may execute. */
enum pv_engine_store {
	PV_STORE_FAST = 0, /* past Unicorn, where there is no code: see fast_store.h */
	PV_STORE_UNICORN,
};

/* The guest's processor: see system/features.c. */
enum pv_cpu {
	PV_CPU_DEFAULT = 0, /* what Unicorn knows of; of that, what the host has if it takes the host */
	PV_CPU_X86_64,      /* the levels of the x86-64 psABI */
	PV_CPU_X86_64_V2,
	PV_CPU_X86_64_V3,
	PV_CPU_MAX,         /* what the host has and the engine can do */
	PV_CPUS
};

struct pv_engine_config {
	uint8_t *ram;
	uint64_t ram_size;     /* what the guest has of it */
	uint64_t agent_bytes;  /* the agent's memory, behind that; 0: there is no agent */
	struct pv_run *run;
	const struct pv_vm_page *page;
	struct pv_platform *platform; /* NULL: a bare guest, which has none */
	struct pv_code_map *code_map; /* of a platform with several vCPUs */
	uint32_t paced;               /* 1: what a platform sleeps takes its time, as somebody sits in front of it */
	uint32_t vcpu;
	uint32_t hook;         /* enum pv_engine_hook */
	uint32_t lock;         /* enum pv_engine_lock */
	uint32_t stores;       /* enum pv_engine_store */
	uint32_t cpu;          /* enum pv_cpu */
	uint32_t oracle;       /* 1: also step every instruction, and compare at every exit */
	int32_t core;          /* pin to this core, which is its host thread's; -1: do not */
	uint32_t may_part;     /* 1: as long as hand-overs are faster so, run on any core but that one */
	struct pv_jump agent_nmi; /* the agent's NMI handler on this vCPU */
	gpa_t agent_frame;        /* of this vCPU's pv_agent_frame */
	uint32_t predictor_bits; /* of global history; 0: the default (see predictor.h) */
	struct pv_cache_config l1d, llc;
};

#endif
