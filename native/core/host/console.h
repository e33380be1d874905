/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's console: a ring that the vCPUs fill and the front end empties. */
#ifndef PV_CONSOLE_H
#define PV_CONSOLE_H

#include "core/locks/pv_sync.h"

struct pv_vm;

struct pv_console {
	int event_fd; /* readable while there are bytes, and for good once the VM has ended */
	uint32_t capacity;
	struct pv_spinlock lock;
	/* lock held: */
	uint64_t written, taken; /* bytes ever */
	uint8_t *ring;

	struct pv_event_count space; /* woken when the ring is no longer full */
};

int console_create(struct pv_vm *vm, uint32_t capacity);
void console_destroy(struct pv_vm *vm);
/* Appends bytes in order. While the ring is full, waits for a reader; once the VM's end
 * has been asked for, drops what does not fit. */
void console_write(struct pv_vm *vm, const uint8_t *bytes, uint32_t size);
uint64_t console_read(struct pv_vm *vm, uint8_t *buffer, uint64_t size);
/* Makes the event fd readable. */
void console_signal(struct pv_vm *vm);

#endif
