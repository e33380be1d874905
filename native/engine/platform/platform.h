/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PC's platform as one vCPU has it: local APIC, devices, and a clock, all in its own process. The clock is in ns, and its
 * rate is that of the TSC. With one vCPU it counts instructions, and what is slept in hlt passes at once: every run of a
 * guest is the same one.
 */
#ifndef PV_ENGINE_PLATFORM_H
#define PV_ENGINE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/devices/apic.h"
#include "engine/devices/devices.h"

struct cpu;

struct platform {
	struct pv_platform *shared; /* NULL: a bare guest, which has no platform */
	struct cpu *cpu;
	struct apic apic;
	uint64_t slept; /* ns of the clock that passed in hlt */
	int64_t tsc_offset; /* as the guest has set its TSC */
};

/* For the CPU, whose configuration says whether there is one. */
void platform_create(struct platform *platform, struct cpu *cpu);

static inline bool platform_is_there(const struct platform *platform)
{
	return platform->shared;
}

/* The clock in front of the instruction at `rip`, which the current block contains. */
uint64_t platform_now(const struct platform *platform, uint64_t rip);

/* As system_calls.ask has it; PLATFORM_NOT_MINE: it is no MSR of the platform's. */
enum { PLATFORM_NOT_MINE = -3 };
int platform_msr(struct platform *platform, bool write, uint32_t number, uint64_t *value, uint64_t rip);
uint64_t platform_tsc(const struct platform *platform, uint64_t rip);
uint64_t platform_cr8(const struct platform *platform);
void platform_set_cr8(struct platform *platform, uint64_t value);

uint32_t platform_in(struct platform *platform, uint64_t rip, uint16_t port, unsigned size);
enum devices_exit platform_out(struct platform *platform, uint64_t rip, uint16_t port, unsigned size, uint32_t value);

/* Between two blocks, in front of `rip`: what has become due is done, and the next look arranged. */
void platform_run(struct platform *platform, uint64_t rip);
/* Is an interrupt waiting that the APIC would let through? */
bool platform_interrupts(const struct platform *platform);
/* Its vector; it counts as taken. */
uint8_t platform_acknowledge(struct platform *platform);

/* Every now and then: does anything become due that the count of this vCPU's instructions does not tell? */
bool platform_is_due(struct platform *platform, uint64_t rip);

/* Behind a hlt at `rip`: until something may be there to wake the vCPU. Not interruptible: an interrupt is nothing. */
void platform_sleep(struct platform *platform, uint64_t rip, bool interruptible);

/* Until something is left for the vCPU, which waits for its STARTUP. */
void platform_wait(struct platform *platform);
/* Of vCPUs but the first. Has an INIT come? Then the vCPU is to wait for its STARTUP. */
bool platform_is_reset(struct platform *platform);
/* Has the STARTUP come? Then the APIC is as after INIT, and the vCPU begins at page `vector`, in real mode. */
bool platform_starts(struct platform *platform, uint8_t *vector);

#endif
