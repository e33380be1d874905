/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who sleeps looks again this often even if nobody wakes it: at the panic flag, at the VM's end; and so no lost
 * wake-up can become a hang. Its tests have none, so that a lost one does.
 */
#ifndef PV_RECHECK_H
#define PV_RECHECK_H

#include <time.h>

#ifndef PV_RECHECK_NS
#define PV_RECHECK_NS (100 * 1000 * 1000)
#endif

static const struct timespec recheck = { .tv_sec = PV_RECHECK_NS / 1000000000, .tv_nsec = PV_RECHECK_NS % 1000000000 };

#endif
