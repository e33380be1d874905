/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every LOCK form at every width on one word, by all vCPUs at once, with an invariant
 * that a lost update breaks. The word is aligned, unaligned, across two cache lines,
 * across two pages, or across two that are no neighbours in RAM. Options: count (operations per vCPU and row), form, width (bits), place.
 */
#include "guest.h"

enum {
	ROUND = 1000, /* operations between two looks at the invariant */
	PAGE = 4096,
	LINE = 64,
};

/* A vCPU's own part of a row. */
struct worker {
	unsigned vcpu;
	uint64_t token;    /* of xchg */
	uint64_t surprises; /* results that an atomic operation cannot have */
};

struct form {
	const char *name;
	unsigned bits;
	bool aligned_only;
	void (*step)(void *word, struct worker *worker);
	/* True if the word is what `operations` of all `n` vCPUs leave. */
	bool (*holds)(const void *word, uint64_t operations, unsigned n);
};

static struct worker workers[GUEST_MAX_VCPUS];
static uint8_t area[6 * PAGE] __attribute__((aligned(PAGE)));
static struct barrier barrier;
static const struct form *form;
static uint8_t *word;
static uint64_t count, broken;

static uint64_t word_get(const void *at, unsigned bits)
{
	uint64_t value = 0;

	memcpy(&value, at, bits / 8);
	return value;
}

static uint64_t masked(uint64_t value, unsigned bits)
{
	return bits == 64 ? value : value & ((1ull << bits) - 1);
}

/* What steps of +1, of -1, of ~ and of negation leave. The word was 1 before. */
static bool holds_up(const void *at, uint64_t operations, unsigned n)
{
	(void)n;
	return word_get(at, form->bits) == masked(1 + operations, form->bits);
}

static bool holds_down(const void *at, uint64_t operations, unsigned n)
{
	(void)n;
	return word_get(at, form->bits) == masked(1 - operations, form->bits);
}

static bool holds_not(const void *at, uint64_t operations, unsigned n)
{
	(void)n;
	return word_get(at, form->bits) == masked(operations & 1 ? ~1ull : 1, form->bits);
}

static bool holds_neg(const void *at, uint64_t operations, unsigned n)
{
	(void)n;
	return word_get(at, form->bits) == masked(operations & 1 ? ~0ull : 1, form->bits);
}

/* Bits that each vCPU sets and clears for itself: all are as in the beginning. */
static bool holds_still(const void *at, uint64_t operations, unsigned n)
{
	(void)operations;
	(void)n;
	return word_get(at, form->bits) == 1;
}

/* Two halves, counted up together by 1 and by 3. */
static bool holds_pair(const void *at, uint64_t operations, unsigned n)
{
	unsigned half = form->bits / 2;

	(void)n;
	return word_get(at, half) == masked(1 + operations, half) &&
	       word_get((const uint8_t *)at + half / 8, half) == masked(3 * operations, half);
}

/* Tokens that are only ever exchanged: each is still there once. */
static bool holds_tokens(const void *at, uint64_t operations, unsigned n)
{
	uint8_t seen[GUEST_MAX_VCPUS + 2] = { 0 };
	uint64_t in_word = word_get(at, form->bits);

	(void)operations;
	if (in_word > n + 1 || seen[in_word]++)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (workers[i].token > n + 1 || seen[workers[i].token]++)
			return false;
	return true;
}

/* A step that is one instruction without result. The `before` sets CF for adc and sbb. */
#define SIMPLE(name, suffix, before, instruction)                                        \
	static void name##_##suffix(void *at, struct worker *worker)                     \
	{                                                                                \
		(void)worker;                                                            \
		__asm__ volatile(before "lock " instruction : : "r"(at) : "memory", "cc"); \
	}
#define SIMPLE_WIDTHS(name, before, mnemonic, operand)   \
	SIMPLE(name, 8, before, mnemonic "b " operand "(%0)")  \
	SIMPLE(name, 16, before, mnemonic "w " operand "(%0)") \
	SIMPLE(name, 32, before, mnemonic "l " operand "(%0)") \
	SIMPLE(name, 64, before, mnemonic "q " operand "(%0)")

SIMPLE_WIDTHS(add, "", "add", "$1, ")
SIMPLE_WIDTHS(sub, "", "sub", "$1, ")
SIMPLE_WIDTHS(inc, "", "inc", "")
SIMPLE_WIDTHS(dec, "", "dec", "")
SIMPLE_WIDTHS(adc, "stc; ", "adc", "$0, ")
SIMPLE_WIDTHS(sbb, "stc; ", "sbb", "$0, ")
SIMPLE_WIDTHS(not, "", "not", "")
SIMPLE_WIDTHS(neg, "", "neg", "")

/* The bit that is this vCPU's own: bit 0 stays set throughout. Where there are too few
 * bits, the other vCPUs add and subtract nothing, but with LOCK. */
static uint64_t own_bit(const struct worker *worker)
{
	return worker->vcpu + 1 < form->bits ? worker->vcpu + 1 : 0;
}

static void surprise_if(struct worker *worker, bool wrong)
{
	worker->surprises += wrong;
}

/* or sets, and clears; in between the bit is as this vCPU left it. */
#define OR_AND(bits_, suffix, type)                                                                      \
	static void or_and_##bits_(void *at, struct worker *worker)                                      \
	{                                                                                                \
		type mask = (type)(1ull << own_bit(worker));                                             \
		__asm__ volatile("lock or" suffix " %1, (%0)" : : "r"(at), "r"(mask) : "memory", "cc");  \
		surprise_if(worker, !(word_get(at, bits_) & mask));                                      \
		if (mask == 1)                                                                           \
			return;                                                                          \
		__asm__ volatile("lock and" suffix " %1, (%0)" : : "r"(at), "r"((type)~mask) : "memory", "cc"); \
		surprise_if(worker, word_get(at, bits_) & mask);                                         \
	}                                                                                                \
	static void xor_##bits_(void *at, struct worker *worker)                                         \
	{                                                                                                \
		type mask = (type)(1ull << own_bit(worker));                                             \
		mask = mask == 1 ? 0 : mask;                                                             \
		__asm__ volatile("lock xor" suffix " %1, (%0)" : : "r"(at), "r"(mask) : "memory", "cc"); \
		surprise_if(worker, (word_get(at, bits_) & mask) != mask);                               \
		__asm__ volatile("lock xor" suffix " %1, (%0)" : : "r"(at), "r"(mask) : "memory", "cc"); \
		surprise_if(worker, word_get(at, bits_) & mask);                                         \
	}
OR_AND(8, "b", uint8_t)
OR_AND(16, "w", uint16_t)
OR_AND(32, "l", uint32_t)
OR_AND(64, "q", uint64_t)

/* bts, btr, btc on the own bit: CF is what it was before. */
#define BIT_OP(mnemonic, suffix, type, bit, carry) \
	__asm__ volatile("lock " mnemonic suffix " %2, (%1)" : "=@ccc"(carry) : "r"(at), "r"((type)(bit)) : "memory")
#define BITS(bits_, suffix, type)                                            \
	static void bts_btr_##bits_(void *at, struct worker *worker)         \
	{                                                                    \
		uint64_t bit = own_bit(worker);                              \
		bool was;                                                    \
		BIT_OP("bts", suffix, type, bit, was);                       \
		surprise_if(worker, was != (bit == 0));                      \
		if (!bit)                                                    \
			return;                                              \
		BIT_OP("btr", suffix, type, bit, was);                       \
		surprise_if(worker, !was);                                   \
	}                                                                    \
	static void btc_##bits_(void *at, struct worker *worker)             \
	{                                                                    \
		uint64_t bit = own_bit(worker);                              \
		bool was;                                                    \
		if (!bit)                                                    \
			return;                                              \
		BIT_OP("btc", suffix, type, bit, was);                       \
		surprise_if(worker, was);                                    \
		BIT_OP("btc", suffix, type, bit, was);                       \
		surprise_if(worker, !was);                                   \
	}
BITS(16, "w", uint16_t)
BITS(32, "l", uint32_t)
BITS(64, "q", uint64_t)

/* xadd by 1; xchg of the token; cmpxchg until it succeeds. */
#define WITH_RESULT(bits_, suffix, type)                                                                         \
	static void xadd_##bits_(void *at, struct worker *worker)                                                \
	{                                                                                                        \
		type one = 1;                                                                                    \
		(void)worker;                                                                                    \
		__asm__ volatile("lock xadd" suffix " %0, (%1)" : "+r"(one) : "r"(at) : "memory", "cc");         \
	}                                                                                                        \
	static void xchg_##bits_(void *at, struct worker *worker)                                                \
	{                                                                                                        \
		type token = (type)worker->token;                                                                \
		__asm__ volatile("xchg" suffix " %0, (%1)" : "+r"(token) : "r"(at) : "memory");                  \
		worker->token = token;                                                                           \
	}                                                                                                        \
	static void cmpxchg_##bits_(void *at, struct worker *worker)                                             \
	{                                                                                                        \
		type old = (type)word_get(at, bits_), seen = old;                                                \
		bool done;                                                                                       \
		for (;;) {                                                                                       \
			__asm__ volatile("lock cmpxchg" suffix " %3, (%2)"                                       \
					 : "=@ccz"(done), "+a"(seen) : "r"(at), "r"((type)(old + 1)) : "memory"); \
			if (done)                                                                                \
				break;                                                                           \
			surprise_if(worker, seen == old);                                                        \
			old = seen;                                                                              \
		}                                                                                                \
	}
WITH_RESULT(8, "b", uint8_t)
WITH_RESULT(16, "w", uint16_t)
WITH_RESULT(32, "l", uint32_t)
WITH_RESULT(64, "q", uint64_t)

#define PAIR(name, mnemonic, type)                                                                       \
	static void name(void *at, struct worker *worker)                                                \
	{                                                                                                \
		type low = 0, high = 0;                                                                  \
		bool done;                                                                               \
		(void)worker;                                                                            \
		do {                                                                                     \
			type new_low = low + 1, new_high = high + 3;                                     \
			__asm__ volatile("lock " mnemonic " (%3)"                                        \
					 : "=@ccz"(done), "+a"(low), "+d"(high)                          \
					 : "r"(at), "b"(new_low), "c"(new_high) : "memory");             \
		} while (!done);                                                                         \
	}
PAIR(cmpxchg8b, "cmpxchg8b", uint32_t)
PAIR(cmpxchg16b, "cmpxchg16b", uint64_t)

#define FOUR(name, holds)                                                                  \
	{ #name, 8, false, name##_8, holds }, { #name, 16, false, name##_16, holds },      \
	{ #name, 32, false, name##_32, holds }, { #name, 64, false, name##_64, holds }
#define THREE(name, holds)                                                                 \
	{ #name, 16, false, name##_16, holds }, { #name, 32, false, name##_32, holds },    \
	{ #name, 64, false, name##_64, holds }

static const struct form forms[] = {
	FOUR(add, holds_up),       FOUR(adc, holds_up),     FOUR(inc, holds_up),      FOUR(xadd, holds_up),
	FOUR(cmpxchg, holds_up),   FOUR(sub, holds_down),   FOUR(sbb, holds_down),    FOUR(dec, holds_down),
	FOUR(not, holds_not),      FOUR(neg, holds_neg),    FOUR(or_and, holds_still), FOUR(xor, holds_still),
	THREE(bts_btr, holds_still), THREE(btc, holds_still), FOUR(xchg, holds_tokens),
	{ "cmpxchg8b", 64, false, cmpxchg8b, holds_pair },
	{ "cmpxchg16b", 128, true, cmpxchg16b, holds_pair },
};

static const struct {
	const char *name;
	unsigned page_offset; /* where the middle of the word lies; 0: see `shift` */
	unsigned shift;       /* bytes from the beginning of a page */
} places[] = {
	{ "aligned", 0, 0 },
	{ "unaligned", 0, 1 },
	{ "lines", LINE, 0 },
	{ "pages", PAGE, 0 },
	{ "apart", 3 * PAGE, 0 },
};

static void contend(void *arg)
{
	unsigned n = cpu_count(), vcpu = cpu_index();
	struct worker *worker = &workers[vcpu];

	(void)arg;
	for (uint64_t done = 0; done < count;) {
		uint64_t now = count - done < ROUND ? count - done : ROUND;

		for (uint64_t i = 0; i < now; i++)
			form->step(word, worker);
		done += now;
		barrier_wait(&barrier, n);
		if (vcpu == 0 && !form->holds(word, done * n, n))
			broken++;
		barrier_wait(&barrier, n);
	}
}

static void run_row(unsigned place)
{
	unsigned bytes = form->bits / 8, n = cpu_count();
	uint64_t surprises = 0;

	word = area + PAGE + places[place].shift;
	if (places[place].page_offset)
		word = area + PAGE + places[place].page_offset - bytes / 2;
	memset(area, 0, sizeof(area));
	word[0] = 1;
	broken = 0;
	for (unsigned i = 0; i < n; i++)
		workers[i] = (struct worker){ .vcpu = i, .token = i == 0 ? 0 : i + 1 };
	smp_run_all(contend, NULL);
	for (unsigned i = 0; i < n; i++)
		surprises += workers[i].surprises;
	report(!broken && !surprises, "%s %u bits, %s: %u vCPUs x %lu, lost in %lu rounds of %lu, %lu surprises", form->name,
	       form->bits, places[place].name, n, count, broken, (count + ROUND - 1) / ROUND, surprises);
}

static bool wanted(const char *key, const char *value)
{
	const char *only = option_text(key, NULL);

	return !only || strcmp(only, value) == 0;
}

int guest_main(void)
{
	option_only("count", "form", "width", "place", NULL);
	count = option_number("count", 3000);
	for (unsigned i = 3; i < 6; i++)
		page_split((uint64_t)area + i * PAGE);
	page_swap((uint64_t)area + 4 * PAGE, (uint64_t)area + 5 * PAGE);
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++)
		for (unsigned place = 0; place < ARRAY_SIZE(places); place++) {
			form = &forms[i];
			if (place && (form->aligned_only || form->bits == 8))
				continue;
			if (wanted("form", form->name) && wanted("place", places[place].name) &&
			    option_number("width", form->bits) == form->bits)
				run_row(place);
		}
	return report_summary();
}
