/* SPDX-License-Identifier: GPL-2.0-only */
/* What may come between two blocks: the end of an NMI, the doorbell, an alarm, an NMI. */
#ifndef PV_BOUNDARY_H
#define PV_BOUNDARY_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

struct pv_engine;

struct boundary {
	uint64_t overflowed_at; /* instructions retired by the PV_EXIT_OVERFLOW that left its alarm as it was */
	bool flush;             /* drop translated code before going on */
	bool heed;              /* others' changes of code, before going on */
	bool reset;             /* by an INIT: wait for the STARTUP */
};

/*
 * `count.current` must be a block that contains `rip` and has not retired from there on, or
 * NULL. False: the vCPU has left for elsewhere, or stopped.
 */
bool boundary_attend(struct pv_engine *e, uint64_t rip, bool in_block);
/* The same in the midst of the current block: an alarm that is reached and an NMI come before the exit at `rip`. */
bool boundary_attend_inside(struct pv_engine *e, uint64_t rip);
/* An NMI that another vCPU has sent is pending from now on. */
void boundary_take_nmi(struct pv_engine *e);
/* The current block is left in front of `rip`, which is not begun. */
void boundary_leave_inside(struct pv_engine *e, uint64_t rip);

/* Unicorn's hooks between blocks, RIP being at the instruction; `data` is the engine. An exception, or an int n, RIP being
 * behind that: */
void on_interrupt(uc_engine *uc, uint32_t vector, void *data);
/* No instruction that Unicorn knows. True: handled, go on at RIP. */
bool on_invalid(uc_engine *uc, void *data);

#endif
