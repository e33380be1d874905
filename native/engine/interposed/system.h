/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system's instructions. What they set, and what must not be set, Unicorn knows less of than a processor: it has no
 * MSR that does not exist and no bit that is reserved, no performance counter, no data breakpoint. The functions of
 * system.c have the names of those that its translated code calls for them, and are found first, as those of exchange.h: they
 * ask whoever is executing on this thread, and leave the rest to Unicorn's, which is then to find nothing wrong: its faults
 * would be those of no instruction, as no translated code has called it.
 */
#ifndef PV_SYSTEM_CALLS_H
#define PV_SYSTEM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

enum system_instruction {
	SYSTEM_RDMSR,    /* `which`: its number; *value: what it holds, if that is not Unicorn's to say */
	SYSTEM_WRMSR,
	SYSTEM_READ_CR,
	SYSTEM_WRITE_CR, /* *value may be changed */
	SYSTEM_READ_DR,
	SYSTEM_WRITE_DR, /* the same */
	SYSTEM_WROTE_DR, /* Unicorn has */
	SYSTEM_RDTSC,    /* RIP is there */
	SYSTEM_RDTSCP,   /* the same; value[1]: TSC_AUX */
	SYSTEM_RDPMC,
	SYSTEM_XSETBV,
	SYSTEM_MXCSR,    /* *value is about to be loaded */
	SYSTEM_FS_GS,    /* rdfsbase, wrgsbase and so on; `which`: at RIP, and it may fault */
};

/* What becomes of it; anything else is the vector of a fault, whose error code is 0. */
enum { SYSTEM_PASS = -1 /* Unicorn does it */, SYSTEM_DONE = -2 };

struct translation;

/* Who is executing. */
struct system_calls {
	int (*ask)(void *owner, enum system_instruction what, uint64_t which, uint64_t *value);
	/* Of data breakpoints, which are looked for in accesses to their pages while `watches`: */
	int (*watched)(void *owner, uint64_t page, uint64_t bytes); /* SYSTEM_READ, SYSTEM_WRITE */
	void (*touched)(void *owner, uint64_t address, uint64_t bytes, bool write);
	void (*touched_port)(void *owner, uint32_t port, uint32_t bytes);
	void *owner;
	bool watches;   /* and each instruction is a block of its own */
	uint64_t xcr0;
	struct translation *translation; /* translate.h; NULL: nothing is replaced */
};
enum { SYSTEM_READ = 1, SYSTEM_WRITE = 2 };

/* On this thread; NULL: nobody. */
struct system_calls *system_now(void);
/* From here on. Who it was. */
struct system_calls *pv_system_of(struct system_calls *calls);

#endif
