/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One schedule: fibers that run one at a time, and change only at points. Before each
 * step that others could see - a lock, an atomic, a wait - the fiber stands at a point, and
 * the strategy says who goes on. What is not a point happens at once.
 */
#ifndef EXPLORE_SCHEDULE_H
#define EXPLORE_SCHEDULE_H

#include <stdbool.h>

#include "explore/play/explore.h"
#include "core/locks/panic.h"

enum {
	SCHEDULE_STEPS = 20000, /* more than this is no progress */
	SCHEDULE_STORES = EXPLORE_STORES,  /* a fiber's store buffer, where fibers are numbered */
	SCHEDULE_CHECKER = EXPLORE_FIBERS, /* the fiber that checks, when the others are done */
};

enum point_kind {
	POINT_LOAD = 0,
	POINT_STORE,
	POINT_UPDATE,  /* an atomic read and write */
	POINT_LOCK,    /* may go on when the lock is free */
	POINT_TRYLOCK,
	POINT_UNLOCK,
	POINT_WAIT,    /* may go on when the sequence differs from the ticket */
	POINT_WAKE,
	POINT_GUEST,   /* in guest mode, with an operation to do */
	POINT_IDLE,    /* in guest mode, with nothing left to do: may go on when the doorbell rings */
	POINT_TAG,     /* pv_point() */
	POINT_RELEASE, /* the unlocking of a spinlock: a store */
	POINT_VISIBLE, /* no point, but a step: a store leaves its buffer */
	POINT_KINDS,
};

struct fiber {
	void *context;
	uint8_t *stack;
	uint64_t steps;
	struct pv_thread thread;
	uint8_t number; /* in schedule.fiber */
	/* Where it stands: */
	uint8_t kind; /* enum point_kind */
	uint8_t op;
	uint32_t ticket; /* POINT_WAIT */
	const void *object;
	const char *where;
};

struct strategy {
	/* Picks one of schedule.enabled; `current` is among them unless it has to wait. */
	unsigned (*next)(void);
	/* Picks one of schedule.enabled: SCHEDULE_STORES + a fiber whose oldest store becomes visible now, or
	 * `current`, which goes on as if the stores that wait had not been made. */
	unsigned (*settle)(void);
	/* The schedule is over. False: there is no other one. */
	bool (*done)(void);
};

struct schedule {
	struct fiber *current; /* NULL: outside of a schedule */
	bool controlled;       /* points are points; not so for the checker */
	uint32_t fibers;       /* how many there are */
	uint32_t alive;        /* masks of fibers */
	uint32_t conditional;  /* of those alive, who waits for a condition */
	uint32_t enabled;      /* of those alive, who could go on */
	uint32_t buffered;     /* of all, whose store buffer holds something */
	uint32_t step, decisions, preemptions, switches;
	uint64_t trace_hash;
	const struct strategy *strategy;
	void (*seen)(const struct fiber *self); /* NULL: nobody looks at the steps */
	struct explore_totals *totals;
	struct explore_verdict *verdict;
	bool tso;              /* stores go into buffers: store_buffer.h */
	bool reduced;          /* points at what one fiber alone touches, or none changes, are none */
	bool grown;            /* since it was cleared, something was found to be shared */
	bool logging;          /* each step is kept */
	bool tracing;          /* what the core traces is kept; looking at it takes steps of its own */
	bool crashed;
	void *main;
	struct fiber fiber[EXPLORE_FIBERS + 1];
};
extern struct schedule schedule;

/* What the fibers do. */
struct schedule_players {
	void (*body)(unsigned fiber);
	bool (*may_stay)(unsigned fiber); /* where it waits, though nobody will wake it */
	void (*check)(void);
};

/* The fibers' names: vCPUs, then the timer. */
int schedule_create(uint32_t vcpus);
/* Runs fibers 0 to n - 1 to the end; then the check, uncontrolled. */
void schedule_run(uint32_t n, bool tso, const struct schedule_players *who);
/* Ends the schedule: the first violation counts. Does not return. */
_Noreturn void schedule_violation(enum explore_oracle oracle, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
_Noreturn void schedule_leave(void);
/* crash.c: while schedules run, a wild access of a fiber is a violation and not the end of the process. */
void schedule_catch_faults(void);
void schedule_release_faults(void);
/* The current fiber is at a point; returns when it may go on. */
void schedule_point(enum point_kind kind, const void *object, const char *where);
void schedule_wait(const void *object, uint32_t ticket, const char *where);
/* The current fiber is in guest mode, where only its own vCPU's doorbell concerns it. */
void schedule_guest(const uint32_t *doorbell, uint8_t op, bool idle);
/* panic_oracle.c: which oracle a panic's text is a violation of. */
enum explore_oracle panic_oracle(const char *text);

/* Canaries: defects planted in the core. */
extern uint32_t canary_active;

static inline uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

#endif
