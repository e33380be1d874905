/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzing of the hypercall surface: an input is a machine and a list of records, each of them one
 * thing that a guest does: a hypercall from some vCPU, a write to guest memory, an exit. A record
 * may be armed to come in between at the n-th point of what follows: a lock, an access to
 * guest memory. So guest memory changes between two reads of the host's, and an operation
 * is run within another. One native thread plays it all, on the core's real build: the same input
 * always gives the same run.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FUZZ_VCPUS = 4,
	FUZZ_RECORDS = 64, /* of an input; what is behind them is not looked at */
};

/* The first bytes of an input; each is taken modulo what there is. */
struct fuzz_header {
	uint8_t vcpus, max_events, counters, buckets;
	uint8_t policies;  /* design, NMI and sync policy */
	uint8_t features;  /* FUZZ_* bits */
	uint8_t trylock, guest_write; /* faults, in steps of 125 per mille */
};

enum {
	FUZZ_SWITCHED_OFF = 1 << 0, /* no KVM_FEATURE_PV_PERF */
	FUZZ_AGENT = 1 << 1,
	FUZZ_POISSON = 1 << 2,
	FUZZ_THROTTLED = 1 << 3,
};

enum fuzz_op {
	FUZZ_OPEN = 0, /* a id, b attr, c gpa of the event, d flags, e period, f where the blocks lie */
	FUZZ_OPEN2,    /* a id, b attr, c gpa, d flags and room, e period, f read_format and group */
	FUZZ_CLOSE,    /* a id, as in the next three */
	FUZZ_ENABLE,
	FUZZ_DISABLE,
	FUZZ_READ,
	FUZZ_HYPERCALL, /* a number, b op, c RCX, d e f RDX */
	FUZZ_KICK,      /* a vCPU */
	FUZZ_AGENT_DONE, /* a what */
	FUZZ_OUT,       /* a port, b size, c value */
	FUZZ_HLT,
	FUZZ_EXIT,      /* a reason; b c d e f arguments */
	FUZZ_RUN,       /* a counters, b level, d e f how much */
	FUZZ_CPL,       /* a level */
	FUZZ_POKE,      /* c gpa, b width, d e f value */
	FUZZ_PATCH,     /* a vCPU, b field of what its OPEN is given, c gpa or d e f value */
	FUZZ_TAKE,      /* the guest takes all overflows */
	FUZZ_TIMER,     /* d e f ns pass; a rotations */
	FUZZ_FAIL_MEMORY, /* a: which access to guest memory from now on fails */
	FUZZ_FAIL_ALLOC,  /* a: which allocation */
	FUZZ_TIMES,     /* the host asks for an event's times: a id */
	FUZZ_FINISH,    /* the front end asks for the end */
	FUZZ_AT,        /* the next record comes at the a-th point from now */
	FUZZ_OPS,
};

struct fuzz_record {
	uint8_t op, vcpu, a, b, c, d, e, f;
};
_Static_assert(sizeof(struct fuzz_header) == 8 && sizeof(struct fuzz_record) == 8, "pieces of 8 bytes");

/* What a run came to. A violation does not return: it says what is wrong, and aborts. */
struct fuzz_result {
	uint64_t digest; /* of every result, and of how it ended */
	uint32_t performed, nested;
};

/* Options, before the first run. */
extern bool fuzz_verbose;         /* says what it does on stdout */
extern const char *fuzz_design;   /* instead of the input's; NULL: the input's */
bool fuzz_plant(const char *canary); /* false: there is no such defect */

void fuzz_play(const uint8_t *data, size_t size, struct fuzz_result *ret);
/* The input as a program of the explorer's, on stdout. False, and why: it cannot be said so. */
bool fuzz_export(const uint8_t *data, size_t size, const char **why);

/* Between the files of the fuzzer: */
_Noreturn void fuzz_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fuzz_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
