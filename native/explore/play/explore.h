/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The explorer's API: one VM's host core whose vCPU threads are fibers, and schedules of
 * them, run by the million. One machine in a process, used by one thread; a search over
 * several cores takes several processes. Everything is a function of (machine, program,
 * search, index): run twice, it is the same twice.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdint.h>

enum {
	EXPLORE_VCPUS = 8,
	EXPLORE_FIBERS = EXPLORE_VCPUS + 2, /* and the sources of NMIs and ticks */
	EXPLORE_STORES = 16, /* in a switch, this and a fiber: its store buffer */
	EXPLORE_OPS = 32,      /* of one fiber */
	EXPLORE_IDS = 8,       /* event ids of programs: 0 to 7 */
	EXPLORE_STATES = 8192, /* of the sequential specification */
	EXPLORE_TEXT = 512,
	EXPLORE_OF_BREAKPOINT = 0xffff, /* the value of an OPEN of a breakpoint */
	EXPLORE_CALLS = 7, /* kinds of hypercalls: those up to JOIN */
	EXPLORE_GROUP_BITS = 3,
	EXPLORE_COLUMNS = EXPLORE_CALLS - 1 + EXPLORE_IDS,
	EXPLORE_OF_CLOCK = 0x8000, /* in the value of an OPEN: cpu-clock, and the rest is its period in ns */
};

/* What a vCPU's guest does: `id` is the event's, `value` depends. */
enum explore_kind {
	EXPLORE_OPEN = 0, /* value: the sample period, 0: it counts alone; EXPLORE_OF_CLOCK: of a clock */
	EXPLORE_CLOSE,
	EXPLORE_ENABLE,
	EXPLORE_DISABLE,
	EXPLORE_READ,
	EXPLORE_LEAD,   /* OPEN2 of what may lead a group; value: the sample period */
	EXPLORE_JOIN,   /* OPEN2 into a group; value: the leader's id, and behind EXPLORE_GROUP_BITS the sample period */
	EXPLORE_RUN,    /* retires `value` instructions at CPL 0 */
	EXPLORE_HANDLE, /* takes the overflows of all events; on an NMI each vCPU takes those that it opened */
	EXPLORE_PEEK,   /* reads an event's record, without a hypercall */
	EXPLORE_HALT,   /* HLT: until a kick or an NMI */
	EXPLORE_KICK,   /* KVM_HC_KICK_CPU of vCPU `id` */
	/* The timer's alone: */
	EXPLORE_TICK,   /* vCPU `id` is asked to rotate its counters, or to look at its throttled ones */
	EXPLORE_CLOCK,  /* clock events that are due raise their NMIs */
	EXPLORE_KINDS,
};

struct explore_op {
	uint8_t kind;
	uint8_t id;
	uint16_t value;
};

/* Fibers 0 to vcpus - 1 are the vCPUs; the one behind them is the timer. */
struct explore_program {
	uint32_t length[EXPLORE_FIBERS];
	struct explore_op op[EXPLORE_FIBERS][EXPLORE_OPS];
};

/* The machine: capacities as small as the defects that one looks for need them to be. */
struct explore_machine {
	uint32_t vcpus, max_events, counters, hash_buckets;
	uint32_t fault_permille[4]; /* of pv_vm_config */
	uint32_t max_sample_rate;
	uint32_t fault_seed;
	uint32_t fail_alloc; /* the number of the allocation, from the guest's start on, that fails; 0: none */
	uint32_t no_handler;        /* 1: an NMI is ignored; overflows are taken by EXPLORE_HANDLE alone */
	uint32_t canary;            /* which planted defect is switched on; 0: none */
	uint32_t tso;               /* 1: stores wait in buffers, as on x86 */
	const char *design, *nmi, *sync;
};

/* The sequential specification, as a table: what `kind` for `id` by `vcpu` does in a state. */
struct explore_transition {
	uint16_t next;
	int16_t result;
};

enum explore_oracle {
	EXPLORE_HELD = 0,
	EXPLORE_MEMORY,       /* O1: freed memory, a double free, a wild access */
	EXPLORE_REFERENCES,   /* O2 */
	EXPLORE_LIMIT,        /* O3 */
	EXPLORE_UNIQUE,       /* O4 */
	EXPLORE_CONSERVATION, /* O5 */
	EXPLORE_STRANDED,     /* O6 */
	EXPLORE_LOCKS,        /* O7: lock order, lock misuse, the NMI rule */
	EXPLORE_LINEARIZABLE, /* O8 */
	EXPLORE_RACE,         /* O9 */
	EXPLORE_PROGRESS,     /* O10: deadlock, no progress */
	EXPLORE_NMIS,         /* O11: an NMI, or the end of a HLT, for nothing; and an NMI that does not come */
	EXPLORE_PERIODS,      /* O12: overflows that are not a period apart */
	EXPLORE_TIMES,        /* O13 */
	EXPLORE_RECORDS,      /* O14: a version 2 record of more than one moment */
	EXPLORE_DIVERGED,     /* no oracle: a replay did not go as recorded */
	EXPLORE_ORACLES,
};

enum explore_strategy {
	EXPLORE_RANDOM = 0, /* any fiber that can go on, at every point */
	EXPLORE_STICKY,     /* the same, but mostly the one that runs */
	EXPLORE_PCT,        /* priorities and `bound` - 1 places where they change; 1 to 5 by index for 0 */
	EXPLORE_POS,        /* priorities, anew for the operations that conflict */
	EXPLORE_URW,        /* in proportion to what a fiber has still to do */
	EXPLORE_MIX,        /* all these, by index */
	EXPLORE_DFS,        /* every schedule with at most `bound` preemptions, each step that goes past a waiting store counted as one */
	EXPLORE_REPLAY,
	EXPLORE_STRATEGIES,
};

struct explore_search {
	uint32_t strategy;
	uint32_t bound;
	uint32_t full;         /* 1: a DFS leaves out no point; otherwise those that cannot matter */
	uint32_t tracing;      /* 1: what the core traces is kept */
	uint32_t covering;     /* 1: what met, and in which order, is noted */
	uint32_t pad;
	uint64_t seed;
	uint64_t first, count; /* indices; `first` of a DFS that goes on is not 0 */
	uint64_t deadline_ns;  /* of CPU time that the process has used; 0: none */
};

/* A change of the running fiber: before step `step`, at which fiber `from` stood at `where`. Or, where `to` is
 * EXPLORE_STORES + a fiber, that one's oldest store became visible; or, where it is `from`, that one went on
 * past a store which was not. */
struct explore_switch {
	uint32_t step;
	uint8_t from, to;
	uint8_t op;      /* of `from` */
	uint8_t preempts; /* 1: it counts as a preemption: `from` could have gone on, or passed a store */
	const char *where;
};

/* A step, as the log of a replay has it. */
struct explore_step {
	uint8_t fiber, op, kind, pad;
	uint32_t object;
	const char *where;
};

/* What the core said that it does: enum pv_trace_kind, and the vCPU, the event and the number that it is about. */
struct explore_trace {
	uint32_t kind, vcpu;
	int32_t id;
	uint32_t pad;
	uint64_t a;
};

/* An operation that returned, or was cut off: result INT32_MIN. */
struct explore_result {
	uint8_t fiber, op;
	uint16_t pad;
	int32_t result;
	uint32_t invoked, returned; /* in the order of all invocations and returns */
	uint64_t count;             /* READ, DISABLE: what the guest then found */
	uint64_t expected;          /* DISABLE: what it must be; ~0: not known */
};

/* Two places that met on one object, on different fibers, `first` before `second`; or in both orders. */
struct explore_pair {
	const char *first, *second;
	uint32_t both;
	uint32_t pad;
};

struct explore_verdict {
	uint32_t oracle;
	uint32_t strategy, bound;
	uint32_t steps, switches, preemptions;
	uint32_t results;
	uint32_t pad;
	uint64_t index;
	uint64_t trace_hash, state_hash;
	char text[EXPLORE_TEXT];
};

struct explore_totals {
	uint64_t schedules, steps;
	uint64_t trylock_failures, contended, nmis, nmi_misses;
	uint64_t digest;   /* of every trace and end state */
	uint32_t longest;  /* steps */
	uint32_t complete; /* 1: a DFS has seen everything within its bound */
	uint64_t ns;       /* of CPU time */
};

/* 0, or a negative errno with a reason. A machine that was there before is gone. */
int explore_create(const struct explore_machine *machine, char *why, uint64_t why_size);
void explore_destroy(void);
/* Sets the program of the schedules that follow. -EINVAL: it does not fit the machine. */
int explore_program_set(const struct explore_program *program);
/* The specification: [state][vcpu][column][id]; NULL: none. State 0 is the first. A column is a kind up to READ; or LEAD,
 * and JOIN for every leader, too. */
int explore_specification_set(const struct explore_transition *table, uint32_t states, uint32_t columns);
/* Runs schedules until one violates an oracle, or all are done, or time is over. Adds to *totals.
 * *verdict is that of the last schedule. */
void explore_run(const struct explore_search *search, struct explore_totals *totals,
		 struct explore_verdict *verdict);
/* Runs one schedule that switches as told. Where it cannot, it ends as DIVERGED. */
void explore_replay(const struct explore_switch *switches, uint32_t n, struct explore_verdict *verdict);
/* Of the last schedule: its switches, its results, and, of a replay, every step. */
const struct explore_switch *explore_switches(uint32_t *n);
const struct explore_result *explore_results(uint32_t *n);
const struct explore_step *explore_steps(uint32_t *n);
/* Of the last search, if it was one with `covering`. */
const struct explore_pair *explore_pairs(uint32_t *n);
/* Of the same: did an operation return before another one, in a schedule that was looked at? */
uint32_t explore_ordered(uint32_t fiber, uint32_t op, uint32_t other_fiber, uint32_t other_op);
/* Of the last schedule, if it was one with `tracing`. */
const struct explore_trace *explore_traces(uint32_t *n);
const char *explore_point_name(uint32_t kind);
/* A digest of the sources that this was built from. */
const char *explore_build(void);
/* The canaries: names from 1 on; NULL behind the last. */
const char *explore_canary_name(uint32_t canary);

#endif
