/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/locks/punctual.h"

#include <linux/sched.h>
#include <linux/sched/types.h> /* and so not <sched.h>, which has some of it, too */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TURN_NS = 100000 };

/* Sleeps end when they are over, and not up to 50 us later. Who takes short turns gets them soon,
 * and not when the turn of whoever has the processor is over: Linux 6.12 and newer, in which
 * sched_runtime is the length of a turn; older ones see nothing in it. */
void punctual_be(void)
{
	struct sched_attr attr = { .size = sizeof(attr), .sched_policy = SCHED_NORMAL,
				   .sched_nice = getpriority(PRIO_PROCESS, 0), .sched_runtime = TURN_NS };

	prctl(PR_SET_TIMERSLACK, 1ul);
	syscall(SYS_sched_setattr, 0, &attr, 0);
}
