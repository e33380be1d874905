/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/unicorn/kernel_read.h"

#include <string.h>

#include "engine/interposed/inside.h"

/* Unicorn's: where that is in this process, without a fault; NULL: nowhere. */
void *tlb_vaddr_to_host_x86_64(void *env, uint64_t address, int access, int table);

enum { PAGE = 4096, ACCESS_READ = 0, TABLE_KERNEL_ANY = 2 };

bool kernel_read(uc_engine *uc, uint64_t *address, void *to, size_t size)
{
	void *env = ((uint8_t **)(void *)uc)[INSIDE_CPU] + INSIDE_STATE_BEHIND_CPU;
	uint8_t *at = to;

	while (size) {
		size_t here = PAGE - *address % PAGE;
		const void *from = tlb_vaddr_to_host_x86_64(env, *address, ACCESS_READ, TABLE_KERNEL_ANY);

		if (!from)
			return false;
		if (here > size)
			here = size;
		memcpy(at, from, here);
		at += here;
		*address += here;
		size -= here;
	}
	return true;
}
