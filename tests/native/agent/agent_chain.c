/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent_test.h"

#include "chain.h"

enum { CODE = 0x100000 };
static const uint64_t stack = 0x7fff00000000; /* two pages, mapped the wrong way round in RAM */

struct stack {
	struct guest_walk walk;
	struct pv_agent_frame frame;
	uint64_t chain[PV_SAMPLE_MAX_CHAIN];
};

static uint64_t *stack_word(const struct stack *s, uint64_t address)
{
	return ram_word(&s->walk, address < stack + PAGE ? 61 * PAGE + address - stack :
							   60 * PAGE + address - stack - PAGE);
}

/* `n` frames of 64 bytes, across the border of the two pages; the outermost has RBP 0 saved. */
static struct stack stack_create(unsigned n)
{
	uint64_t first = stack + PAGE - 64 * (uint64_t)(n / 2);
	struct stack s = { .walk = ram_create() };

	ram_map(&s.walk, stack, 61 * PAGE);
	ram_map(&s.walk, stack + PAGE, 60 * PAGE);
	for (unsigned i = 0; i < n; i++) {
		*stack_word(&s, first + 64 * i) = i + 1 < n ? first + 64 * (i + 1) : 0;
		*stack_word(&s, first + 64 * i + 8) = CODE + i;
	}
	s.frame = (struct pv_agent_frame){ .rsp = first - 32, .rbp = first };
	return s;
}

static uint32_t walk(struct stack *s, uint32_t max)
{
	return chain_walk(&s->walk, &s->frame, s->chain, max);
}

static void stack_destroy(const struct stack *s)
{
	ram_destroy(&s->walk);
}

void test_chain_frames(void)
{
	for (unsigned n = 1; n < 60; n++) {
		struct stack s = stack_create(n);

		CHECK_EQ(walk(&s, PV_SAMPLE_MAX_CHAIN), n);
		for (unsigned i = 0; i < n; i++)
			CHECK_EQ(s.chain[i], CODE + i);
		for (unsigned max = 0; max < n; max++)
			CHECK_EQ(walk(&s, max), max);
		stack_destroy(&s);
	}
}

/* The value of one word decides how many frames there are. */
static void check_ends(const char *what, uint64_t offset, uint64_t value, uint32_t expected)
{
	struct stack s = stack_create(4);
	uint32_t n;

	*stack_word(&s, s.frame.rbp + offset) = value;
	n = walk(&s, PV_SAMPLE_MAX_CHAIN);
	if (n != expected)
		check_failed(__FILE__, __LINE__, what, n, expected);
	stack_destroy(&s);
}

void test_chain_ends(void)
{
	uint64_t first = stack + PAGE - 128;
	struct stack s = stack_create(4);

	CHECK_EQ(s.frame.rbp, first);
	check_ends("its own frame again", 64, first + 64, 2);
	check_ends("a frame below", 64, first, 2);
	check_ends("not aligned", 64, first + 132, 2);
	check_ends("not mapped", 64, stack + 8 * PAGE, 2);
	check_ends("not canonical", 64, 1ull << 47, 2);
	check_ends("the top of all", 64, ~7ull, 2);
	check_ends("the last frame saved is cut", 64, stack + 2 * PAGE - 8, 2);
	check_ends("one frame left out", 64, first + 192, 3);
	check_ends("no return address", 72, 0, 1);
	check_ends("a return address that is none", 72, 1ull << 50, 1);
	s.frame.rsp = first + 1;
	CHECK_EQ(walk(&s, 10), 0); /* RBP is no frame: below RSP */
	s.frame.rsp = first;
	CHECK_EQ(walk(&s, 10), 4);
	s.frame.rbp = 0;
	CHECK_EQ(walk(&s, 10), 0);
	s.frame.rbp = ~7ull;
	CHECK_EQ(walk(&s, 10), 0);
	s.walk.cr3 = ~0ull;
	s.frame.rbp = first;
	CHECK_EQ(walk(&s, 10), 0);
	stack_destroy(&s);
}

/* Frames that point anywhere on the stack: every walk ends, within bounds. */
void test_chain_hostile(void)
{
	struct stack s = stack_create(1);
	uint64_t seed = 5, longest = 0;

	for (uint64_t at = stack; at < stack + 2 * PAGE; at += 8)
		*stack_word(&s, at) = random_next(&seed) % 4 ? at + random_next(&seed) % 128 / 4 * 4 : random_next(&seed);
	s.frame.rsp = 0;
	for (unsigned i = 0; i < 100000; i++) {
		uint32_t max = random_next(&seed) % (PV_SAMPLE_MAX_CHAIN + 1), n;

		s.frame.rbp = stack + random_next(&seed) % (2 * PAGE) / 8 * 8;
		n = walk(&s, max);
		CHECK(n <= max);
		longest = n > longest ? n : longest;
	}
	CHECK(longest > 3);
	stack_destroy(&s);
}
