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
	uint32_t startup; /* PV_IPI_INIT, PV_IPI_STARTUP with its vector: not taken yet */
	struct pv_bell bell;
	uint32_t awake;  /* 0: in hlt, or before its STARTUP; with `deadline` under the clock's lock */
	uint32_t pad;
	uint64_t deadline; /* of what is due for it next; UINT64_MAX: nothing */
};
enum { PV_IPI_STARTUP = 1 << 8, PV_IPI_INIT = 1 << 9 };
_Static_assert(sizeof(struct pv_ipi) == 64, "a line of its own");

/* 16550A: COM1, IRQ 4. */
struct pv_uart {
	uint8_t ier, lcr, mcr, scr, fcr, dll, dlm;
	uint8_t thre_pending; /* the interrupt of an empty transmitter was not yet read from IIR */
	uint8_t overrun;      /* until LSR is read */
	uint8_t msr_delta;    /* until MSR is read */
	uint8_t first, count; /* of the receiver's FIFO */
	uint8_t fifo[16];
};

/* 8259A; the second one is at IRQ 2 of the first. A bit for each input, or a flag, but for `base` and `lowest`. */
struct pv_pic {
	uint8_t line;     /* the inputs as they are */
	uint8_t edge;     /* those that have risen since they were acknowledged, and have not fallen */
	uint8_t imr, isr;
	uint8_t elcr;     /* inputs that are level triggered */
	uint8_t all_level, single, needs_icw4, auto_eoi, special_nested; /* ICW1, ICW4 */
	uint8_t base;     /* ICW2 */
	uint8_t expected; /* ICW that comes next; 0: initialised */
	uint8_t rotate_auto_eoi, special_mask, read_isr, poll; /* OCW2, OCW3 */
	uint8_t lowest;   /* the input of the lowest priority */
	uint8_t pad[7];
};

/* 8254: a channel. Times are ticks of its clock since the guest's was 0, but for `next`. */
struct pv_pit_channel {
	uint64_t started;   /* when `count` was loaded */
	uint64_t stopped;   /* the gate is low: the ticks that it had counted by then */
	uint64_t switch_at; /* when `reload` takes the place of `count` */
	uint64_t next;      /* when its output rises next, ns; UINT64_MAX: not of itself */
	uint32_t count;     /* what it counts down from, 1 to 65536 */
	uint32_t reload;    /* written last */
	uint8_t mode, access, bcd, gate;
	uint8_t counting;   /* `count` has been loaded */
	uint8_t pending;    /* `reload` has not: counting down meanwhile, or waiting for the gate to rise */
	uint8_t low, has_low, read_high; /* of a count's two bytes */
	uint8_t status, has_status, latched_bytes;
	uint16_t latched;
	uint8_t pad[2];
};

/* MC146818 and its RAM. */
struct pv_cmos {
	int64_t epoch; /* s from 1 January 1970 to when the guest's clock was 0 */
	uint64_t seen; /* flags of register C are up to then, ns */
	uint8_t index;
	uint8_t pad[7];
	uint8_t bytes[128];
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
	uint8_t port_61, reset_control, pad[2];
	struct pv_uart uart;
	struct pv_pic pic[2];
	struct pv_pit_channel pit[3];
	struct pv_cmos cmos;
};

/*
 * The clock of a VM with several vCPUs, ns: that of the one which has got furthest, each of which counts its own
 * instructions. Where nobody executes any, it goes on to what is due next.
 */
struct pv_guest_clock {
	uint64_t now;
	uint64_t pad0[7];
	uint64_t next; /* what is due first, of vCPUs that are asleep */
	uint32_t lock; /* 0: free; else the vCPU that holds it, plus 1 */
	uint32_t awake;
	uint64_t pad1[6];
};

struct pv_platform {
	struct pv_guest_clock clock;
	struct pv_ipi ipi[PV_MAX_VCPUS];
	struct pv_console_input input;
	struct pv_devices devices;
};
_Static_assert(sizeof(struct pv_platform) <= PV_PLATFORM_BYTES, "pages of its own");

#endif
