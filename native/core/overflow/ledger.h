/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ledger of overflows of one VM, the law of this project: at every quiet point
 *
 *	raised = delivered + what lies in the shadows + dropped
 *
 * Delivered ones are the guest's: in its word, or taken. Dropped are those that an event
 * still had in its shadow when it was freed.
 */
#ifndef PV_LEDGER_H
#define PV_LEDGER_H

#include "core/locks/pv_sync.h"

struct overflow_ledger {
	pv_u64 raised, delivered, dropped;
	pv_u64 nmis;   /* times that the NMI path was entered for an event */
	pv_u64 misses; /* of them, those that lost the trylock */
	pv_u64 syncs;  /* entries at which something was queued */
	pv_u64 failed; /* events whose guest memory could not be written */
	pv_u64 throttled, unthrottled;
	pv_u64 host_breakpoints; /* set on host addresses that the guest chose */
	pv_u64 leaked_buffers;
	pv_u64 delays_told; /* of misses, failures and throttlings: those that PV_HC_QUIET has told of */
};

#endif
