/* SPDX-License-Identifier: GPL-2.0-only */
/* What a trace consists of: vm_trace_read() gives these. */
#ifndef PV_TRACE_RECORD_H
#define PV_TRACE_RECORD_H

#include <stdint.h>

enum pv_trace_kind {
	PV_TRACE_LOST = 0,  /* a: so many records of this ring found no room here */
	PV_TRACE_EXIT,      /* the vCPU left guest mode; a: enum pv_exit_reason, b: RIP */
	PV_TRACE_ENTRY,     /* it goes back; a: PV_INJECT_*, b: 1 into the agent */
	PV_TRACE_STOP,      /* it will not go back */
	PV_TRACE_HYPERCALL, /* a, b: RAX and RBX; id: RCX, where that is an event's */
	PV_TRACE_RESULT,    /* of the hypercall; a: what the guest gets */
	PV_TRACE_OPEN,      /* id was opened by this vCPU */
	PV_TRACE_CLOSE,     /* id was closed by this vCPU; a: overflows in its shadow, dropped */
	PV_TRACE_ATTACH,    /* id counts on this vCPU; a: overflows in the shadow that it brings */
	PV_TRACE_DETACH,    /* it counts there no more; a: overflows in the shadow that it takes along */
	PV_TRACE_RAISE,     /* id has overflowed; a: so many times, b: its count */
	PV_TRACE_NMI,       /* the NMI path was entered for id; a: overflows that it is for */
	PV_TRACE_MISS,      /* that NMI lost the trylock */
	PV_TRACE_DEFER,     /* id was put on the list that needs no lock */
	PV_TRACE_SYNC,      /* a sync begins, with the event_mutex held; a: events queued */
	PV_TRACE_DELIVER,   /* id's overflows reach the guest's word; a: how many */
	PV_TRACE_FAILED,    /* id's guest memory could not be written */
	PV_TRACE_SYNCED,    /* the sync is over; a: overflows delivered */
	PV_TRACE_FINISH,    /* id was disabled by this vCPU; a: overflows delivered thereby */
	PV_TRACE_HOLD,      /* an operation of the ring's thread has this vCPU's event_mutex */
	PV_TRACE_RELEASE,   /* and gives it back */
	PV_TRACE_THROTTLE,  /* id raises nothing until its next window */
	PV_TRACE_UNTHROTTLE,
	PV_TRACE_KICK,      /* the ring's thread rings this vCPU's doorbell */
	PV_TRACE_KINDS,
};

struct pv_trace_record {
	uint64_t time_ns; /* CLOCK_MONOTONIC; never less than that of the one before in its ring */
	uint16_t kind;    /* enum pv_trace_kind */
	uint16_t vcpu;    /* that it is about */
	int32_t id;       /* of the event, where there is one */
	uint64_t a, b;
};
_Static_assert(sizeof(struct pv_trace_record) == 32, "pv_trace_record");

/* Rings beside those of the vCPUs' threads, which have the vCPUs' numbers: the first behind them, and so on. */
enum {
	PV_TRACE_RING_TIMER = 0, /* clock NMIs come from there */
	PV_TRACE_RING_API,       /* calls of the VM API */
	PV_TRACE_RINGS_BESIDE,
};

#endif
