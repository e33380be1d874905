/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stores to RAM that holds no code. Unicorn takes its slow path, some 35 ns, for every store to a page that the guest
 * may execute, to find out whether it rewrites translated code: without NX that is all of its memory. The functions
 * here have the names of that path's and are found first, as those of exchange.h. They ask the engine's own bits
 * whether code was ever decoded from there, whatever its address was then: if from nowhere in the page, translated
 * code stores to it without asking from then on, until its entry in Unicorn's TLB is gone. In a page with code they
 * store what goes to no line of code, and leave the rest to Unicorn.
 */
#ifndef PV_FAST_STORE_H
#define PV_FAST_STORE_H

#include <stdbool.h>
#include <stdint.h>

enum { CODE_LINE = 64 }; /* bytes of RAM of which it is known whether they have been code: 64 in a page */

/* What the stores of one engine are checked against. Only the thread that runs it changes it. */
struct fast_stores {
	bool on;
	void *env;     /* its CPU, as Unicorn hands it over; NULL: that of the next store */
	uint8_t *ram;
	uint64_t size; /* bytes */
	const uint64_t *code_lines; /* a word a page, a bit each. When the first of a page is set, the TLB must be flushed */
	/* What other processes do with RAM; NULL: nobody does. `stored` is called behind a store to a line of code, `stores` in
	 * front of one, in the midst of an instruction; `lines` are then others', too. */
	void (*stored)(void *owner, uint64_t offset, unsigned size);
	void (*stores)(void *owner, uint64_t offset, unsigned size);
	void *owner;
	uint64_t done; /* stores that came here and were not left to Unicorn: of most pages the first alone comes here */
};

/* Of this engine alone, in the whole process, stores take the short way; NULL: of none. */
void pv_store_fast(struct fast_stores *stores);
struct fast_stores *pv_store_fast_now(void);
/* Does this CPU, by both its addresses, look as that of the release that the functions know? */
bool pv_store_is_known(void *cpu, void *env);

#endif
