/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock of a VM with several vCPUs (struct pv_guest_clock), and sleep: who is in hlt waits until something is left for him or
 * the clock has come to what is due for him. Nobody looks at the time of the host, so a guest whose vCPUs share a core sees
 * no time stolen: all of them get on with it.
 */
#ifndef PV_ENGINE_CLOCK_H
#define PV_ENGINE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/platform.h"

/* As a VM begins: vCPU 0 is awake, the others wait for their STARTUP. */
void clock_reset(struct pv_platform *platform, uint32_t vcpus);
/* The time, where a vCPU's own is `local`. */
uint64_t clock_now(struct pv_platform *platform, uint64_t local);
/* The same; who is due by then is woken. */
uint64_t clock_tick(struct pv_platform *platform, uint32_t vcpus, uint32_t self, uint64_t local);

/* `self` has nothing to do until `deadline`. With nobody awake the clock goes on at once, unless it is `paced`. */
void clock_fall_asleep(struct pv_platform *platform, uint32_t vcpus, uint32_t self, uint64_t deadline, bool paced);
/* How many ns the clock is to be given, with nobody awake, until something is due; 0: somebody is. UINT64_MAX: nothing is. */
uint64_t clock_idle(const struct pv_platform *platform);
/* With nobody awake the clock has come to `now`, which is not behind what is due. */
void clock_pass(struct pv_platform *platform, uint32_t vcpus, uint32_t self, uint64_t now);
/* The same, until it gets a STARTUP, whatever else is left for it. */
void clock_stop(struct pv_platform *platform, uint32_t vcpus, uint32_t self);
bool clock_is_asleep(const struct pv_platform *platform, uint32_t self);
/* `self` has seen for itself that it is wanted. */
void clock_wake_up(struct pv_platform *platform, uint32_t self);
/* Something was left for `target`: by `self`, another vCPU. */
void clock_wake(struct pv_platform *platform, uint32_t self, uint32_t target);

#endif
