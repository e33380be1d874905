/* SPDX-License-Identifier: GPL-2.0-only */
/* What Unicorn's API does not show: CPL, and the exception in flight. */
#ifndef PV_HIDDEN_H
#define PV_HIDDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

struct hidden {
	uc_engine *uc;
	uc_context *context; /* a copy of the CPU's state, in which are, at these offsets: */
	size_t error_code, is_int, old_exception, hflags, segments;
};

/* Of a new engine. -EOPNOTSUPP: this Unicorn does not keep them as is known. */
int hidden_calibrate(struct hidden *hidden, uc_engine *uc);
void hidden_destroy(struct hidden *hidden);
/* What Unicorn knows of the exception that it reports, which counts as delivered from now on. */
void hidden_take_exception(struct hidden *hidden, uint32_t *error, bool *software);
/* Is what Unicorn reports an int n? Without a look at the rest. */
bool hidden_is_software(const struct hidden *hidden);
/* CPL 0 with a null SS, as an interrupt leaves it, whatever it was. */
void hidden_enter_kernel(struct hidden *hidden);
bool hidden_is_64bit(struct hidden *hidden);
/* Behind an instruction that keeps interrupts out until the next one has executed: mov ss, pop ss, sti. */
bool hidden_in_shadow(struct hidden *hidden);

#endif
