/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_BRANCH_H
#define PV_BRANCH_H

#include <capstone/capstone.h>

#include "engine/models/predictor.h"

/* Of a branch instruction. */
enum branch_kind branch_kind(const cs_insn *insn);

#endif
