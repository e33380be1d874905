/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("all vCPUs fight for a spinlock and for words of LOCK operations; iterations=200000 crowd=0: 1 executes "
		  "a thousand other LOCK instructions first");

static uint64_t iterations;
static struct spinlock lock;
static uint64_t guarded[2]; /* both change under the lock, by plain stores */
static uint64_t added __attribute__((aligned(64)));
static uint64_t swapped __attribute__((aligned(64)));
static uint64_t toggled __attribute__((aligned(64)));
static uint64_t torn; /* times that guarded[] was seen half changed */

static void contend(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < iterations; i++) {
		uint64_t old = atomic_load(&swapped);

		spin_lock(&lock);
		if (guarded[0] != guarded[1])
			torn++;
		guarded[0]++;
		__asm__ volatile("" : : : "memory");
		guarded[1]++;
		spin_unlock(&lock);
		atomic_fetch_add(&added, 1u);
		while (!atomic_compare_exchange(&swapped, &old, old + 1))
			;
		__atomic_fetch_xor(&toggled, 1ull << (cpu_index() % 64), __ATOMIC_SEQ_CST);
	}
}

/* Each in a block of its own. */
static void crowd(void)
{
	static uint64_t word;

	__asm__ volatile(".rept 1000\n\t"
			 "lock incq %0\n\t"
			 "jmp . + 2\n\t"
			 ".endr"
			 : "+m"(word));
}

static uint64_t bits_set(uint64_t word)
{
	uint64_t n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

static int check(const char *what, uint64_t value, uint64_t expected)
{
	console_printf("locks: %s: %lu of %lu%s\n", what, value, expected, value == expected ? "" : ", LOST");
	return value != expected;
}

int guest_main(void)
{
	uint64_t all;
	int wrong = 0;

	option_only("iterations", "crowd", NULL);
	iterations = option_number("iterations", 200000);
	if (option_number("crowd", 0))
		crowd();
	smp_run_all(contend, NULL);
	all = iterations * cpu_count();
	wrong |= check("under the lock", guarded[0], all);
	wrong |= check("lock xadd", added, all);
	wrong |= check("lock cmpxchg", swapped, all);
	wrong |= check("bits left by lock xor", bits_set(toggled), iterations & 1 ? cpu_count() : 0);
	wrong |= check("torn", torn, 0);
	return wrong;
}
