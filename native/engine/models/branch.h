/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_BRANCH_H
#define PV_BRANCH_H

#define x86_insn capstones_x86_insn /* decode/x86.h has one, too */
#include <capstone/capstone.h>
#undef x86_insn

#include "engine/models/predictor.h"

/* Of a branch instruction. */
enum branch_kind branch_kind(const cs_insn *insn);

#endif
