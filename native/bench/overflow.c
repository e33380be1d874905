/* SPDX-License-Identifier: GPL-2.0-only */
/* How the host core hands overflows to the guest, without the rest of a sync. */
#include "bench/bench_clock.h"
#include "bench/peer.h"
#include "core/host/guest_mem.h"
#include "core/locks/pv_sync.h"

/* With what the path of an NMI does, too: it raises the overflow by an atomic operation. */
static inline int64_t hand_over(uint32_t *word, uint32_t n, bool raised)
{
	const struct guest_mem mem = { .ram = (uint8_t *)word, .size = sizeof(*word) };
	int64_t start = bench_now_ns();
	pv_u64 shadow = { 0 };
	uint32_t added;
	int ret = 0;

	for (uint32_t i = 0; i < n && !ret; i++) {
		if (raised)
			pv_u64_add(&shadow, 1);
		else
			__atomic_store_n(&shadow.v, 1, __ATOMIC_RELAXED);
		ret = guest_add_s32(&mem, 0, pv_u64_exchange(&shadow, 0), &added);
	}
	return ret ? ret : bench_now_ns() - start;
}

int64_t overflow_deliver(uint32_t *word, uint32_t n)
{
	return hand_over(word, n, true);
}

int64_t overflow_hand_over(uint32_t *word, uint32_t n)
{
	return hand_over(word, n, false);
}
