/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine: guest mode of one vCPU, in its own process, on Unicorn (TCG).
 * Leaves to the host through the run page; never sees the event table.
 */
#ifndef PV_ENGINE_H
#define PV_ENGINE_H

#include "engine/count/config.h"

struct pv_engine;

/* The engine in *ret, or a negative errno and a sentence in `why`. */
int engine_create(const struct pv_engine_config *config, struct pv_engine **ret, char *why, uint64_t why_size);
/* Runs the vCPU until the host says PV_ENTER_STOP or the VM is over. 0, or a negative errno. */
int engine_run(struct pv_engine *engine);
void engine_destroy(struct pv_engine *engine);

#endif
