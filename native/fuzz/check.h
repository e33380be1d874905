/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold when nothing is under way. The names of the oracles are the explorer's. */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

/* The core agrees with the model, and with itself. */
void check_at_rest(void);
/* Every event is closed, and every vCPU has entered since: nothing is left of them. */
void check_nothing_left(void);
/* The VM is over: nothing was lost. */
void check_ended(void);

#endif
