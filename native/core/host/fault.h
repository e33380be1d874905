/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults that are injected by seed: the same seed gives the same answers, in the order of the questions. */
#ifndef PV_FAULT_H
#define PV_FAULT_H

#include "core/locks/pv_sync.h"
#include "core/vm/vm.h"

struct fault_source {
	pv_u64 asked[PV_FAULTS];
};

/* Shall this go wrong now? */
bool fault_hits(struct pv_vm *vm, enum pv_fault kind);
/* Memory for what a guest asked for, zeroed; NULL: there is none. */
void *fault_alloc(struct pv_vm *vm, uint64_t size);
/* Called with a lock held. */
void fault_delay(struct pv_vm *vm);

#endif
