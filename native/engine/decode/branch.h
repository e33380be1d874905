/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_BRANCH_H
#define PV_BRANCH_H

#include <stdbool.h>

#include "engine/models/predictor.h"
#include "engine/x86/insn.h"

/*
 * Branches are what the architectural event "branch instructions retired" counts
 * (Intel SDM vol. 3, 20.2.1): near and far jumps, calls and returns, taken or not,
 * loop and jrcxz, and the far transfers int n, iret, syscall and sysret.
 */
bool branch_is(const struct x86_insn *insn);
/* Which predictor a branch instruction belongs to. */
enum branch_kind branch_kind_of(const struct x86_insn *insn);

#endif
