/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * At which linear address does an access lie? Unicorn's hooks of memory are told the gpa alone, and the processor's
 * breakpoints go by the linear address. The functions of access.c have the names of those of Unicorn's that make every
 * access that has a hook, and are found first, as those of exchange.h: they note the address, and leave the rest to
 * Unicorn's. Those of stores that Unicorn's translated code calls are fast_store.c's, and note it as well.
 */
#ifndef PV_ACCESS_H
#define PV_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Of the access of this thread's that a hook has just been told of, once. False: nothing has noted one. */
bool pv_access_take(uint64_t *address);
void pv_access_note(uint64_t address, unsigned bytes);
/* What of this is part of the access that was noted last; all of it, if they have nothing in common. */
void pv_access_within(uint64_t *address, uint64_t *bytes);

#endif
