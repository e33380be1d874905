/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether Unicorn translates LOCK for a guest with several CPUs: see parallel.c. */
#ifndef PV_PARALLEL_H
#define PV_PARALLEL_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

struct stores;

struct parallel {
	bool able; /* it does what it is asked to, and nothing came up that it cannot do */
	bool on;   /* for everything that is translated now */
	bool exchanges; /* xchg, too */
};

/* Finds out, on this page, whether this Unicorn can. */
void parallel_calibrate(struct parallel *parallel, uc_engine *uc, uint64_t page);
/* Call it when Unicorn was made to drop every translation: what is translated now may be translated otherwise.
 * Do all accesses have a hook? */
void parallel_choose(struct parallel *parallel, uc_engine *uc, bool accesses_hooked);
/* Between blocks, if Unicorn ended the emulation: for a locked operation, which is executed again, and trapped? Then
 * all translations must be dropped. */
bool parallel_gave_up(struct parallel *parallel);
/* What addresses mean has changed, or what may be done there. True: translations must be dropped, as above. */
bool parallel_gives_up(struct parallel *parallel, uc_engine *uc, const struct stores *stores);

#endif
