// SPDX-License-Identifier: GPL-2.0-only
/*
 * What several CPUs of a Linux guest have to do with each other, each by several threads at once: atomic operations and a
 * futex, mappings that come and go (TLB shootdowns), code that one writes and the others execute, fork and exec. For each it
 * prints a line with what was lost.
 *
 * torture THREADS ROUNDS
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_THREADS = 64, PAGE = 4096, WORDS = PAGE / 8, CHILDREN = 4, OVER = -1 };

static int threads, rounds;
static pthread_t running[MOST_THREADS];

static void run_all(void *(*what)(void *))
{
	for (long i = 0; i < threads; i++)
		if (pthread_create(&running[i], NULL, what, (void *)i))
			abort();
}

static void join_all(void)
{
	for (int i = 0; i < threads; i++)
		pthread_join(running[i], NULL);
}

/* Atomic operations, by one instruction, by compare and exchange of both widths; and a mutex. */

static uint64_t added, compared, locked;
static uint32_t compared32;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *add(void *self)
{
	for (int i = 0; i < rounds; i++) {
		uint64_t old = __atomic_load_n(&compared, __ATOMIC_RELAXED);
		uint32_t old32 = __atomic_load_n(&compared32, __ATOMIC_RELAXED);

		__atomic_fetch_add(&added, 1, __ATOMIC_SEQ_CST);
		while (!__atomic_compare_exchange_n(&compared, &old, old + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			;
		while (!__atomic_compare_exchange_n(&compared32, &old32, old32 + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			;
		pthread_mutex_lock(&mutex);
		locked++;
		pthread_mutex_unlock(&mutex);
	}
	return self;
}

static long atomics(void)
{
	const long all = (long)threads * rounds;

	run_all(add);
	join_all();
	return labs(all - (long)added) + labs(all - (long)compared) + labs(all - (long)compared32) + labs(all - (long)locked);
}

/* Pages are mapped, written, protected and unmapped, while the other threads do the same in this address space. */

static long wrong_words;

static void map_once(uint64_t mark)
{
	uint64_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long wrong = 0;

	if (pages == MAP_FAILED)
		abort();
	for (int i = 0; i < 2 * WORDS; i++) {
		wrong += pages[i] != 0;
		pages[i] = mark + i;
	}
	if (mprotect(pages, PAGE, PROT_READ) || mprotect(pages, PAGE, PROT_READ | PROT_WRITE))
		abort();
	for (int i = 0; i < 2 * WORDS; i++)
		wrong += pages[i] != mark + i;
	munmap(pages, 2 * PAGE);
	__atomic_fetch_add(&wrong_words, wrong, __ATOMIC_RELAXED);
}

static void *map(void *self)
{
	for (int i = 0; i < rounds / 10; i++)
		map_once(((uint64_t)(uintptr_t)self << 32 | i) << 16);
	return self;
}

static long mappings(void)
{
	run_all(map);
	join_all();
	return wrong_words;
}

/* mov $version, %eax; ret: written by the first thread, executed by the others behind an instruction that serialises. */

static uint8_t *code;
static int32_t version, executed[MOST_THREADS];
static long wrong_code;

static void serialise(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
}

static void *call(void *self)
{
	int32_t seen = 0;

	for (;;) {
		int32_t now = __atomic_load_n(&version, __ATOMIC_ACQUIRE);

		if (now == OVER)
			return self;
		if (now == seen) {
			sched_yield();
			continue;
		}
		serialise();
		if (((int32_t (*)(void))code)() != now)
			__atomic_fetch_add(&wrong_code, 1, __ATOMIC_RELAXED);
		seen = now;
		__atomic_store_n(&executed[(long)self], now, __ATOMIC_RELEASE);
	}
}

static long rewritten_code(void)
{
	code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		abort();
	code[0] = 0xb8;
	code[5] = 0xc3;
	run_all(call);
	for (int32_t next = 1; next <= rounds / 10; next++) {
		memcpy(code + 1, &next, sizeof(next));
		__atomic_store_n(&version, next, __ATOMIC_RELEASE);
		for (int i = 0; i < threads; i++)
			while (__atomic_load_n(&executed[i], __ATOMIC_ACQUIRE) != next)
				sched_yield();
	}
	__atomic_store_n(&version, OVER, __ATOMIC_RELEASE);
	join_all();
	return wrong_code;
}

static long processes(void)
{
	long lost = 0;

	for (int i = 0; i < rounds / 50; i++) {
		pid_t child[CHILDREN];

		for (int k = 0; k < CHILDREN; k++) {
			child[k] = fork();
			if (!child[k]) {
				execl("/bin/true", "true", (char *)NULL);
				_exit(1);
			}
		}
		for (int k = 0; k < CHILDREN; k++) {
			int status;

			lost += waitpid(child[k], &status, 0) != child[k] || status;
		}
	}
	return lost;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		long (*run)(void);
	} all[] = { { "atomics", atomics }, { "mappings", mappings }, { "code", rewritten_code }, { "processes", processes } };
	long lost = 0;

	threads = argc > 2 ? atoi(argv[1]) : 0;
	rounds = argc > 2 ? atoi(argv[2]) : 0;
	if (threads < 1 || threads > MOST_THREADS || rounds < 1) {
		fprintf(stderr, "torture THREADS ROUNDS\n");
		return 2;
	}
	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		long now = all[i].run();

		printf("%s: %ld lost\n", all[i].name, now);
		fflush(stdout);
		lost += now;
	}
	return lost != 0;
}
