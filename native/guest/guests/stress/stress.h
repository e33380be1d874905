/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest plays operations on all vCPUs at once, round after round. Each vCPU's operations of a round are steps, which
 * code of known length does (steps.S); when all is quiet vCPU 0 looks at what they saw, and says what had to be.
 */
#ifndef STRESS_H
#define STRESS_H

#include "guest.h"
#include "layout.h"

enum {
	OPS = 32,
	PROGRAMS = 16,
	IDS = 8,
	MEMBERS = 4,               /* that a leader has room for */
	STEPS = 2 * OPS + IDS + 1, /* a call that makes no sense before each, and what comes behind the last */
};

struct op {
	char kind;
	uint32_t id, leader, value;
};

enum source { OF_INSTRUCTIONS, OF_KERNEL, OF_BRANCHES, OF_USER, OF_OTHER };

/* What the host writes, and what is taken from there. */
struct watched {
	uint64_t ended; /* takings */
	uint64_t pad;
	uint64_t event[(sizeof(struct kvm_pv_perf_event2) + MEMBERS * sizeof(struct kvm_pv_perf_member)) / 8];
	uint64_t taken, begun;
};

/* The same, as it was found. */
struct look {
	uint64_t ended;
	int32_t overflows;
	uint32_t sequence;
	uint64_t count, time_enabled, time_running, id, nr;
	struct kvm_pv_perf_member member[MEMBERS];
	int32_t overflows_behind;
	uint32_t sequence_behind; /* all else was read */
	uint64_t taken, begun;
};

/* An event has words of its own each time that somebody tries to open it. */
struct attempt {
	struct watched watched __attribute__((aligned(16)));
	struct kvm_pv_perf_attr attr;
	union {
		struct kvm_pv_perf_event_param param;
		struct kvm_pv_perf_event_param2 param2;
	};
	const struct op *op;
	enum source source;
	uint64_t period;     /* of what can be compared with the count */
	struct step *opened; /* NULL: in this round it was not */
	uint64_t unique_id;  /* 0: nobody was told */
};

/* Instructions, and branches, that the vCPU had retired in this round's steps. */
struct way {
	uint64_t look, invoked, call, after, returned;
};

struct step {
	uint64_t kind, argument[4], spin;
	struct watched *target; /* it is looked at before and after */
	uint64_t *mark, me;
	uint64_t invoked, returned; /* of the clock that all vCPUs share */
	int64_t result;
	uint64_t began, ended; /* of the time-stamp counter */
	struct look before, after;
	uint32_t nmis[2]; /* before it was called, and since */
	/* steps.S has no use for: */
	const struct op *op;      /* NULL: a call that makes no sense, or a wait */
	struct attempt *attempt;  /* that `target` is of */
	uint32_t vcpu;
	struct way way[2];
} __attribute__((aligned(64)));

struct player {
	struct step steps[STEPS];
	struct step *at; /* the present one; NULL: it does none */
	unsigned length;
	uint64_t random;
	unsigned programs, lengths[PROGRAMS], used;
	struct op ops[PROGRAMS][OPS];
	struct attempt attempts[OPS];
	struct op stops[IDS];
	uint64_t nmis, nmis_before; /* since the guest began, and until this round */
	uint64_t needless; /* that came when nothing was enabled */
	uint64_t opened[IDS], closed[IDS]; /* in this round */
	uint32_t stopped; /* in this round, here: a bit an id */
};

extern struct player players[GUEST_MAX_VCPUS];

/* What the command line asks for. */
struct options {
	uint64_t noise, hostile;
	bool posted;  /* errors as in the mail */
	bool rotates; /* there are fewer counters than events, which therefore take turns */
	bool sources; /* what events count is drawn, too */
	bool version1; /* the host knows no OPEN2 */
};
extern struct options options;

/* What was found, and should not have been. */
enum finding {
	STRANGE, TWICE, BACKWARDS, INEXACT, COUNTS, STALE, EARLY, LATE, NEEDLESS, UNTOLD, RECORDS, TIMES, UNBALANCED,
	FINDINGS,
};
struct book {
	uint64_t wrong[FINDINGS];
	uint64_t done, refused, compared, bounded, exact, timed, records, nmis, overflows;
};
extern struct book book;

static inline bool is_one_of(char c, const char *set)
{
	while (*set && *set != c)
		set++;
	return *set;
}

uint64_t random_next(struct player *player);
/* program.c: what a vCPU plays, from its text. */
bool program_parse(struct player *player, const char *text);
/* round.c: the events of this round, all closed; one vCPU's steps, and how far it was in each. */
void round_events(uint64_t round);
void round_steps(struct player *player, uint64_t round);
void round_walk(struct player *player);
void steps_run(struct step *first, struct step *behind_last, uint64_t *clock, struct step **at);
extern uint64_t round_clock;
/* take.c: whoever handles an NMI takes all. */
void take_all(void);
extern struct watched *all_watched[GUEST_MAX_VCPUS * OPS];
extern unsigned watched_count;
struct look look_at(const struct watched *watched);
/* The attempt that opened `id` in this round, if it was one alone. */
struct attempt *only_attempt(unsigned id);
/* Counts what must not be. */
void found(enum finding finding, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* At a round's end: an overflow may be late where its NMI was missed, and of that the host alone knows. */
void found_lateness(bool has_reason);
const char *found_first(void);
/* record.c: how many ticks of the time-stamp counter a nanosecond is, from an event that counts time. */
void record_calibrate(void);
/* judge.c: one vCPU's results; and, when all is quiet, what all have seen. */
void judge_results(struct player *player);
void judge_round(void);

#endif
