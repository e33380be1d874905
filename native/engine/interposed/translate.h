/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Unicorn's translator is shown in place of some of a guest's instructions, so that they are executed by a function of
 * the engine's: others of the same length that Unicorn translates to a call, with the CPU's state in memory before and read
 * anew behind. It costs what such a call costs, and nothing where nothing is replaced. The functions of translate.c have the
 * names of Unicorn's, and are found first, as those of exchange.h.
 */
#ifndef PV_TRANSLATE_H
#define PV_TRANSLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SHOWN_BYTES = 4096 + 16, /* a block does not reach into a second page, but for its first instruction */
};

/* The bytes of a block, as the translator is to see them. */
struct shown {
	uint64_t address;
	unsigned size; /* 0: all is as it is */
	uint8_t bytes[SHOWN_BYTES];
};

/* What the engine does about the translations of one CPU, while that executes: system.h. */
struct translation {
	void *env; /* the CPU's state, as Unicorn hands it to its functions */
	struct shown shown;
	/*
	 * A block at `address` is to be translated to `code`: fills `shown`. Returns how many instructions it may have, at most
	 * `most`. May end in a fault of the guest's, by translate_fetch().
	 */
	int (*plan)(struct translation *translation, uint64_t address, uintptr_t code, int most);
	/* So many bytes of it were translated. */
	void (*translated)(struct translation *translation, unsigned bytes);
	/* An instruction is executed whose call came from `retaddr`. False: it is none of those that were replaced. */
	bool (*execute)(struct translation *translation, uintptr_t retaddr);
};

/* A byte of code, of which the guest may be told by a fault that it cannot be executed: then this does not return. */
uint8_t pv_translate_fetch(void *env, uint64_t address);

#endif
