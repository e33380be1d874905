/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_LOOP_H
#define PV_LOOP_H

struct pv_engine;

/* Executes, from RIP on, until the CPU has stopped. */
void loop_go_on(struct pv_engine *e);

#endif
