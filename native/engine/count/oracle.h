/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An oracle for the counts: a hook before every single instruction, which counts
 * one when the next begins, and knows nothing of blocks. At every VM exit its
 * sums must equal those of count.c. It tells branches by their opcode bytes.
 */
#ifndef PV_ORACLE_H
#define PV_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

#include "abi/run_page.h"

struct cpu;

struct oracle {
	uint64_t count[2][PV_CPLS]; /* PV_COUNT_INSTRUCTIONS, PV_COUNT_BRANCHES */
	uint64_t address;
	uint8_t bytes[16];
	uint32_t size;
	uint32_t cpl;
	bool pending;
};

/* Unicorn's hook; `data` is the CPU. */
void on_oracle(uc_engine *uc, uint64_t address, uint32_t size, void *data);
/* Of each of these, without an oracle: nothing. */
void oracle_settle(struct cpu *cpu, uint64_t rip, bool fault);
void oracle_retire(struct cpu *cpu);
void oracle_compare(struct cpu *cpu);

#endif
