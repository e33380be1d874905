/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/share.h"

#include <sched.h>

#include "abi/handover.h"

/* Unicorn's: drops translations of this part of its RAM. */
extern void tb_invalidate_phys_range_x86_64(uc_engine *uc, uint64_t first, uint64_t behind) __attribute__((weak));

enum { PAGE = 4096, LINE = 64, PAGE_SHIFT = 40, VCPU_SHIFT = 32, SPINS = 64 };
#define AWAY UINT64_MAX

void share_create(struct share *share, struct pv_code_map *map, uint64_t pages)
{
	share->map = map;
	share->pages = pages;
	share->lines = map->pages;
	share->who = map->pages + pages;
	__atomic_store_n(&map->seen[share->vcpu].asked, AWAY, __ATOMIC_SEQ_CST);
}

static uint64_t self(const struct share *share)
{
	return 1ull << share->vcpu;
}

static uint64_t asked(const struct share *share)
{
	return __atomic_load_n(&share->map->asked, __ATOMIC_SEQ_CST);
}

void share_look(struct share *share, uc_engine *uc)
{
	uint64_t now = asked(share);

	if (now == share->flushed)
		return;
	uc_ctl_flush_tlb(uc);
	share->flushed = now;
	__atomic_store_n(&share->map->seen[share->vcpu].asked, now, __ATOMIC_SEQ_CST);
}

void share_leave(struct share *share)
{
	__atomic_store_n(&share->map->seen[share->vcpu].asked, AWAY, __ATOMIC_SEQ_CST);
}

/* Who asks looks at `seen` behind that, this looks at `asked` behind `seen`. */
void share_return(struct share *share, uc_engine *uc)
{
	__atomic_store_n(&share->map->seen[share->vcpu].asked, share->flushed, __ATOMIC_SEQ_CST);
	share_look(share, uc);
}

/* Until every vCPU that executes has come to a place between two instructions. Others may wait for this one meanwhile. */
static void ask(struct share *share, uc_engine *uc)
{
	uint64_t mine = __atomic_add_fetch(&share->map->asked, 1, __ATOMIC_SEQ_CST);

	for (uint32_t vcpu = 0; vcpu < share->page->vcpus; vcpu++) {
		const uint64_t *seen = &share->map->seen[vcpu].asked;

		if (vcpu == share->vcpu || __atomic_load_n(seen, __ATOMIC_SEQ_CST) >= mine)
			continue;
		handover_nudge(&share->ipi[vcpu].bell);
		for (unsigned i = 1; __atomic_load_n(seen, __ATOMIC_SEQ_CST) < mine; i++) {
			share_look(share, uc);
			if (__atomic_load_n(&share->page->ended, __ATOMIC_RELAXED))
				return;
			if (i % SPINS)
				__builtin_ia32_pause();
			else
				sched_yield();
		}
	}
	share_look(share, uc);
}

void share_mark(struct share *share, uc_engine *uc, uint64_t page, uint64_t lines)
{
	if (!(__atomic_load_n(&share->who[page], __ATOMIC_RELAXED) & self(share)))
		__atomic_fetch_or(&share->who[page], self(share), __ATOMIC_SEQ_CST);
	if ((__atomic_load_n(&share->lines[page], __ATOMIC_RELAXED) & lines) == lines)
		return;
	if (!__atomic_fetch_or(&share->lines[page], lines, __ATOMIC_SEQ_CST))
		ask(share, uc);
}

bool share_has(const struct share *share, uint64_t page)
{
	return __atomic_load_n(&share->who[page], __ATOMIC_RELAXED) & self(share);
}

static void tell(struct share *share, uint64_t page)
{
	uint64_t others = __atomic_load_n(&share->who[page], __ATOMIC_SEQ_CST) & ~self(share), at;

	if (!others)
		return;
	at = __atomic_fetch_add(&share->map->head, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&share->map->change[at % PV_CODE_CHANGES],
			 page << PAGE_SHIFT | (uint64_t)share->vcpu << VCPU_SHIFT | (uint32_t)(at / PV_CODE_CHANGES + 1), __ATOMIC_RELEASE);
	for (; others; others &= others - 1)
		handover_nudge(&share->ipi[__builtin_ctzll(others)].bell);
}

static bool holds_code(const struct share *share, uint64_t first, uint64_t last)
{
	uint64_t lines = first / PAGE < share->pages ? __atomic_load_n(&share->lines[first / PAGE], __ATOMIC_SEQ_CST) : 0;

	for (uint64_t line = first / LINE; lines && line <= last / LINE; line++)
		if (lines >> line % (PAGE / LINE) & 1)
			return true;
	return false;
}

void share_stored(struct share *share, uint64_t offset, unsigned size)
{
	uint64_t last = offset + size - 1, end = offset / PAGE == last / PAGE ? last : offset | (PAGE - 1);

	__builtin_ia32_mfence(); /* not a fence of C, which ThreadSanitizer does not know */
	if (holds_code(share, offset, end))
		tell(share, offset / PAGE);
	if (end != last && holds_code(share, end + 1, last))
		tell(share, last / PAGE);
}

void share_stores(struct share *share, uint64_t offset, unsigned size)
{
	uint64_t page = offset / PAGE;

	if (page >= share->pages || !holds_code(share, offset, offset + size - 1))
		return;
	for (unsigned i = 0; i < share->laters; i++)
		if (share->later[i] == page)
			return;
	if (share->laters == SHARE_LATER) /* who tells too early tells again */
		tell(share, share->later[--share->laters]);
	share->later[share->laters++] = page;
}

void share_tell(struct share *share)
{
	__builtin_ia32_mfence(); /* not a fence of C, which ThreadSanitizer does not know */
	while (share->laters)
		tell(share, share->later[--share->laters]);
}

static uint64_t change(const struct share *share, uint64_t at)
{
	uint64_t ret;

	do
		ret = __atomic_load_n(&share->map->change[at % PV_CODE_CHANGES], __ATOMIC_ACQUIRE);
	while ((uint32_t)ret < (uint32_t)(at / PV_CODE_CHANGES + 1) && !__atomic_load_n(&share->page->ended, __ATOMIC_RELAXED));
	return ret;
}

/* Others may have overwritten what this vCPU has not read: then it knows of none what it is. */
static bool is_lost(const struct share *share)
{
	return __atomic_load_n(&share->map->head, __ATOMIC_ACQUIRE) - share->tail > PV_CODE_CHANGES / 2;
}

void share_heed(struct share *share, uc_engine *uc)
{
	uint64_t head = __atomic_load_n(&share->map->head, __ATOMIC_ACQUIRE);

	if (is_lost(share) || !tb_invalidate_phys_range_x86_64) {
		share->tail = head;
		uc_ctl_flush_tb(uc);
		return;
	}
	for (; share->tail < head; share->tail++) {
		uint64_t what = change(share, share->tail), page = what >> PAGE_SHIFT;

		if ((uint8_t)(what >> VCPU_SHIFT) == share->vcpu || !(__atomic_load_n(&share->who[page], __ATOMIC_ACQUIRE) & self(share)))
			continue;
		tb_invalidate_phys_range_x86_64(uc, page * PAGE, (page + 1) * PAGE);
		__atomic_fetch_and(&share->who[page], ~self(share), __ATOMIC_SEQ_CST);
	}
}
