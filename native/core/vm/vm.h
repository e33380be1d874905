/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VM API: what the host process calls. Functions return 0 or a negative errno
 * (host errors; a guest's own mistakes never come out here) unless they say otherwise.
 * Host errors that happen while exits are served end the VM: see struct pv_vm_end.
 */
#ifndef PV_VM_H
#define PV_VM_H

#include "abi/run_page.h"
#include "core/trace/trace_record.h"

struct pv_vm;

/* What can be made to go wrong, by seed. */
enum pv_fault {
	PV_FAULT_TRYLOCK = 0, /* the NMI path loses the trylock */
	PV_FAULT_GUEST_WRITE, /* guest memory cannot be written at a sync */
	PV_FAULT_ALLOC,       /* an operation of the guest's gets no memory */
	PV_FAULT_DELAY,       /* a host thread is delayed while it holds a lock */
	PV_FAULTS,
};

/* Every capacity of the host side. Tests set them to 1. */
struct pv_vm_config {
	uint32_t vcpus;       /* 1..PV_MAX_VCPUS */
	uint32_t max_events;  /* KVM_PV_PERF_MAX_EVENTS in force for the guest, >= 1 */
	uint32_t counters;    /* hardware counters per vCPU, >= 1 */
	uint32_t hash_buckets; /* of the event table; 0: as many as max_events, up to 1048576 */
	uint32_t console_bytes; /* ring between vCPUs and front end; 0: the default */
	uint32_t rotate_us;   /* rotation interval; 0: the default (4000), see pmu.c */
	uint32_t poll_ns;     /* see pv_vm_page */
	uint32_t pin;         /* 1: vCPU k and its host thread share core k modulo cores */
	uint32_t pv_perf;     /* 0: the feature is switched off, KVM_PERF_OP gives -KVM_ENOSYS */
	uint32_t cycles_tsc;
	uint32_t hold_us;     /* how long a sync holds the vCPU's event_mutex beyond what it needs */
	uint32_t max_sample_rate; /* NMIs a second for one event, and for all clocks of a vCPU together, above which they are throttled; 0: no limit */
	uint32_t fault_permille[PV_FAULTS]; /* faults to inject, by kind: how many of 1000 */
	uint32_t trace_records; /* room for them in each ring of the trace, a power of 2; 0: nothing is traced */
	uint32_t trace_kinds; /* a bit for each enum pv_trace_kind that is */
	uint32_t poisson;     /* 1: overflows come at random distances, whose mean is the period; see spacing.h */
	uint64_t seed;        /* of the faults, and of the distances */
	const char *design;   /* "per-vm" */
	const char *nmi;      /* "trylock" */
	const char *sync;     /* "entry" */
	uint8_t *ram;         /* guest RAM, mapped shared */
	uint64_t ram_size;    /* bytes, a multiple of 4096 */
	uint64_t guest_ram_size; /* of them, what the guest knows of; the agent lies behind; 0: all */
	struct pv_vm_page *page;
	uint8_t *run_pages;   /* vcpus pages of PV_RUN_PAGE_SIZE */
	struct pv_platform *platform; /* NULL: bare guests */
	struct pv_jump boot;  /* entry of every vCPU; rdi is set to its index */
	struct pv_jump agent_start, agent_finish; /* rip 0: no agent; rsp and rdi are those of vCPU 0 */
	uint64_t agent_stack; /* distance from one vCPU's agent stack to the next */
};

enum pv_end_reason {
	PV_END_NONE = 0,      /* still running */
	PV_END_EXIT_PORT,     /* a vCPU wrote `status` to PV_PORT_EXIT */
	PV_END_ALL_HALTED,    /* every vCPU is parked and nothing can wake one within an hour */
	PV_END_SHUTDOWN,      /* triple fault on vCPU `vcpu` */
	PV_END_STOPPED,       /* vm_finish() */
	PV_END_VCPU_DIED,     /* vm_kill(): a vCPU's process is gone */
	PV_END_ENGINE_ERROR,  /* vCPU `vcpu`'s engine failed; `error` EOPNOTSUPP: the guest needs what it has not */
	PV_END_HOST_ERROR,    /* `error` is the errno; out of memory, an internal fault */
	PV_END_HOST_PANIC,    /* broken invariant, lock misuse: `text` names both sides */
};

struct pv_vm_end {
	uint32_t reason;
	int32_t status;  /* of the exit port, 0..255 */
	int32_t vcpu;    /* -1: none */
	int32_t error;   /* errno, or 0 */
	uint32_t agent_complete; /* 1: every vCPU ran the agent's finish */
	uint32_t pad;
	char text[512];
};

/* Accounting of one VM; free-running. */
struct pv_vm_statistics {
	uint64_t exits[PV_EXIT_REASONS];
	uint64_t hypercalls[KVM_PV_PERF_OP_MAX]; /* KVM_PERF_OP by op; 0: unknown ops */
	uint64_t other_hypercalls;
	uint64_t guest_errors;   /* negative results given to the guest */
	uint64_t kicks;          /* doorbells rung by the host */
	uint64_t rotations;
	uint64_t events_open, events_open_peak, events_opened; /* the guest's */
	uint64_t events_allocated; /* host events in memory, open or still referenced */
	uint64_t console_bytes;
	uint64_t guest_ns; /* from the first entry of the guest itself to the moment the end was asked for, and its last vCPU came out */
	uint64_t dropped_port_writes; /* to ports that nothing answers on */
	/* The ledger: raised = delivered + in_shadow, at every quiet point. What is still in the
	 * shadow when an event is closed is `dropped`, and in_shadow no more. What the law does
	 * not account for is lost; only `posted` may lose any. */
	uint64_t overflows_raised, overflows_delivered, overflows_in_shadow, overflows_dropped;
	int64_t overflows_lost;
	uint64_t nmi_raised;     /* times that the NMI path was entered for an event */
	uint64_t nmi_misses;     /* of them, those that lost the trylock */
	uint64_t nmi_injected;   /* marked for a vCPU at its entry */
	uint64_t syncs;          /* entries at which something was queued */
	uint64_t failed_syncs;   /* events whose guest memory could not be written */
	uint64_t throttled, unthrottled;
	uint64_t host_breakpoints; /* set on host addresses that a guest chose: `posted` alone does */
	uint64_t leaked_buffers; /* `posted` again */
	uint64_t quiet_points;   /* at which the guest had its ledger compared; see quiet.h */
	uint64_t trace_lost;     /* records that found no room in their ring */
};

/* Time that an event was enabled, and held a counter, in ns. */
struct pv_event_times {
	uint64_t enabled_ns, running_ns;
};

/* What one of the agent's events has counted so far. */
struct pv_agent_count {
	uint32_t attached; /* 0: it has not begun, or has ended, and nothing else is said */
	uint32_t pad;
	uint64_t value;
	struct pv_event_times times;
};

/* vm_create: the VM in *ret, or a negative errno: -EINVAL names the bad field in `why`. */
int vm_create(const struct pv_vm_config *config, struct pv_vm **ret, char *why, uint64_t why_size);
int vm_start(struct pv_vm *vm); /* starts a native thread per vCPU, and the timer's */
/* An eventfd that becomes readable when a vCPU enters its guest, and when there is console output or
 * the VM has ended; owned by the VM. */
int vm_event_fd(const struct pv_vm *vm);
int vm_entered(const struct pv_vm *vm); /* 1 once the guest itself has been entered, on any vCPU */
/* Up to `size` bytes of console output; 0 when there is none. Never blocks. */
uint64_t vm_console_read(struct pv_vm *vm, uint8_t *buffer, uint64_t size);
/* Asks for an orderly end: the agent's finish runs where there is one, then PV_END_STOPPED. Idempotent. */
void vm_finish(struct pv_vm *vm);
/* Ends the VM at once, whatever its vCPUs do. Idempotent. */
void vm_kill(struct pv_vm *vm, uint32_t reason, int32_t vcpu, int32_t error, const char *text);
/* PV_END_NONE while the VM runs. Complete once reason is set: every host thread has stopped serving. */
void vm_end(struct pv_vm *vm, struct pv_vm_end *ret);
/* 1 once a vCPU's host thread has told it to stop: its process exits in good order now. */
int vm_vcpu_stopped(const struct pv_vm *vm, uint32_t vcpu);
/* KVM_CHECK_EXTENSION: the event limit for KVM_CAP_PV_PERF (0 when switched off), 0 for what is not known. */
enum { KVM_CAP_PV_PERF = 0x5056 };
int64_t vm_check_extension(const struct pv_vm *vm, uint64_t capability);
/* Times of an event of the guest's, open or closed last under this id: -ENOENT if never opened. Of closed events
 * the last max_events are remembered; one that is just being closed is not found. Time that its
 * vCPU is in the agent does not count. -EIO after a host panic. */
int vm_event_times(struct pv_vm *vm, int32_t id, struct pv_event_times *ret);
/* The same of the agent's, all of which are remembered. */
int vm_agent_times(struct pv_vm *vm, int32_t id, struct pv_event_times *ret);
/*
 * The agent's PV_AGENT_MAX_EVENTS events on one vCPU, all at one moment and exact, while the VM runs: 1. 0: the vCPU has
 * been asked to come out of guest mode; once it has, the event fd becomes readable and a call brings what was counted
 * then. *guest_ns: that moment, from the guest's first entry on. -ESHUTDOWN: the VM's end has been asked for; what was read of other vCPUs since the call before may lack events.
 * -EINVAL without an agent.
 */
int vm_agent_counts(struct pv_vm *vm, uint32_t vcpu, struct pv_agent_count *ret, uint64_t *guest_ns);
void vm_statistics(struct pv_vm *vm, struct pv_vm_statistics *ret);
/* Takes up to `most` records out of one ring of the trace, oldest first, and returns how many; 0: there are none.
 * One thread reads. Where there is a trace, the calls of this API are one thread's, too. */
uint32_t vm_trace_read(struct pv_vm *vm, uint32_t ring, struct pv_trace_record *to, uint32_t most);
/* Joins the threads and frees everything; the VM must have ended, or never have been started.
 * -EBUSY otherwise. */
int vm_destroy(struct pv_vm *vm);


#endif
