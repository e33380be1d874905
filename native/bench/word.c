/* SPDX-License-Identifier: GPL-2.0-only */
/* Bare atomic instructions on one word, by one process or by two at once. */
#include "bench/bench_clock.h"
#include "bench/peer.h"

int64_t word_exchange(uint32_t *word, uint32_t n)
{
	int64_t start = bench_now_ns();

	for (uint32_t i = 0; i < n; i++)
		__atomic_exchange_n(word, i, __ATOMIC_SEQ_CST);
	return bench_now_ns() - start;
}

/* The result is used, so that this is an XADD as the overflow counters' is, and not a LOCK ADD. */
int64_t word_add(uint32_t *word, uint32_t n)
{
	int64_t start = bench_now_ns();
	uint32_t seen = 0;

	for (uint32_t i = 0; i < n; i++) {
		seen ^= __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
		__asm__ volatile("" : "+r"(seen));
	}
	return bench_now_ns() - start;
}

int64_t word_hand_over(uint32_t *word, uint32_t n)
{
	int64_t start = bench_now_ns();
	uint64_t shadow;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t seen;

		__atomic_store_n(&shadow, 1, __ATOMIC_RELAXED);
		seen = __atomic_fetch_add(word, (uint32_t)__atomic_exchange_n(&shadow, 0, __ATOMIC_SEQ_CST),
					  __ATOMIC_SEQ_CST);
		__asm__ volatile("" : "+r"(seen));
	}
	return bench_now_ns() - start;
}

void word_exchange_until(uint32_t *word, const uint32_t *stop)
{
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		word_exchange(word, 64);
}

void word_add_until(uint32_t *word, const uint32_t *stop)
{
	while (!__atomic_load_n(stop, __ATOMIC_RELAXED))
		word_add(word, 64);
}
