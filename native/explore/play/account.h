/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guests' own books of each event: what it must have counted, how often overflowed, for how long been enabled, and
 * whether an NMI is owed for it, all from what the vCPUs retired while it was attached and ran. Of the core's figures
 * none is believed but where an event is and whether it runs. Books are kept by the event's word; a program that is
 * played over and over has none.
 *
 * An event that is attached stays as it is while its vCPU is in guest mode: that vCPU's own fiber or thread alone
 * writes in its books then, and who holds the event's lock or its vCPU's event_mutex otherwise.
 */
#ifndef EXPLORE_ACCOUNT_H
#define EXPLORE_ACCOUNT_H

#include "core/events/event.h"
#include "explore/play/stretch.h"

struct account {
	uint64_t count;       /* instructions that retired in its windows */
	uint64_t delivered;   /* overflows that came into its word */
	uint64_t lost;        /* and those that the core took, and did not bring there */
	bool owed;            /* some came since the last NMI for it */
	uint64_t attached_at; /* the attachment that was seen last */
	uint64_t running_at;  /* and when it was seen to begin to run */
	uint64_t enabling_at; /* when the last ENABLE began that attached it */
	struct stretch enabled, running;
	uint64_t time_enabled, time_running; /* what its record said last */
};

/* The VM's deliveries go past the books from here on. */
void account_watch(struct pv_vm *vm);
void account_begin(void);
/* The books of the event with this word; NULL: there are none. */
struct account *account_at(gpa_t word);
uint64_t account_count(const struct account *account);
/* A vCPU leaves guest mode. It enters it; and what it left for retires there, before anything else. */
void account_leave(struct pv_vcpu *vcpu);
void account_enter(struct pv_vcpu *vcpu);
void account_retire_exit(struct pv_vcpu *vcpu, uint64_t instructions);
/* It retires instructions, and stays in guest mode behind them: no event may have overflowed. */
void account_retire(struct pv_vcpu *vcpu, uint64_t instructions);
void account_stays(struct pv_vcpu *vcpu);

#endif
