/* SPDX-License-Identifier: GPL-2.0-only */
/* Decodes many byte strings at a call. Each lies at the end of a page with nothing behind it: what reads on crashes. */
#include <string.h>
#include <sys/mman.h>

#include "engine/x86/insn.h"

enum { PAGE = 4096, STRIDE = 16 };

/* Of each string of STRIDE bytes, the first `sizes[i]`. 0 or -1. */
int decode_batch(const struct x86_cpu *cpu, const uint8_t *strings, const uint8_t *sizes, size_t count,
		 struct x86_insn *ret)
{
	uint8_t *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || mprotect(page + PAGE, PAGE, PROT_NONE))
		return -1;
	for (size_t i = 0; i < count; i++) {
		uint8_t *at = page + PAGE - sizes[i];

		memcpy(at, strings + i * STRIDE, sizes[i]);
		x86_decode(cpu, at, sizes[i], &ret[i]);
	}
	return munmap(page, 2 * PAGE);
}
