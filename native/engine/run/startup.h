/* SPDX-License-Identifier: GPL-2.0-only */
/* How the vCPUs of a platform but the first come to run (Intel SDM vol. 3, 9.4): INIT, then STARTUP. */
#ifndef PV_STARTUP_H
#define PV_STARTUP_H

struct pv_engine;

/* Waits for the STARTUP, as after INIT, and loads what the vCPU begins with, or stops. */
void startup_wait(struct pv_engine *e);

#endif
