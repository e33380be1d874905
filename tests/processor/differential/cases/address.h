/* SPDX-License-Identifier: GPL-2.0-only */
/* Where memory operands lie. */
#ifndef DIFFERENTIAL_ADDRESS_H
#define DIFFERENTIAL_ADDRESS_H

#include "case.h"
#include "dice.h"

/* A place that is worth it: aligned or not, at borders of pages, sometimes where nothing is. */
uint64_t address_make(struct dice *dice);
/* Changes registers and displacement so that the operand lies at such a place. */
void address_solve(struct dice *dice, struct test_case *c);
/* Where it lies now. */
uint64_t address_of(const struct test_case *c);

#endif
