/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An atomic exchange for what Unicorn translates for a guest with several CPUs: its own is a load and a store even
 * there. The functions have the names of Unicorn's, and are a library of their own that is loaded before Unicorn,
 * so that the dynamic linker finds them first.
 */
#ifndef PV_EXCHANGE_H
#define PV_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

/* Unicorn's compare-and-exchange of guest memory: what was there. `access` says how wide, and with whose privilege;
 * `retaddr` is where the translated code called, for a fault to be found there. */
typedef uint32_t exchange_compare_fn(void *env, uint64_t address, uint32_t compare, uint32_t value, uint32_t access,
				     uintptr_t retaddr);
typedef uint64_t exchange_compare64_fn(void *env, uint64_t address, uint64_t compare, uint64_t value, uint32_t access,
				       uintptr_t retaddr);

/* By width: what the exchanges are made of. Must be there before the first one. */
struct exchange_means {
	exchange_compare_fn *byte, *word, *dword;
	exchange_compare64_fn *qword;
};
void pv_exchange_by(const struct exchange_means *means);
/* Has Unicorn called one since the program began? */
bool pv_exchange_was_called(void);

#endif
