/* SPDX-License-Identifier: GPL-2.0-only */
/* The first violation of a run, whoever finds it. The machine is broken then, and nobody waits for anybody any more. */
#ifndef STRESS_VIOLATION_H
#define STRESS_VIOLATION_H

#include <stdbool.h>

#include "explore/play/explore.h"

/* Where it is written. */
void violation_expect(struct explore_verdict *verdict);
bool violation_found(void);
/* What was found was made up, and has broken nothing. */
void violation_forget(void);
void violation_note(enum explore_oracle oracle, const char *text);

#endif
