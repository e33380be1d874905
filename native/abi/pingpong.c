/* SPDX-License-Identifier: GPL-2.0-only */
#include "pingpong.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool spin_until(const uint32_t *word, uint32_t wanted, uint32_t spin_ns)
{
	uint64_t until = now_ns() + spin_ns;

	do {
		for (int i = 0; i < 64; i++) {
			if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == wanted)
				return true;
			__builtin_ia32_pause();
		}
	} while (now_ns() < until);
	return false;
}

static bool wait_until(uint32_t *word, uint32_t wanted, uint32_t spin_ns)
{
	const struct timespec give_up = { .tv_sec = 5 };

	if (spin_ns && spin_until(word, wanted, spin_ns))
		return true;
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != wanted)
		if (syscall(SYS_futex, word, FUTEX_WAIT, wanted - 1, &give_up, NULL, 0) && errno == ETIMEDOUT)
			return false;
	return true;
}

static void pass(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

uint64_t pingpong_play(uint32_t *word, uint32_t side, uint32_t rounds, uint32_t spin_ns)
{
	uint64_t start = now_ns();

	for (uint32_t i = 0; i < rounds; i++) {
		if (side == 0) {
			pass(word, 2 * i + 1);
			if (!wait_until(word, 2 * i + 2, spin_ns))
				return 0;
		} else {
			if (!wait_until(word, 2 * i + 1, spin_ns))
				return 0;
			pass(word, 2 * i + 2);
		}
	}
	return now_ns() - start;
}
