/* SPDX-License-Identifier: GPL-2.0-only */
#include "handover.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A waiter looks again this often even if nobody wakes it, so that no lost
 * wake-up can become a hang. */
static const struct timespec recheck = { .tv_sec = 0, .tv_nsec = 100 * 1000 * 1000 };

static void futex_wait(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, &recheck, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int is_over(const struct pv_vm_page *vm)
{
	return __atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE) != 0;
}

/*
 * Waits until *word differs from `old`. `sleeps` tells the other side that a wake
 * is due: it is set before the last look at the word and cleared after, and the
 * other side changes the word before it looks at `sleeps` (both seq_cst), so one
 * of the two always sees the other.
 */
static int wait_change(uint32_t *word, uint32_t old, uint32_t *sleeps,
		       const struct pv_vm_page *vm)
{
	if (vm->spin_ns) {
		uint64_t until = now_ns() + vm->spin_ns;

		do {
			for (int i = 0; i < 64; i++) {
				if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != old)
					return PV_HANDED;
				__builtin_ia32_pause();
			}
		} while (now_ns() < until);
	}
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old) {
		if (is_over(vm))
			return PV_HANDOVER_ENDED;
		__atomic_store_n(sleeps, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == old)
			futex_wait(word, old);
		__atomic_store_n(sleeps, 0, __ATOMIC_SEQ_CST);
	}
	return PV_HANDED;
}

int handover_exit(struct pv_run *run, const struct pv_vm_page *vm)
{
	uint32_t entered = __atomic_load_n(&run->entry_count, __ATOMIC_RELAXED);

	__atomic_store_n(&run->exit_count, entered + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&run->host_sleeps, __ATOMIC_SEQ_CST))
		futex_wake(&run->exit_count);
	return wait_change(&run->entry_count, entered, &run->vcpu_sleeps, vm);
}

int handover_wait_exit(struct pv_run *run, const struct pv_vm_page *vm, uint32_t seen)
{
	return wait_change(&run->exit_count, seen, &run->host_sleeps, vm);
}

void handover_enter(struct pv_run *run)
{
	uint32_t exits = __atomic_load_n(&run->exit_count, __ATOMIC_RELAXED);

	__atomic_store_n(&run->entry_count, exits, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&run->vcpu_sleeps, __ATOMIC_SEQ_CST))
		futex_wake(&run->entry_count);
}

void handover_ring(struct pv_run *run)
{
	__atomic_store_n(&run->doorbell, 1, __ATOMIC_SEQ_CST);
}

int handover_doorbell(const struct pv_run *run)
{
	return __atomic_load_n(&run->doorbell, __ATOMIC_RELAXED) != 0;
}

int handover_take_doorbell(struct pv_run *run)
{
	return __atomic_exchange_n(&run->doorbell, 0, __ATOMIC_SEQ_CST) != 0;
}

void handover_end(struct pv_vm_page *vm, struct pv_run *const *runs, unsigned n)
{
	__atomic_store_n(&vm->ended, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < n; i++) {
		futex_wake(&runs[i]->exit_count);
		futex_wake(&runs[i]->entry_count);
	}
}
