/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that do the same operation on one word. Each operation has a law that
 * holds if and only if no update is lost, and that the threads' results show.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/atomic/lockop.h"
#include "lockop_forms.h"
#include "lockop_test.h"

enum {
	THREADS = 4,
	ROUNDS = 8,           /* each checked: a parity alone misses every other loss */
	SPLIT_SHARE = 256,    /* operands across lines get 1/256 of the iterations: some hosts take 50 us for each */
	FLAG_CF = 1 << 0,
	FLAG_ZF = 1 << 6,
	FLAG_SF = 1 << 7,
	RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSI = 6, RDI = 7,
	LINE = 64,
	PAGE = 4096,
	BIT = 3,              /* the one that bts, btr and btc work on */
};

/* By which law the operation is judged. */
enum law {
	LAW_SUM,        /* the word is what all added or took away */
	LAW_RETRY,      /* as many increments as comparisons came out equal */
	LAW_TOKENS,     /* exchanged values are neither lost nor doubled */
	LAW_OWN_BIT,    /* nobody else changes a thread's own bit */
	LAW_PARITY,     /* every bit was inverted as often as it was */
	LAW_SIGNS,      /* neg: results alternate, so half of them are negative */
	LAW_ALTERNATE,  /* btc: the old bit alternates, so half of them are set */
	LAW_WINS,       /* bts and btr: bits set less bits cleared is the bit */
};

struct operation {
	const char *name; /* the form's without its width */
	enum law law;
	int step;         /* of LAW_SUM */
};

static const struct operation operations[] = {
	{ "add", LAW_SUM, 1 }, { "sub", LAW_SUM, -1 },
	{ "adc", LAW_SUM, 2 }, { "sbb", LAW_SUM, -2 },
	{ "inc", LAW_SUM, 1 }, { "dec", LAW_SUM, -1 }, { "xadd", LAW_SUM, 1 },
	{ "or", LAW_OWN_BIT, 0 }, { "and", LAW_OWN_BIT, 0 }, { "xor", LAW_OWN_BIT, 0 },
	{ "not", LAW_PARITY, 0 }, { "neg", LAW_SIGNS, 0 },
	{ "bts", LAW_WINS, 0 }, { "btr", LAW_WINS, 0 }, { "btc", LAW_ALTERNATE, 0 },
	{ "xchg", LAW_TOKENS, 0 }, { "lock_xchg", LAW_TOKENS, 0 }, { "cmpxchg", LAW_RETRY, 0 },
};

/* One word and the threads on it. */
struct contest {
	enum law law;
	unsigned width; /* bytes */
	unsigned iterations;
	int step;
	bool clears_with_and;
	struct lockop op, other; /* the operation, and the one that undoes or mixes with it */
	void (*execute)(const struct lockop *, void *, struct lockop_registers *);
	uint8_t *word;
	uint64_t initial;
	atomic_uint ready;
};

/* What one thread found. */
struct worker {
	struct contest *contest;
	unsigned number;
	unsigned long events; /* what the law counts */
	unsigned long broken; /* violations seen on the spot */
	uint64_t token;
	pthread_t thread;
};

static uint64_t width_mask(unsigned width)
{
	return width >= 8 ? ~0ull : (1ull << width * 8) - 1;
}

/* The bytes of the word at one moment as far as this thread's own bit matters. */
static unsigned own_bit(const struct worker *w)
{
	const volatile uint8_t *byte = w->contest->word;

	return *byte >> w->number & 1;
}

static void step_own_bit(struct worker *w, struct lockop_registers *regs, bool set)
{
	struct contest *c = w->contest;

	regs->gpr[RSI] = 1ull << w->number;
	if (!set && c->clears_with_and)
		regs->gpr[RSI] = ~regs->gpr[RSI];
	c->execute(set ? &c->op : &c->other, c->word, regs);
	w->broken += own_bit(w) != set;
}

/* cmpxchg, cmpxchg8b and cmpxchg16b: one increment, tried until it succeeds. */
static void step_retry(struct contest *c, struct lockop_registers *regs)
{
	bool pair = c->op.reg == LOCKOP_NONE;

	do {
		if (pair) {
			unsigned half = c->width * 4; /* bits */
			uint64_t carry_at = half == 64 ? ~0ull : 0xffffffff;

			regs->gpr[RBX] = (regs->gpr[RAX] + 1) & carry_at;
			regs->gpr[RCX] = regs->gpr[RDX] + (regs->gpr[RBX] == 0);
		} else {
			regs->gpr[RSI] = regs->gpr[RAX] + 1;
		}
		c->execute(&c->op, c->word, regs);
	} while (!(regs->rflags & FLAG_ZF));
	if (!pair)
		return;
	regs->gpr[RAX] = regs->gpr[RBX];
	regs->gpr[RDX] = regs->gpr[RCX];
}

/* One iteration of whatever the law asks for. */
static void step(struct worker *w, struct lockop_registers *regs, unsigned i)
{
	struct contest *c = w->contest;

	switch (c->law) {
	case LAW_SUM: /* with carry set, adc and sbb count 2 */
		regs->rflags = FLAG_CF;
		regs->gpr[RSI] = 1;
		c->execute(&c->op, c->word, regs);
		break;
	case LAW_RETRY:
		step_retry(c, regs);
		break;
	case LAW_TOKENS:
		c->execute(&c->op, c->word, regs);
		break;
	case LAW_OWN_BIT:
		step_own_bit(w, regs, i % 2 == 0);
		break;
	case LAW_PARITY:
		regs->gpr[RSI] = 1ull << w->number;
		c->execute(i % 2 ? &c->other : &c->op, c->word, regs);
		break;
	case LAW_SIGNS:
		c->execute(&c->op, c->word, regs);
		w->events += !!(regs->rflags & FLAG_SF);
		break;
	case LAW_ALTERNATE:
		c->execute(&c->op, c->word, regs);
		w->events += regs->rflags & FLAG_CF;
		break;
	case LAW_WINS: /* op sets, other clears */
		c->execute(i % 2 ? &c->other : &c->op, c->word, regs);
		if (i % 2)
			w->events -= regs->rflags & FLAG_CF;
		else
			w->events += !(regs->rflags & FLAG_CF);
		break;
	}
}

static void *work(void *data)
{
	struct worker *w = data;
	struct contest *c = w->contest;
	struct lockop_registers regs = { .rflags = 0 };

	regs.gpr[RSI] = c->law == LAW_TOKENS ? w->token : BIT;
	/* Those who have a core begin together: who is woken begins when others are through. */
	atomic_fetch_add(&c->ready, 1);
	while (atomic_load(&c->ready) < THREADS)
		sched_yield();
	for (unsigned i = 0; i < c->iterations; i++)
		step(w, &regs, i);
	w->token = regs.gpr[RSI];
	return NULL;
}

/* Updates that the law misses; 0: it holds. */
static unsigned long judge(const struct contest *c, const struct worker *workers)
{
	uint64_t total = (uint64_t)c->iterations * THREADS, word[2] = { 0 }, sum = 0, expected;
	unsigned long events = 0, broken = 0;

	memcpy(word, c->word, c->width);
	expected = c->initial + total * (uint64_t)(int64_t)c->step;
	for (unsigned i = 0; i < THREADS; i++) {
		events += workers[i].events;
		broken += workers[i].broken;
		sum += workers[i].token & width_mask(c->width);
	}
	switch (c->law) {
	case LAW_SUM:
		return (expected - word[0]) & width_mask(c->width);
	case LAW_RETRY: /* the carry into a pair's upper half is one of them */
		if (c->op.reg == LOCKOP_NONE && c->width == 16 && word[1] != 1)
			return 1;
		return (c->initial + total - word[0]) & width_mask(c->width);
	case LAW_TOKENS: /* tokens are 1..THREADS, the word's is 0 */
		return (sum + word[0] - THREADS * (THREADS + 1) / 2) & width_mask(c->width);
	case LAW_OWN_BIT:
		return broken;
	case LAW_PARITY: /* each thread: iterations / 2 nots, and as many xors of its bit */
		sum = total / 2 % 2 ? ~0ull : 0;
		sum ^= c->iterations / 2 % 2 ? (1u << THREADS) - 1 : 0;
		return (sum ^ c->initial ^ word[0]) & width_mask(c->width);
	case LAW_SIGNS:
	case LAW_ALTERNATE:
		return events - total / 2;
	default:
		return events - (word[0] >> BIT & 1);
	}
}

/* One round of all threads on the word. */
static unsigned long run_round(struct contest *c)
{
	struct worker workers[THREADS] = { { 0 } };

	memset(c->word, 0, c->width);
	memcpy(c->word, &c->initial, c->width < 8 ? c->width : 8);
	c->ready = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].contest = c;
		workers[i].number = i;
		workers[i].token = i + 1;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) {
			perror("pthread_create");
			exit(2);
		}
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	return judge(c, workers);
}

static const struct form *form_find(const struct form *forms, unsigned count, const char *name,
				    unsigned width)
{
	char plain[40], with_register[40];

	snprintf(plain, sizeof(plain), "%s%u", name, width * 8);
	snprintf(with_register, sizeof(with_register), "%s%u_r", name, width * 8);
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(forms[i].name, plain) || !strcmp(forms[i].name, with_register) ||
		    !strcmp(forms[i].name, name))
			return &forms[i];
	return NULL;
}

static bool decode_form(const struct form *form, struct lockop *ret)
{
	struct encoding e;

	if (!form)
		return false;
	form_encode_plain(form, RDI, RSI, &e);
	return decode_lockop(e.bytes, e.length, 0, ret);
}

/* What alternates with the operation: its opposite, or what mixes with it. */
static const char *companion(const char *name, enum law law)
{
	if (law == LAW_WINS)
		return "btr";
	if (law == LAW_PARITY || !strcmp(name, "xor"))
		return "xor";
	return strcmp(name, "or") ? name : "and";
}

static const char *leader(const char *name, enum law law)
{
	if (law == LAW_WINS)
		return "bts";
	return strcmp(name, "and") ? name : "or";
}

struct place {
	const char *name;
	bool split;
	unsigned offset; /* from a page's start, for a word of 2 bytes or more */
};

static void contest_place(struct contest *c, const struct place *place, uint8_t *pages)
{
	unsigned offset = place->offset;

	if (place->split)
		offset -= c->width / 2;
	c->word = pages + offset;
}

static uint64_t initial_word(enum law law, unsigned width)
{
	if (law == LAW_SIGNS)
		return 1;
	if (law == LAW_RETRY && width == 16)
		return ~0ull - 5; /* so that a carry goes into the upper half */
	return 0;
}

static void contest_run(const struct operation *o, const struct form *forms, unsigned count,
			unsigned width, const struct place *place, unsigned iterations,
			uint8_t *pages)
{
	struct contest c = { .law = o->law, .width = width, .step = o->step,
			     .execute = lockop_execute };
	const char *first = leader(o->name, o->law), *second = companion(o->name, o->law);
	unsigned long lost = 0;

	if (!decode_form(form_find(forms, count, first, width), &c.op) ||
	    !decode_form(form_find(forms, count, second, width), &c.other)) {
		report(false, "atomicity: %s: no such form of %u bytes", o->name, width);
		return;
	}
	c.clears_with_and = !strcmp(second, "and");
	c.iterations = (place->split ? iterations / SPLIT_SHARE : iterations) / ROUNDS & ~1u;
	c.initial = initial_word(o->law, width);
	contest_place(&c, place, pages);
	for (unsigned round = 0; round < ROUNDS; round++)
		lost += !!run_round(&c);
	report(!lost, "atomicity: %s, %u bytes, %s: %u x %u, %lu of %u rounds lost updates",
	       o->name, width, place->name, THREADS, c.iterations * ROUNDS, lost, ROUNDS);
}

/* What Unicorn does: the same operation as a load, an addition and a store. Now and then
 * the others get the processor in between, so that even a busy machine shows the loss. */
static void execute_unlocked(const struct lockop *op, void *at, struct lockop_registers *regs)
{
	volatile uint64_t *word = at;
	uint64_t seen = *word;

	(void)op;
	if (seen % 64 == 0)
		sched_yield();
	*word = seen + regs->gpr[RSI];
}

/* The contest must notice that. One processor alone hardly ever loses anything. */
static void test_control(const struct form *forms, unsigned count, unsigned iterations,
			 uint8_t *pages)
{
	struct contest c = { .law = LAW_SUM, .width = 8, .step = 1, .execute = execute_unlocked,
			     .iterations = iterations, .word = pages + LINE };
	bool noticed = false;
	cpu_set_t cpus;

	if (!sched_getaffinity(0, sizeof(cpus), &cpus) && CPU_COUNT(&cpus) < 2) {
		printf("SKIP: atomicity: control: one processor\n");
		return;
	}
	decode_form(form_find(forms, count, "add", 8), &c.op);
	for (unsigned i = 0; i < 100 && !noticed; i++)
		noticed = run_round(&c) != 0;
	report(noticed, "atomicity: control: an unlocked add is seen to lose updates");
}

void test_atomicity(unsigned iterations)
{
	static const struct place places[] = {
		{ "aligned", false, LINE }, { "unaligned", false, LINE + 3 },
		{ "across lines", true, 2 * LINE }, { "across pages", true, PAGE },
	};
	static _Alignas(PAGE) uint8_t pages[2 * PAGE];
	static struct form forms[MAX_FORMS];
	unsigned count = forms_fill(forms);
	const struct operation pairs[] = {
		{ "cmpxchg8b", LAW_RETRY, 0 }, { "cmpxchg16b", LAW_RETRY, 0 },
	};

	for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		for (unsigned width = operations[i].name[0] == 'b' ? 2 : 1; width <= 8; width *= 2)
			for (unsigned place = 0; place < (width == 1 ? 1 : 4); place++)
				contest_run(&operations[i], forms, count, width, &places[place],
					    iterations, pages);
	for (unsigned place = 0; place < 4; place++)
		contest_run(&pairs[0], forms, count, 8, &places[place], iterations, pages);
	contest_run(&pairs[1], forms, count, 16, &places[0], iterations, pages);
	test_control(forms, count, iterations, pages);
}
