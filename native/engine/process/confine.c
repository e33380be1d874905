/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/process/confine.h"

#include <errno.h>
#include <sys/mman.h>

#include "abi/run_page.h"

/* In place of what is mapped there: nothing. */
static int take_away(uint8_t *at, uint64_t bytes)
{
	if (!bytes)
		return 0;
	return mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED ?
	       -errno : 0;
}

int engine_confine(uint8_t *segment, uint32_t vcpus, uint32_t vcpu, int read_only)
{
	uint8_t *runs = segment + PV_RUN_PAGE_SIZE;
	int ret;

	if (mmap(segment, PV_RUN_PAGE_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, read_only, 0) == MAP_FAILED)
		return -errno;
	ret = take_away(runs, (uint64_t)vcpu * PV_RUN_PAGE_SIZE);
	if (!ret)
		ret = take_away(runs + (vcpu + 1ull) * PV_RUN_PAGE_SIZE, (vcpus - vcpu - 1ull) * PV_RUN_PAGE_SIZE);
	return ret;
}
