/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plays operations on all vCPUs at once, round after round, and keeps books of its own.
 * p0=PROGRAM[/PROGRAM...] is what vCPU 0 does in turn; a program is OP[,OP...]: oID, oID:PERIOD,
 * OID:NS (a clock), bID (a breakpoint), lID, lID:PERIOD (what may lead a group), jID.LEADER, jID.LEADER:PERIOD (and what
 * joins it), cID (close), eID, dID, vID (read), pID (look at its record), kVCPU, h (take what has overflowed), rN (N
 * instructions).
 */
#include "stress.h"
#include "quiet.h"

GUEST_DESCRIPTION("plays operations on all vCPUs and keeps books: see pvperf stress; rounds=100 seed=1 noise=2000 "
		  "posted=0 rotates=0 sources=0");

struct player players[GUEST_MAX_VCPUS];
struct options options;
struct book book;

static struct barrier start;
static uint64_t round;
static bool quiet; /* every event is disabled, and has been since each vCPU was last in host mode */

static void handle_nmi(struct exception_frame *frame)
{
	struct player *p = &players[cpu_index()];

	(void)frame;
	p->nmis++;
	if (p->at)
		p->at->nmis[p->at->invoked != 0]++;
	else if (quiet)
		p->needless++;
	take_all();
}

static void play(void *arg)
{
	struct player *p = &players[cpu_index()];

	(void)arg;
	p->nmis_before = p->nmis;
	round_steps(p, round);
	barrier_wait(&start, cpu_count());
	steps_run(p->steps, p->steps + p->length, &round_clock, &p->at);
	round_walk(p);
}

/* All vCPUs, one after the other: what is open is disabled. */
static void stop(void *arg)
{
	struct player *p = &players[cpu_index()];

	(void)arg;
	p->stopped = 0;
	for (unsigned id = 0; id < IDS; id++)
		if (perf_op(KVM_PV_PERF_OP_DISABLE, (int32_t)id) == 0)
			p->stopped |= 1u << id;
}

/* And, when no handler is in the middle of taking any more, closed. */
static void finish(void *arg)
{
	struct player *p = &players[cpu_index()];

	(void)arg;
	for (unsigned id = 0; id < IDS; id++)
		p->closed[id] += perf_op(KVM_PV_PERF_OP_CLOSE, (int32_t)id) == 0;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* On each vCPU in turn. */
static void everywhere(void (*fn)(void *arg))
{
	for (unsigned i = 0; i < cpu_count(); i++) {
		smp_call(i, fn, NULL);
		smp_wait(i);
	}
}

static void settle_id(unsigned id)
{
	uint64_t opened = 0, closed = 0;

	for (unsigned i = 0; i < cpu_count(); i++) {
		opened += players[i].opened[id];
		closed += players[i].closed[id];
		players[i].opened[id] = players[i].closed[id] = 0;
	}
	if (opened != closed)
		found(TWICE, "id %u was opened %lu times, and closed %lu times", id, opened, closed);
}

/* Everything is quiet, and closed. */
static void settle(void)
{
	int64_t balance;

	take_all();
	for (unsigned id = 0; id < IDS; id++)
		settle_id(id);
	for (unsigned i = 0; i < watched_count; i++)
		book.overflows += all_watched[i]->taken;
	for (unsigned i = 0; i < cpu_count(); i++)
		if (players[i].needless)
			found(NEEDLESS, "vCPU %u got an NMI after every event was disabled", i);
	balance = hypercall(PV_HC_QUIET, book.overflows, 0, 0);
	found_lateness(balance & PV_QUIET_DELAYED);
	book.wrong[UNBALANCED] = (uint64_t)(balance & ~PV_QUIET_DELAYED);
}

static void play_round(void)
{
	console_printf("round %lu\n", round);
	quiet = false;
	round_events(round);
	smp_run_all(play, NULL);
	everywhere(stop);
	everywhere(nothing); /* whoever was in a handler has left it */
	atomic_store(&quiet, true);
	for (unsigned i = 0; i < cpu_count(); i++)
		judge_results(&players[i]);
	judge_round();
	everywhere(finish);
	settle();
}

static bool prepare(uint64_t seed)
{
	char key[] = "p00";

	for (unsigned i = 0; i < cpu_count(); i++) {
		key[1] = (char)(i < 10 ? '0' + i : '0' + i / 10);
		key[2] = (char)(i < 10 ? 0 : '0' + i % 10);
		players[i].random = (seed + i) * 0x9e3779b97f4a7c15 | 1;
		if (!program_parse(&players[i], option_text(key, ""))) {
			console_printf("stress: %s is no list of programs\n", key);
			return false;
		}
	}
	return true;
}

static bool all_well(void)
{
	for (unsigned i = 0; i < FINDINGS; i++)
		if (book.wrong[i])
			return false;
	return true;
}

/* A line that pvperf stress reads: names and values. */
static void tell(void)
{
	static const char *const names[FINDINGS] = {
		[STRANGE] = "strange", [TWICE] = "twice", [BACKWARDS] = "backwards", [INEXACT] = "inexact",
		[COUNTS] = "counts", [STALE] = "stale", [EARLY] = "early", [LATE] = "late", [NEEDLESS] = "needless",
		[UNTOLD] = "untold", [RECORDS] = "records", [TIMES] = "times", [UNBALANCED] = "unbalanced",
	};

	for (unsigned i = 0; i < cpu_count(); i++)
		book.nmis += players[i].nmis;
	console_printf("ledger: done=%lu refused=%lu compared=%lu bounded=%lu exact=%lu timed=%lu looked=%lu nmis=%lu "
		       "overflows=%lu", book.done, book.refused, book.compared, book.bounded, book.exact, book.timed,
		       book.records, book.nmis, book.overflows);
	for (unsigned i = 0; i < FINDINGS; i++)
		console_printf(" %s=%lu", names[i], book.wrong[i]);
	console_printf("\n");
	if (!all_well())
		console_printf("wrong: %s\n", found_first());
}

/* Are there records, whose times have to be compared with something? */
static bool has_version2(void)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned program = 0; program < players[i].programs; program++)
			for (unsigned k = 0; k < players[i].lengths[program]; k++)
				if (is_one_of(players[i].ops[program][k].kind, "lj"))
					return true;
	return false;
}

int guest_main(void)
{
	struct kvm_pmu_capabilities capabilities = { 0 };
	uint64_t rounds = option_number("rounds", 100);

	option_only("rounds", "seed", "noise", "hostile", "posted", "rotates", "sources", "p#", NULL);
	options = (struct options){
		.noise = option_number("noise", 2000), .hostile = option_number("hostile", 0),
		.posted = option_number("posted", 0), .rotates = option_number("rotates", 0),
		.sources = option_number("sources", 0),
		.version1 = kvm_pmu_discover(&capabilities) && capabilities.abi_version < 2,
	};
	exception_set(VECTOR_NMI, handle_nmi);
	if (!prepare(option_number("seed", 1)))
		return STATUS_USAGE;
	if (has_version2())
		record_calibrate();
	for (round = 0; round < rounds && all_well(); round++)
		play_round();
	tell();
	return all_well() ? 0 : 1;
}
