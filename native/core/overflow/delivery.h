/* SPDX-License-Identifier: GPL-2.0-only */
/* What the host writes into an event's guest memory: its count, and its overflows. */
#ifndef PV_DELIVERY_H
#define PV_DELIVERY_H

#include "core/host/guest_mem.h"

struct host_event;
struct pmu_value;

/*
 * All with the event's lock held while it is attached nowhere, else with its vCPU's
 * event_mutex held: so what is written later is later. 0 or -PV_EFAULT.
 */

/* The count that the value stands for: never less than one that was given before. */
uint64_t deliver_value(struct host_event *event, const struct pmu_value *value);
/* Gives the guest the count that the value stands for, and a version 2 event what its read_format asks for. */
int deliver_count(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value);
/*
 * Exchanges the shadow's overflows with 0 and adds them to the guest's word, with the count in
 * place before them. When guest memory fails the exchange is undone: nothing is lost.
 * *delivered: how many; the word takes no more than it can hold, the rest stays in the shadow.
 */
int deliver_overflows(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
		      uint64_t *delivered);

#endif
