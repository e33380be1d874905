/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's own copy of a run page. What a vCPU's process writes is read once, when it exits, and is checked: what no
 * engine says becomes a PV_EXIT_ERROR, that process' fault, and nothing of it is taken over. What the host has written it
 * never reads back.
 */
#ifndef PV_RUN_COPY_H
#define PV_RUN_COPY_H

#include "abi/run_page.h"

/* At an exit: `own` is as of the last entry. */
void run_take(const struct pv_run *shared, struct pv_run *own);
/* For an entry. */
void run_give(struct pv_run *shared, const struct pv_run *own);

#endif
