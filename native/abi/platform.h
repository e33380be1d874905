/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PC platform, as far as Linux asks for one: what the vCPU processes of a VM share of it, between the run pages and RAM.
 * A bare guest has none. The state of a vCPU's local APIC is its own, in its process; its IRR alone is here, where others
 * set bits of it (an IPI) and ring its doorbell then. The devices are touched under `lock` alone, by whichever vCPU
 * executes the in or out; `input` is written by the host process.
 */
#ifndef PV_PLATFORM_H
#define PV_PLATFORM_H

#include <stdint.h>

#include "run_page.h"

enum {
	PV_PLATFORM_BYTES = 16384, /* of the VM's segment */
	PV_CONSOLE_INPUT = 4096,   /* bytes, a power of 2 */
};

/* What others want of a vCPU. Anybody sets bits; the vCPU takes them. */
struct pv_ipi {
	uint64_t irr[4]; /* a bit per vector */
	uint32_t nmi;
	uint32_t pad[7];
};
_Static_assert(sizeof(struct pv_ipi) == 64, "a line of its own");

/* 8250, as far as drivers of a 16550A ask: COM1, IRQ 4. */
struct pv_uart {
	uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
	uint8_t thre_pending; /* the interrupt of an empty transmitter was not yet read from IIR */
};

/* Two 8259A, the second at IRQ 2 of the first. */
struct pv_pic {
	uint8_t irr, imr, isr, icw2, icw_step, icw4, read_isr, level;
	uint8_t auto_eoi, special_mask, poll, init4;
	uint32_t pad;
};

/* 8254: a channel. Times are the guest's clock, ns. */
struct pv_pit_channel {
	uint32_t reload;
	uint16_t latched, written;
	uint8_t mode, access, read_high, write_high, has_latch, gate, status, has_status;
	uint64_t started;  /* when it was loaded */
	uint64_t next;     /* when its interrupt is due; UINT64_MAX: never */
};

/* Written by the host process, but for `taken`; the UART's receiver takes it. */
struct pv_console_input {
	uint32_t put; /* bytes so far */
	uint32_t pad0[15];
	uint32_t taken; /* by the vCPUs, under the devices' lock */
	uint32_t pad1[15];
	uint8_t bytes[PV_CONSOLE_INPUT];
};

struct pv_devices {
	uint32_t lock; /* 0: free; else the vCPU that holds it, plus 1 */
	uint8_t cmos_index, port_61;
	uint8_t pad[2];
	struct pv_uart uart;
	struct pv_pic pic[2];
	struct pv_pit_channel pit[3];
};

struct pv_platform {
	struct pv_ipi ipi[PV_MAX_VCPUS];
	struct pv_console_input input;
	struct pv_devices devices;
};
_Static_assert(sizeof(struct pv_platform) <= PV_PLATFORM_BYTES, "pages of its own");

#endif
