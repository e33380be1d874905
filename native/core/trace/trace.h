/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trace: what host threads do, as they do it. Each thread writes a ring of its own, in
 * NMI context too, and the host process empties them: one producer, one consumer, no lock.
 * A record that finds no room is counted, and the next that finds some says so first.
 */
#ifndef PV_TRACE_H
#define PV_TRACE_H

#include "core/locks/pv_sync.h"
#include "core/trace/trace_record.h"

struct pv_vm;

struct trace_ring {
	struct pv_trace_record *records;
	/* Its thread's: */
	uint64_t gap;   /* records lost since the last that was kept */
	pv_u64 written; /* records ever */
	pv_u64 lost;
	uint8_t pad[64];
	/* The reader's: */
	pv_u64 taken; /* records ever */
};

struct pv_trace {
	/* Fixed once created: */
	uint32_t kinds;    /* a bit for each that is traced */
	uint32_t capacity; /* of a ring, in records, a power of 2 */
	uint32_t rings;
	struct trace_ring *ring;
	struct pv_trace_record *records; /* of all rings */
};

_Static_assert(PV_TRACE_KINDS <= 32, "a bit each");

enum { TRACE_LEAST_RECORDS = 2 }; /* a gap, and what comes behind it */

/* 0 or -ENOMEM. */
int trace_create(struct pv_vm *vm);
void trace_destroy(struct pv_vm *vm);
/* The ring for a thread to write, by its number; NULL: nothing is traced. */
struct trace_ring *trace_ring_of(struct pv_vm *vm, uint32_t number);
/* Adds a record to the calling thread's ring, if it has one. Any context. */
void trace_put(const struct pv_vm *vm, enum pv_trace_kind kind, uint32_t vcpu, int32_t id, uint64_t a, uint64_t b);
/* trace(vm, kind, vcpu, id, a, b): the same, if records of this kind are wanted; only then are a and b looked at. */
#define trace(vm, kind, ...) \
	do { \
		if (__builtin_expect((vm)->trace.kinds >> (kind) & 1, 0)) \
			trace_put(vm, kind, __VA_ARGS__); \
	} while (0)
/* Takes up to `most` records out of a ring, oldest first. */
uint32_t trace_take(struct pv_vm *vm, uint32_t number, struct pv_trace_record *to, uint32_t most);
/* Of all rings, so far. */
uint64_t trace_lost(const struct pv_vm *vm);

#endif
