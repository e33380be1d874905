/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU process and the host process share besides guest RAM: one run page
 * per vCPU (our kvm_run) and one VM page. Every cache line has one writer, named
 * in its comment; `handover.c` alone touches the words that pass control.
 */
#ifndef PV_RUN_PAGE_H
#define PV_RUN_PAGE_H

#include <stdint.h>

#include "kvm_pv_perf.h"

enum {
	PV_MAX_VCPUS = 64,
	PV_RUN_PAGE_SIZE = 4096,
};

/* Why a vCPU left guest mode. */
enum pv_exit_reason {
	PV_EXIT_NONE = 0,
	PV_EXIT_READY,     /* the engine is up; nothing has run yet */
	PV_EXIT_HYPERCALL, /* arg: RAX, RBX, RCX, RDX */
	PV_EXIT_IO_OUT,    /* arg: port, size in bytes, value */
	PV_EXIT_HLT,       /* RIP is behind the hlt */
	PV_EXIT_KICK,      /* the doorbell was seen between two blocks */
	PV_EXIT_OVERFLOW,  /* a counter has reached its alarm; between two blocks */
	PV_EXIT_SHUTDOWN,  /* triple fault or other end of the guest: arg: vector, error code, CR2; text */
	PV_EXIT_ERROR,     /* the engine itself failed: text */
	PV_EXIT_REASONS,
};

/* What the host tells the vCPU to do next. */
enum pv_entry_action {
	PV_ENTER_RESUME = 0, /* go on; a hypercall gets `rax` */
	PV_ENTER_JUMP,       /* load the `jump` state, then run: boot */
	PV_ENTER_AGENT,      /* the same on the agent's own CPU, for good: see agent.h */
	PV_ENTER_STOP,       /* leave engine_run() for good */
};

/* Counters that the engine keeps per vCPU, free-running, each split by CPL. */
enum pv_hw_counter {
	PV_COUNT_INSTRUCTIONS = 0,
	PV_COUNT_BRANCHES,
	PV_COUNT_CYCLES,
	PV_COUNT_GUEST_TSC, /* host time-stamp counter ticks spent in guest mode */
	PV_COUNTS_AT_EXIT,  /* an exiting instruction adds to these alone */

	/* These cost a hook at every access or branch, and stand still unless `wanted`. */
	PV_COUNT_L1D_LOADS = PV_COUNTS_AT_EXIT,
	PV_COUNT_L1D_LOAD_MISSES,
	PV_COUNT_L1D_STORES,
	PV_COUNT_CACHE_REFERENCES,
	PV_COUNT_CACHE_MISSES,
	PV_COUNT_BRANCH_MISSES,
	PV_COUNT_BREAKPOINT,        /* and those of the other breakpoint slots */
	PV_COUNTS = PV_COUNT_BREAKPOINT + 4,
	PV_BREAKPOINTS = PV_COUNTS - PV_COUNT_BREAKPOINT,
};
enum { PV_CPL_KERNEL = 0, PV_CPL_USER = 1, PV_CPLS = 2 };

/*
 * An alarm is a value of the sum of one counter over some privilege levels: once it is
 * reached, the vCPU leaves guest mode before the next block. Its number is that of the
 * counter times PV_ALARM_LEVELS, plus the levels: a bit each (1 << PV_CPL_*), less one.
 */
enum {
	PV_ALARM_LEVELS = 3,
	PV_ALARMS = PV_COUNTS * PV_ALARM_LEVELS,
};
_Static_assert(PV_ALARMS <= 64, "a bit each");

/* A guest address that is watched. It counts with PV_COUNT_BREAKPOINT + its slot. */
struct pv_breakpoint {
	uint64_t address;
	uint32_t length; /* bytes */
	uint32_t type;   /* PV_BP_* */
};

/* What an entry brings beside resuming: bits of pv_run.inject. */
enum {
	PV_INJECT_NMI = 1 << 0,       /* through the guest's IDT; waits for IRET if one is in service */
	PV_INJECT_AGENT_NMI = 1 << 1, /* the agent's: see agent.h */
};

/* The documented cycle model: a cycle an instruction, and these beside. */
enum {
	PV_CYCLES_LOCKED_OP = 18,
	PV_CYCLES_VM_EXIT = 1200, /* hypercall, I/O, HLT, CPUID; not a kick, which is no event of the guest's */
};

/* State loaded by PV_ENTER_JUMP and PV_ENTER_AGENT: CPL 0, interrupts off, flat 64-bit segments. */
struct pv_jump {
	uint64_t rip, rsp, rdi, rsi, rdx;
	gpa_t gdt;        /* PV_GDT_BYTES long */
	gpa_t page_table; /* CR3 */
	uint64_t pad;
};
enum { PV_GDT_BYTES = 64 };

/* Written by the side that waits. */
struct pv_waiter {
	uint32_t sleeps;  /* and wants to be woken */
	uint32_t poll_ns; /* how long it polls before it sleeps: see handover_poll_next() */
	uint32_t pad[14];
};

/* Written by whoever wants the vCPU out of guest mode; taken by the vCPU process. */
struct pv_bell {
	uint32_t rung;    /* futex word: PV_BELL_* */
	uint32_t listens; /* it sleeps until it rings */
};
enum {
	PV_BELL_HOST = 1 << 0, /* the vCPU has to exit */
	PV_BELL_VCPU = 1 << 1, /* another vCPU has left something for it */
};

struct pv_run {
	/* Written by the vCPU process, while it owns the CPU. */
	uint32_t exit_count; /* futex word: exits handed to the host so far */
	uint32_t exit_reason;
	uint32_t cpl;
	uint32_t together; /* 1: it shares its core with its host thread, and neither polls */
	uint64_t rip;
	uint64_t arg[4];
	uint64_t pad1;

	/* Written by the vCPU process, exact at every exit. The exiting instruction
	 * itself has not retired: `retire` is what it will add, at `cpl`, on entry, wherever
	 * the host sends the vCPU. */
	uint64_t count[PV_COUNTS][PV_CPLS];
	uint64_t retire[PV_COUNTS_AT_EXIT];

	/* Written by the host thread, while it owns the CPU. */
	uint32_t entry_count; /* futex word: equals exit_count once the vCPU may run */
	uint32_t action;
	uint64_t rax;
	uint32_t inject; /* PV_INJECT_*: for this entry alone */
	uint32_t wanted; /* a bit per counter: those that need hooks and are being counted */
	uint64_t armed;  /* a bit per alarm */
	uint64_t pad3[4];
	struct pv_jump jump;
	uint64_t alarm[PV_ALARMS]; /* of those armed */
	struct pv_breakpoint breakpoint[PV_BREAKPOINTS]; /* of those wanted */
	uint64_t pad8[6];

	/* Of a bare guest; on a platform bells are where vCPUs can ring each other's. */
	struct pv_bell bell;
	uint32_t pad4[14];

	struct pv_waiter host_waits, vcpu_waits;

	/* Written by the vCPU process: figures of the engine, and why it failed. */
	uint64_t blocks_decoded, exceptions, oracle_checks, oracle_differences;
	uint64_t locked_ops, locked_trapped; /* atomic operations; those of them for which the block was left */
	uint64_t stores_short; /* stores to pages with code, and first ones to others, that did not go Unicorn's slow way */
	uint64_t nmis;           /* delivered through the guest's IDT */
	uint64_t nmis_coalesced; /* came while one was latched already */
	uint64_t agent_nmis;
	char text[512];
};
_Static_assert(sizeof(struct pv_run) <= PV_RUN_PAGE_SIZE, "a run page is a page");
_Static_assert(__builtin_offsetof(struct pv_run, count) % 64 == 0, "line");
_Static_assert(__builtin_offsetof(struct pv_run, entry_count) % 64 == 0, "line");
_Static_assert(__builtin_offsetof(struct pv_run, jump) % 64 == 0, "line");
_Static_assert(__builtin_offsetof(struct pv_run, bell) % 64 == 0, "line");
_Static_assert(__builtin_offsetof(struct pv_run, host_waits) % 64 == 0, "line");
_Static_assert(__builtin_offsetof(struct pv_run, vcpu_waits) % 64 == 0, "line");
_Static_assert(__builtin_offsetof(struct pv_run, blocks_decoded) % 64 == 0, "line");

/* One per VM, in front of the run pages: written once before the vCPUs start, but for `ended`. */
struct pv_vm_page {
	uint32_t vcpus;
	uint32_t max_events;
	uint32_t counters;    /* hardware counters per vCPU */
	uint32_t pv_perf;     /* the ABI version that is offered; 0: the feature is switched off */
	uint32_t poll_ns;     /* how long either side may poll before it sleeps */
	uint32_t cycles_tsc;  /* 1: cycles come from the time-stamp counter */
	uint32_t pad0[10];
	uint32_t ended;       /* set by the host when the VM is over: nobody waits any more */
	uint32_t pad1[15];
};
_Static_assert(sizeof(struct pv_vm_page) == 128, "pv_vm_page");

#endif
