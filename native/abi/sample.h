/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Samples, on their way from the agent's NMI handler to the front end: a ring in guest
 * memory for each vCPU. The guest writes, the host process reads. A record never
 * wraps: what is left of the ring where it does not fit is a record of kind PAD.
 */
#ifndef PV_SAMPLE_H
#define PV_SAMPLE_H

#include "kvm_pv_perf.h"

enum pv_sample_kind {
	PV_SAMPLE = 0,
	PV_SAMPLE_PAD, /* only `size` and `kind` mean anything; `size` may be 8 */
};

enum { PV_SAMPLE_MAX_CHAIN = 127 };

struct pv_sample {
	uint16_t size; /* bytes, the chain included: a multiple of 8 */
	uint16_t event; /* among those that the agent opened */
	uint16_t chain; /* return addresses, innermost first, u64 each, behind this */
	uint8_t kind;
	uint8_t cpl;
	uint32_t overflows; /* taken with it: 1, or more where they had accumulated */
	uint32_t vcpu;
	uint64_t ip;
	uint64_t time_ns; /* CLOCK_MONOTONIC of the host */
	uint64_t period;  /* what the event has counted since its last sample */
	uint64_t count;
};
_Static_assert(sizeof(struct pv_sample) == 48, "pv_sample");

struct pv_sample_ring {
	/* Written by the guest. */
	uint64_t head; /* bytes ever written; at `head` modulo the ring's bytes comes the next */
	uint64_t lost; /* samples that found no room */
	uint64_t pad0[6];
	/* Written by the host process. */
	uint64_t tail; /* bytes ever read */
	uint64_t pad1[7];
	uint8_t data[];
};
_Static_assert(sizeof(struct pv_sample_ring) == 128, "pv_sample_ring");

#endif
