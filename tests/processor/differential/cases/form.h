/* SPDX-License-Identifier: GPL-2.0-only */
/* What an instruction looks like. */
#ifndef DIFFERENTIAL_FORM_H
#define DIFFERENTIAL_FORM_H

#include "case.h"
#include "dice.h"

/* A random one that may be compared. */
void form_make(struct dice *dice, const struct filter *filter, struct form *ret);
/* Its bytes, prefixes in `skip` left out. Returns how many. */
unsigned form_encode(const struct form *form, uint64_t skip, uint8_t code[CODE_MOST]);

static inline unsigned form_reg(const struct form *form)
{
	return form->modrm >> 3 & 7;
}

static inline bool form_is_vex(const struct form *form)
{
	return form->map >= MAP_VEX1;
}

/* Of the instruction that /reg selects. */
bool form_is_group(const struct form *form);
bool form_is_string(const struct form *form);
bool form_is_gather(const struct form *form);

/* immediate.c: jumps go onto int3. */
void immediate_make(struct dice *dice, struct form *form);

/* exclude.c: cannot be compared, and why not; NULL: it can. */
const char *form_excluded(const struct form *form);

#endif
