/* SPDX-License-Identifier: GPL-2.0-only */
#include "bench/bench_clock.h"
#include "bench/peer.h"

enum { LOOKS = 100 };

struct moment {
	int64_t ns;
	uint64_t ticks;
};

/* Both clocks at once: of many looks that with the fewest ticks around it, which nothing interrupted. */
static struct moment look(void)
{
	struct moment best = { 0 };
	uint64_t width = UINT64_MAX;

	for (int i = 0; i < LOOKS; i++) {
		uint64_t before = __builtin_ia32_rdtsc(), after;
		int64_t ns = bench_now_ns();

		after = __builtin_ia32_rdtsc();
		if (after - before < width) {
			width = after - before;
			best = (struct moment){ .ns = ns, .ticks = before + width / 2 };
		}
	}
	return best;
}

double tsc_hz(uint32_t ms)
{
	struct moment start = look(), end;

	do
		end = look();
	while (end.ns - start.ns < (int64_t)ms * 1000000);
	return (double)(end.ticks - start.ticks) * 1e9 / (double)(end.ns - start.ns);
}
