/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/host/console.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/host/host.h"

int console_create(struct pv_vm *vm, uint32_t capacity)
{
	struct pv_console *console = &vm->console;

	pv_spinlock_init(&console->lock, "the console's lock");
	console->capacity = capacity;
	console->ring = vm->hooks.alloc(vm->hooks.context, capacity);
	if (!console->ring)
		return -ENOMEM;
	console->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return console->event_fd < 0 ? -errno : 0;
}

void console_destroy(struct pv_vm *vm)
{
	if (vm->console.event_fd >= 0)
		close(vm->console.event_fd);
	vm->hooks.release(vm->hooks.context, vm->console.ring);
	vm->console.ring = NULL;
}

/* An eventfd at its maximum is readable already, so a failed write changes nothing. */
void console_signal(struct pv_vm *vm)
{
	uint64_t one = 1;
	ssize_t n = write(vm->console.event_fd, &one, sizeof(one));

	(void)n;
}

static void clear_signal(struct pv_vm *vm)
{
	uint64_t value;
	ssize_t n = read(vm->console.event_fd, &value, sizeof(value));

	(void)n;
}

static bool append(struct pv_console *console, uint8_t byte, bool *was_empty)
{
	bool fits;

	pv_spin_lock(&console->lock);
	fits = console->written - console->taken < console->capacity;
	*was_empty = console->written == console->taken;
	if (fits)
		console->ring[console->written++ % console->capacity] = byte;
	pv_spin_unlock(&console->lock);
	return fits;
}

static void write_byte(struct pv_vm *vm, uint8_t byte)
{
	struct pv_console *console = &vm->console;
	bool was_empty;

	for (;;) {
		uint32_t ticket = pv_ticket(&console->space);

		if (append(console, byte, &was_empty))
			break;
		if (vm_phase(vm) != PHASE_RUNNING)
			return;
		pv_wait(&console->space, ticket);
	}
	if (was_empty)
		console_signal(vm);
}

void console_write(struct pv_vm *vm, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		write_byte(vm, bytes[i]);
}

/* The signal is cleared first and given again if anything is left to tell, so that
 * none is lost whoever comes in between. */
uint64_t console_read(struct pv_vm *vm, uint8_t *buffer, uint64_t size)
{
	struct pv_console *console = &vm->console;
	uint64_t n = 0;
	bool left;

	clear_signal(vm);
	pv_spin_lock(&console->lock);
	for (; n < size && console->taken < console->written; n++)
		buffer[n] = console->ring[console->taken++ % console->capacity];
	left = console->taken < console->written;
	pv_spin_unlock(&console->lock);
	if (n)
		pv_wake(&console->space);
	if (left || pv_u32_load(&vm->end.published))
		console_signal(vm);
	return n;
}
