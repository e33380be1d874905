/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/interposed/rotate.h"

#include "engine/interposed/inside.h"

#define EXPORTED __attribute__((visibility("default")))

static _Thread_local uint64_t before;

EXPORTED uint64_t pv_rotate_flags(void)
{
	return before;
}

/* What Unicorn's translated code calls between its load and its store. */
#define ROTATE(name)                                                                                              \
	typedef uint64_t name##_fn(void *env, uint64_t value, uint64_t count);                                    \
                                                                                                                  \
	EXPORTED name##_fn name;                                                                                  \
	uint64_t name(void *env, uint64_t value, uint64_t count)                                                  \
	{                                                                                                         \
		static void *unicorns;                                                                            \
                                                                                                                  \
		before = ((struct inside_state *)env)->cc_flags;                                                  \
		return ((name##_fn *)inside_next(&unicorns, #name))(env, value, count);                           \
	}

ROTATE(helper_rclb_x86_64)
ROTATE(helper_rclw_x86_64)
ROTATE(helper_rcll_x86_64)
ROTATE(helper_rclq_x86_64)
ROTATE(helper_rcrb_x86_64)
ROTATE(helper_rcrw_x86_64)
ROTATE(helper_rcrl_x86_64)
ROTATE(helper_rcrq_x86_64)
