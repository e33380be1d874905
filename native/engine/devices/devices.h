/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PC's devices behind their ports: UART (COM1), two 8259A, 8254, CMOS, port 61h, the reset by the keyboard controller.
 * All state is in struct pv_platform; `now` is the guest's clock in ns, which never goes back. Callers hold the lock.
 */
#ifndef PV_DEVICES_H
#define PV_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/platform.h"

/* What an out asks of the host. */
enum devices_exit {
	DEVICES_NONE,
	DEVICES_CONSOLE, /* the byte that was written goes to the console */
	DEVICES_RESET,   /* the guest wants the machine reset */
};

/* As after power on; the memory may hold anything. */
void devices_reset(struct pv_platform *platform);
void devices_lock(struct pv_platform *platform, uint32_t vcpu);
void devices_unlock(struct pv_platform *platform);

/* An access of 1, 2 or 4 bytes; devices have the lowest one. What no device answers reads as ones, and is lost. */
uint32_t devices_in(struct pv_platform *platform, uint64_t now, uint16_t port, unsigned size);
enum devices_exit devices_out(struct pv_platform *platform, uint64_t now, uint16_t port, unsigned size, uint32_t value);

/* What has become due at `now` is done: the PIT's channel 0 raises IRQ 0, input and the transmitter IRQ 4. */
void devices_run(struct pv_platform *platform, uint64_t now);
/* When that is to be called next; UINT64_MAX: not before a port is touched or input comes. */
uint64_t devices_due(const struct pv_platform *platform);
/* Does the first 8259A want the CPU's attention? */
bool devices_interrupt(const struct pv_platform *platform);
/* The vector that it gives when it is acknowledged; a spurious one if there is none any more. */
uint8_t devices_acknowledge(struct pv_platform *platform);

#endif
