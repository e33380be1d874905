/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/devices/devices.h"

#include <sched.h>

#include "engine/devices/cmos.h"
#include "engine/devices/pic.h"
#include "engine/devices/pit.h"
#include "engine/devices/ports.h"
#include "engine/devices/uart.h"

enum {
	PIT_PORTS = 4,
	UART_PORTS = 8,
	SPEAKER = 2, /* the PIT's channel */

	/* Port 61h. Bits 7 and 6, whose reasons for an NMI do not exist here, are 0. */
	CONTROL_GATE = 1 << 0,
	CONTROL_KEPT = 0xf,
	CONTROL_REFRESH = 1 << 4, /* changes with each refresh of memory */
	CONTROL_OUTPUT = 1 << 5,
	REFRESH_NS = 15085,

	/*
	 * There is no keyboard. A controller whose output is always full and whose input is never is given up at once by
	 * Linux's i8042 driver, and not waited for before the reset.
	 */
	KEYBOARD_STATUS = 0xfd,
	KEYBOARD_RESET = 0xfe,
	RESET_CPU = 1 << 2,

	NOTHING = 0xff,
	SPINS = 100, /* before others are let onto the core */
};

void devices_lock(struct pv_platform *platform, uint32_t vcpu)
{
	uint32_t *lock = &platform->devices.lock, free = 0;

	for (unsigned i = 1; !__atomic_compare_exchange_n(lock, &free, vcpu + 1, false, __ATOMIC_ACQUIRE,
							   __ATOMIC_RELAXED);
	     i++) {
		free = 0;
		if (i % SPINS)
			__builtin_ia32_pause();
		else
			sched_yield();
	}
}

void devices_unlock(struct pv_platform *platform)
{
	__atomic_store_n(&platform->devices.lock, 0, __ATOMIC_RELEASE);
}

void devices_reset(struct pv_platform *platform)
{
	struct pv_devices *devices = &platform->devices;

	*devices = (struct pv_devices){ 0 };
	uart_reset(&devices->uart);
	pic_reset(devices->pic);
	pit_reset(devices->pit);
	cmos_reset(&devices->cmos);
}

static void run_timer(struct pv_devices *devices, uint64_t now)
{
	if (!pit_has_risen(&devices->pit[0], now))
		return;
	pic_set(devices->pic, IRQ_PIT, false);
	pic_set(devices->pic, IRQ_PIT, true);
}

/*
 * That the timer's output falls of itself is seen when it rises again: what is pending then does not depend on when
 * anybody has looked.
 */
void devices_run(struct pv_platform *platform, uint64_t now)
{
	struct pv_devices *devices = &platform->devices;

	run_timer(devices, now);
	uart_receive(&devices->uart, &platform->input);
	pic_set(devices->pic, IRQ_COM1, uart_interrupt(&devices->uart));
	pic_set(devices->pic, IRQ_CMOS, cmos_interrupt(&devices->cmos, now));
}

uint64_t devices_due(const struct pv_platform *platform)
{
	uint64_t timer = platform->devices.pit[0].next, clock = cmos_due(&platform->devices.cmos);

	return timer < clock ? timer : clock;
}

bool devices_interrupt(const struct pv_platform *platform)
{
	return pic_interrupt(platform->devices.pic);
}

uint8_t devices_acknowledge(struct pv_platform *platform)
{
	return pic_acknowledge(platform->devices.pic);
}

static uint8_t read_control(struct pv_devices *devices, uint64_t now)
{
	return (uint8_t)(devices->port_61 | (now / REFRESH_NS % 2 ? CONTROL_REFRESH : 0) |
			 (pit_output(&devices->pit[SPEAKER], now) ? CONTROL_OUTPUT : 0));
}

static uint8_t in_byte(struct pv_devices *devices, uint64_t now, uint16_t port)
{
	if (port >= PORT_COM1 && port < PORT_COM1 + UART_PORTS)
		return uart_in(&devices->uart, port - PORT_COM1);
	if (port >= PORT_PIT && port < PORT_PIT + PIT_PORTS)
		return pit_in(devices->pit, now, port - PORT_PIT);
	switch (port) {
	case PORT_PIC_1:
	case PORT_PIC_1 + 1:
	case PORT_PIC_2:
	case PORT_PIC_2 + 1:
	case PORT_ELCR:
	case PORT_ELCR + 1:
		return pic_in(devices->pic, port);
	case PORT_SYSTEM_CONTROL:
		return read_control(devices, now);
	case PORT_KEYBOARD:
		return KEYBOARD_STATUS;
	case PORT_CMOS:
	case PORT_CMOS + 1:
		return cmos_in(&devices->cmos, now, port - PORT_CMOS);
	case PORT_RESET_CONTROL:
		return devices->reset_control;
	default:
		return NOTHING;
	}
}

/* The transmitter is full for a moment: each byte that it sends is an interrupt of its own. */
static enum devices_exit transmitted(struct pv_devices *devices)
{
	devices->uart.thre_pending = 0;
	pic_set(devices->pic, IRQ_COM1, uart_interrupt(&devices->uart));
	devices->uart.thre_pending = 1;
	return DEVICES_CONSOLE;
}

static void write_control(struct pv_devices *devices, uint64_t now, uint8_t value)
{
	devices->port_61 = value & CONTROL_KEPT;
	pit_set_gate(&devices->pit[SPEAKER], now, value & CONTROL_GATE);
}

/* The CPU is reset when the bit becomes 1. */
static enum devices_exit write_reset_control(struct pv_devices *devices, uint8_t value)
{
	bool rises = value & ~devices->reset_control & RESET_CPU;

	devices->reset_control = value;
	return rises ? DEVICES_RESET : DEVICES_NONE;
}

static enum devices_exit out_byte(struct pv_devices *devices, uint64_t now, uint16_t port, uint8_t value)
{
	if (port >= PORT_COM1 && port < PORT_COM1 + UART_PORTS)
		return uart_out(&devices->uart, port - PORT_COM1, value) ? transmitted(devices) : DEVICES_NONE;
	if (port >= PORT_PIT && port < PORT_PIT + PIT_PORTS) {
		pit_out(devices->pit, now, port - PORT_PIT, value);
		pic_set(devices->pic, IRQ_PIT, pit_output(&devices->pit[0], now));
		return DEVICES_NONE;
	}
	switch (port) {
	case PORT_PIC_1:
	case PORT_PIC_1 + 1:
	case PORT_PIC_2:
	case PORT_PIC_2 + 1:
	case PORT_ELCR:
	case PORT_ELCR + 1:
		pic_out(devices->pic, port, value);
		break;
	case PORT_SYSTEM_CONTROL:
		write_control(devices, now, value);
		break;
	case PORT_KEYBOARD:
		return value == KEYBOARD_RESET ? DEVICES_RESET : DEVICES_NONE;
	case PORT_CMOS:
	case PORT_CMOS + 1:
		cmos_out(&devices->cmos, now, port - PORT_CMOS, value);
		break;
	case PORT_RESET_CONTROL:
		return write_reset_control(devices, value);
	default:
		break;
	}
	return DEVICES_NONE;
}

/* All of these devices are a byte wide: of a wider access the upper bytes go nowhere. */
uint32_t devices_in(struct pv_platform *platform, uint64_t now, uint16_t port, unsigned size)
{
	struct pv_devices *devices = &platform->devices;
	uint32_t nothing = size < 4 ? (1u << 8 * size) - 1 : UINT32_MAX, byte;

	devices_run(platform, now);
	byte = port == PORT_RESET_CONTROL && size > 1 ? NOTHING : in_byte(devices, now, port);
	devices_run(platform, now); /* registers whose reading has an effect */
	return (nothing & ~(uint32_t)NOTHING) | byte;
}

/* The bytes around the reset control are PCI's, by words of four. */
enum devices_exit devices_out(struct pv_platform *platform, uint64_t now, uint16_t port, unsigned size, uint32_t value)
{
	enum devices_exit ret = DEVICES_NONE;

	devices_run(platform, now);
	if (port != PORT_RESET_CONTROL || size == 1)
		ret = out_byte(&platform->devices, now, port, (uint8_t)value);
	devices_run(platform, now);
	return ret;
}
