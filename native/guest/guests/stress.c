/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plays operations on all vCPUs at once, round after round, and keeps a ledger of its own.
 * p0=PROGRAM[/PROGRAM...] is what vCPU 0 does in turn; a program is OP[,OP...]: oID, oID:PERIOD,
 * OID:NS (a clock), bID (a breakpoint), cID (close), eID, dID, dID:N (by which it has counted N at least,
 * if it was enabled here), vID (read), kVCPU, h (take what has overflowed), rN (N instructions).
 */
#include "guest.h"
#include "quiet.h"

GUEST_DESCRIPTION("plays operations on all vCPUs and keeps a ledger: see pvperf stress; rounds=100 seed=1 noise=2000 "
		  "posted=0");

enum { OPS = 32, PROGRAMS = 16, IDS = 8 };

struct op {
	char kind;
	uint32_t id, value;
};

/* An event has a word of its own each time that somebody tries to open it. */
struct attempt {
	struct kvm_pv_perf_event shared __attribute__((aligned(16)));
	int32_t id;
	uint64_t period, taken, seen; /* `seen`: its largest count */
	int64_t result;
};

static struct player {
	uint64_t random;
	unsigned programs, lengths[PROGRAMS], used;
	struct op ops[PROGRAMS][OPS];
	struct attempt attempts[OPS];
	uint64_t opened[IDS], closed[IDS]; /* in this round */
	uint32_t enabled, stopped; /* in this round, here: a bit an id */
	uint64_t done, refused, strange, backwards, inexact, compared, brief, nmis;
	int64_t strange_result;
	char strange_op;
} players[GUEST_MAX_VCPUS];

static struct barrier start;
static uint64_t round, noise, hostile, posted, overflows, twice, unbalanced;

static uint64_t next(struct player *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random * 0x2545f4914f6cdd1d >> 11;
}

static void take_all(void)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < atomic_load(&players[i].used); k++) {
			struct attempt *attempt = &players[i].attempts[k];

			if (!atomic_load(&attempt->shared.overflows))
				continue;
			atomic_fetch_add(&attempt->taken,
					 (uint64_t)(uint32_t)atomic_exchange(&attempt->shared.overflows, 0));
		}
}

static void handle_nmi(struct exception_frame *frame)
{
	(void)frame;
	players[cpu_index()].nmis++;
	take_all();
}

static void instructions(uint64_t n)
{
	for (n = n / 2 + 1; n; n--)
		__asm__ volatile("");
}

/* What an operation may return; of OPEN also what says that there is no room, where posted=1 as the mail says it. */
static void judge(struct player *p, char kind, int64_t result)
{
	bool open = kind == 'o';

	p->done++;
	if (!result)
		return;
	p->refused++;
	if (open ? result == -PV_EEXIST || result == (posted ? -PV_ENOENT : -PV_ENOSPC) : result == -PV_ENOENT)
		return;
	p->strange++;
	p->strange_op = kind;
	p->strange_result = result;
}

static struct kvm_pv_perf_attr attr_of(const struct op *op, const struct attempt *attempt)
{
	bool clock = op->kind == 'O';

	if (op->kind == 'b')
		return (struct kvm_pv_perf_attr){ .type = PV_TYPE_BREAKPOINT, .bp_type = PV_BP_W, .bp_len = 8,
						  .bp_addr = (uint64_t)&attempt->shared };
	return kvm_pmu_attr_sampling(clock ? PV_TYPE_SOFTWARE : PV_TYPE_HARDWARE,
				     clock ? PV_SW_CPU_CLOCK : PV_HW_INSTRUCTIONS, false, false, op->value);
}

static void open(struct player *p, const struct op *op)
{
	struct attempt *attempt = &p->attempts[p->used];
	struct kvm_pv_perf_attr attr = attr_of(op, attempt);
	struct kvm_pv_perf_event_param param = {
		.attr_addr = (gpa_t)&attr, .guest_event_addr = (gpa_t)&attempt->shared, .id = (int32_t)op->id,
	};

	*attempt = (struct attempt){ .id = (int32_t)op->id, .period = op->kind == 'o' ? op->value : 0,
				      .result = 1 };
	atomic_store(&p->used, p->used + 1); /* handlers look at it from now on */
	attempt->result = perf_open((gpa_t)&param);
	p->opened[op->id] += !attempt->result;
	judge(p, 'o', attempt->result);
}

/* What makes no sense: it must be refused, and change nothing. */
static void attack(struct player *p)
{
	uint64_t a = next(p), ids = IDS + (a & 0xffff);

	switch (next(p) % 4) {
	case 0: judge(p, 'e', perf_op(KVM_PV_PERF_OP_ENABLE, (int32_t)ids)); return;
	case 1: judge(p, 'c', perf_op(KVM_PV_PERF_OP_CLOSE, (int32_t)~ids)); return;
	case 2: p->strange += perf_open(boot_info()->ram_size + (a & ~7ull)) != -PV_EFAULT; break;
	default: p->strange += hypercall(KVM_PERF_OP, KVM_PV_PERF_OP_READ + 1 + a % 1000, a, a) >= 0;
	}
	p->done++;
	p->refused++;
}

/* The attempt that opened `id` in this round, if it was one alone. */
static struct attempt *only_attempt(unsigned id)
{
	struct attempt *found = NULL;

	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].used; k++) {
			struct attempt *attempt = &players[i].attempts[k];

			if ((unsigned)attempt->id != id || attempt->result)
				continue;
			if (found)
				return NULL;
			found = attempt;
		}
	return found;
}

/* Nobody else changes when it counts. */
static void disable(struct player *p, const struct op *op)
{
	int64_t result = perf_op(KVM_PV_PERF_OP_DISABLE, (int32_t)op->id);
	const struct attempt *attempt = op->value ? only_attempt(op->id) : NULL;

	judge(p, 'd', result);
	if (!result && attempt && p->enabled >> op->id & 1)
		p->brief += atomic_load(&attempt->shared.count) < op->value;
}

static void enable(struct player *p, const struct op *op)
{
	int64_t result = perf_op(KVM_PV_PERF_OP_ENABLE, (int32_t)op->id);

	judge(p, 'e', result);
	if (!result)
		p->enabled |= 1u << op->id;
}

static void do_op(struct player *p, const struct op *op)
{
	switch (op->kind) {
	case 'o': case 'O': case 'b': open(p, op); return;
	case 'r': instructions(op->value); return;
	case 'h': take_all(); return;
	case 'k': hypercall(KVM_HC_KICK_CPU, 0, op->id % cpu_count(), 0); return;
	case 'e': enable(p, op); return;
	case 'd': disable(p, op); return;
	case 'v': judge(p, 'v', perf_op(KVM_PV_PERF_OP_READ, (int32_t)op->id)); return;
	default: {
		int64_t result = perf_op(KVM_PV_PERF_OP_CLOSE, (int32_t)op->id);

		p->closed[op->id] += !result;
		judge(p, 'c', result);
	}
	}
}

static void look_at_counts(struct player *p)
{
	for (unsigned i = 0; i < p->used; i++) {
		uint64_t count = atomic_load(&p->attempts[i].shared.count);

		p->backwards += count < p->attempts[i].seen;
		p->attempts[i].seen = count;
	}
}

static void play(void *arg)
{
	struct player *p = &players[cpu_index()];
	unsigned program = p->programs ? (unsigned)(round % p->programs) : 0;

	(void)arg;
	barrier_wait(&start, cpu_count());
	for (unsigned i = 0; i < p->lengths[program]; i++) {
		if (noise)
			instructions(next(p) % (next(p) % 4 ? noise / 16 + 1 : noise));
		if (hostile && next(p) % 1000 < hostile)
			attack(p);
		do_op(p, &p->ops[program][i]);
		look_at_counts(p);
	}
}

/* All vCPUs, one after the other: what is open is disabled. */
static void stop(void *arg)
{
	struct player *p = &players[cpu_index()];

	(void)arg;
	for (unsigned id = 0; id < IDS; id++)
		if (perf_op(KVM_PV_PERF_OP_DISABLE, (int32_t)id) == 0)
			p->stopped |= 1u << id;
}

static void compare(struct player *p, const struct attempt *attempt)
{
	uint64_t found = atomic_load(&attempt->taken) + (uint32_t)atomic_load(&attempt->shared.overflows);

	p->compared++;
	p->inexact += found != attempt->shared.count / attempt->period;
}

/* Then, when no handler is in the middle of taking any more: what was stopped is compared, and closed. */
static void finish(void *arg)
{
	struct player *p = &players[cpu_index()];

	(void)arg;
	for (unsigned id = 0; id < IDS; id++) {
		const struct attempt *attempt = only_attempt(id);

		if (p->stopped >> id & 1 && attempt && attempt->period)
			compare(p, attempt);
		p->closed[id] += perf_op(KVM_PV_PERF_OP_CLOSE, (int32_t)id) == 0;
	}
	p->stopped = 0;
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

/* Everything is quiet, and closed. */
static void settle(void)
{
	take_all();
	for (unsigned id = 0; id < IDS; id++) {
		uint64_t opened = 0, closed = 0;

		for (unsigned i = 0; i < cpu_count(); i++) {
			opened += players[i].opened[id];
			closed += players[i].closed[id];
			players[i].opened[id] = players[i].closed[id] = 0;
		}
		twice += opened != closed;
	}
	for (unsigned i = 0; i < cpu_count(); i++) {
		for (unsigned k = 0; k < players[i].used; k++)
			overflows += players[i].attempts[k].taken;
		players[i].used = 0;
		players[i].enabled = 0;
	}
	unbalanced = (uint64_t)hypercall(PV_HC_QUIET, overflows, 0, 0);
}

static uint32_t number(const char **text)
{
	uint32_t n = 0;

	while (**text >= '0' && **text <= '9')
		n = n * 10 + (uint32_t)(*(*text)++ - '0');
	return n;
}

static bool parse(struct player *p, const char *text)
{
	while (*text && p->programs < PROGRAMS) {
		unsigned program = p->programs++;

		while (*text && *text != '/') {
			struct op *op = &p->ops[program][p->lengths[program]];

			if (p->lengths[program]++ == OPS)
				return false;
			op->kind = *text++;
			if (op->kind == 'r')
				op->value = number(&text);
			else
				op->id = number(&text);
			if (*text == ':') {
				text++;
				op->value = number(&text);
			}
			if (op->kind != 'k' && op->id >= IDS)
				return false;
			text += *text == ',';
		}
		text += *text == '/';
	}
	return !*text;
}

static bool prepare(uint64_t seed)
{
	char key[] = "p00";

	for (unsigned i = 0; i < cpu_count(); i++) {
		key[1] = (char)(i < 10 ? '0' + i : '0' + i / 10);
		key[2] = (char)(i < 10 ? 0 : '0' + i % 10);
		players[i].random = (seed + i) * 0x9e3779b97f4a7c15 | 1;
		if (!parse(&players[i], option_text(key, ""))) {
			console_printf("stress: %s is no list of programs\n", key);
			return false;
		}
	}
	return true;
}

/* Lines that pvperf stress reads: name and value. */
static void tell(void)
{
	struct player sum = { 0 };

	for (unsigned i = 0; i < cpu_count(); i++) {
		struct player *p = &players[i];

		sum.done += p->done;
		sum.refused += p->refused;
		sum.strange += p->strange;
		sum.backwards += p->backwards;
		sum.inexact += p->inexact;
		sum.brief += p->brief;
		sum.compared += p->compared;
		sum.nmis += p->nmis;
		if (p->strange)
			console_printf("strange: %c gave %ld on vCPU %u\n", p->strange_op, p->strange_result, i);
	}
	console_printf("ledger: done=%lu refused=%lu strange=%lu backwards=%lu inexact=%lu compared=%lu nmis=%lu "
		       "overflows=%lu twice=%lu short=%lu unbalanced=%lu\n",
		       sum.done, sum.refused, sum.strange, sum.backwards, sum.inexact, sum.compared, sum.nmis, overflows,
		       twice, sum.brief, unbalanced);
}

static bool all_well(void)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		if (players[i].strange || players[i].backwards || players[i].inexact || players[i].brief)
			return false;
	return !twice && !unbalanced;
}

int guest_main(void)
{
	uint64_t rounds = option_number("rounds", 100);

	option_only("rounds", "seed", "noise", "hostile", "posted", "p#", NULL);
	noise = option_number("noise", 2000);
	hostile = option_number("hostile", 0);
	posted = option_number("posted", 0);
	exception_set(VECTOR_NMI, handle_nmi);
	if (!prepare(option_number("seed", 1)))
		return STATUS_USAGE;
	for (round = 0; round < rounds && all_well(); round++) {
		console_printf("round %lu\n", round);
		smp_run_all(play, NULL);
		everywhere(stop);
		everywhere(nothing); /* whoever was in a handler has left it */
		everywhere(finish);
		settle();
	}
	tell();
	return all_well() ? 0 : 1;
}
