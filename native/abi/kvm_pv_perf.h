/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest ABI, version 2, of the paravirtual perf interface: the one place where
 * its numbers, structs and offsets are written. Guest C and host C include it;
 * Python gets the same text through the C preprocessor.
 *
 * Source: "para virt interface of perf to support kvm guest os statistics
 * collection in guest os", V2, kvm mailing list, June 2010, with the names that
 * the review of 3/5 asked for. That is version 1; version 2 adds OPEN2, and changes nothing.
 */
#ifndef KVM_PV_PERF_H
#define KVM_PV_PERF_H

#ifndef PV_ABI_TYPES
#define PV_ABI_TYPES
#include <stdint.h>
#endif

/* A guest physical address. A number on the host; guest_mem.c alone turns it into memory. */
typedef uint64_t gpa_t;

enum {
	KVM_PV_PERF_ABI_VERSION = 2,
	PV_BOOT_VERSION = 1, /* of pv_boot_info */

	/* Hypercall numbers (RAX). `vmcall` or `vmmcall`; RAX is the result. */
	KVM_PERF_OP = 3,
	KVM_HC_KICK_CPU = 5,

	/* Hypercall results that are not an errno of the operation. */
	KVM_EPERM = 1,
	KVM_ENOSYS = 1000,

	/* CPUID leaves. */
	KVM_CPUID_SIGNATURE = 0x40000000,
	KVM_CPUID_FEATURES = 0x40000001,
	KVM_CPUID_PV_PERF = 0x40000002, /* EAX limit, EBX counters, ECX ABI version */
	KVM_FEATURE_PV_PERF = 4,        /* bit of KVM_CPUID_FEATURES.EAX */

	/* Ports. Each byte written to the console's is the guest's output. A byte written to the exit port, by any
	 * vCPU, ends the VM and is its exit status as it stands, 0 to 255; of a wider OUT it is the lowest byte. */
	PV_PORT_CONSOLE = 0x3f8,
	PV_PORT_EXIT = 0xf4,

	/* Segment selectors of the GDT that the loader places. */
	PV_SELECTOR_CODE = 0x08,
	PV_SELECTOR_DATA = 0x10,
};

/* KVM_PERF_OP operations (RBX). Once CLOSE or DISABLE of an event has returned, no vCPU is injected an NMI for it. */
enum kvm_pv_perf_op {
	KVM_PV_PERF_OP_OPEN = 1,    /* RCX, RDX: low and high half of the gpa of a kvm_pv_perf_event_param */
	KVM_PV_PERF_OP_CLOSE = 2,   /* RCX: id, as in all that follow */
	KVM_PV_PERF_OP_ENABLE = 3,
	KVM_PV_PERF_OP_DISABLE = 4,
	KVM_PV_PERF_OP_READ = 5,
	KVM_PV_PERF_OP_OPEN2 = 6,   /* version 2: as OPEN, of a kvm_pv_perf_event_param2 */
	KVM_PV_PERF_OP_MAX = 7,
};

/* Guest errors; the guest sees the negative value (Linux numbers). */
enum {
	PV_ENOENT = 2,
	PV_EFAULT = 14,
	PV_EEXIST = 17,
	PV_EINVAL = 22,
	PV_ENOSPC = 28,
	PV_EOPNOTSUPP = 95,
};

/* Bits of kvm_pv_perf_attr.flags, in the order of Linux's perf_event_attr. */
enum {
	KVM_PV_PERF_DISABLED = 0,
	KVM_PV_PERF_INHERIT = 1,
	KVM_PV_PERF_PINNED = 2,
	KVM_PV_PERF_EXCLUSIVE = 3,
	KVM_PV_PERF_EXCLUDE_USER = 4,
	KVM_PV_PERF_EXCLUDE_KERNEL = 5,
	KVM_PV_PERF_EXCLUDE_HV = 6,
	KVM_PV_PERF_EXCLUDE_IDLE = 7,
	KVM_PV_PERF_FREQ = 10, /* sample_period is overflows a second: the host adapts the period */
	KVM_PV_PERF_ENABLE_ON_EXEC = 12,
	KVM_PV_PERF_FLAGS_KNOWN = 38, /* bits from here on are unknown: -EINVAL */
};

/* Bits of kvm_pv_perf_attr.read_format (Linux): what OPEN2 lets the host store beside the count. */
enum {
	KVM_PV_PERF_FORMAT_TOTAL_TIME_ENABLED = 1 << 0,
	KVM_PV_PERF_FORMAT_TOTAL_TIME_RUNNING = 1 << 1,
	KVM_PV_PERF_FORMAT_ID = 1 << 2,
	KVM_PV_PERF_FORMAT_GROUP = 1 << 3, /* a leader's alone */
};

/* kvm_pv_perf_attr.type, and the configs of each (Linux numbers). */
enum {
	PV_TYPE_HARDWARE = 0,
	PV_TYPE_SOFTWARE = 1,
	PV_TYPE_TRACEPOINT = 2,
	PV_TYPE_HW_CACHE = 3,
	PV_TYPE_RAW = 4,
	PV_TYPE_BREAKPOINT = 5,

	PV_HW_CPU_CYCLES = 0,
	PV_HW_INSTRUCTIONS = 1,
	PV_HW_CACHE_REFERENCES = 2,
	PV_HW_CACHE_MISSES = 3,
	PV_HW_BRANCH_INSTRUCTIONS = 4,
	PV_HW_BRANCH_MISSES = 5,
	PV_HW_BUS_CYCLES = 6,
	PV_HW_STALLED_FRONTEND = 7,
	PV_HW_STALLED_BACKEND = 8,
	PV_HW_REF_CPU_CYCLES = 9,
	PV_HW_MAX = 10,

	PV_SW_CPU_CLOCK = 0,
	PV_SW_TASK_CLOCK = 1,
	PV_SW_DUMMY = 9,
	PV_SW_MAX = 12,

	/* Architectural RAW encodings: event select | umask << 8 (Intel SDM vol. 3, 20.2.1). */
	PV_RAW_CPU_CYCLES = 0x003c,
	PV_RAW_REF_CPU_CYCLES = 0x013c,
	PV_RAW_INSTRUCTIONS = 0x00c0,
	PV_RAW_CACHE_REFERENCES = 0x4f2e,
	PV_RAW_CACHE_MISSES = 0x412e,
	PV_RAW_BRANCH_INSTRUCTIONS = 0x00c4,
	PV_RAW_BRANCH_MISSES = 0x00c5,

	/* HW_CACHE: cache | operation << 8 | result << 16. */
	PV_CACHE_L1D_LOADS = 0x00000,
	PV_CACHE_L1D_LOAD_MISSES = 0x10000,
	PV_CACHE_L1D_STORES = 0x00100,

	/* kvm_pv_perf_attr.bp_type: bits, as Linux has them. */
	PV_BP_R = 1,
	PV_BP_W = 2,
	PV_BP_X = 4,

	/* The largest sample_period; larger ones are malformed. */
	PV_PERIOD_BITS = 63,
};

struct kvm_pv_perf_attr {
	uint32_t type;
	uint32_t pad0;
	uint64_t config;
	uint64_t sample_period;
	uint64_t sample_type;
	uint64_t read_format;
	uint64_t flags;
	uint32_t bp_type;
	uint32_t pad1;
	uint64_t bp_addr;
	uint64_t bp_len;
};

/* In guest memory, 8-byte aligned. The host stores count and adds to overflows;
 * the guest takes overflows with an atomic exchange. */
struct kvm_pv_perf_event {
	uint64_t count;
	int32_t overflows;
	uint32_t pad;
};

struct kvm_pv_perf_event_param {
	gpa_t attr_addr;
	gpa_t guest_event_addr;
	int32_t id;
	uint32_t pad;
};

/*
 * What OPEN2 opens. Of these fields the host stores count and sequence, and those that the
 * read_format asks for, all at one moment: at READ and DISABLE, and when it adds to overflows.
 * To read them without a hypercall, read sequence, the fields, and sequence again: if it is odd
 * or has changed, the host has been writing meanwhile.
 */
struct kvm_pv_perf_member {
	uint64_t value;
	uint64_t id; /* FORMAT_ID */
};

struct kvm_pv_perf_event2 {
	uint64_t count;
	int32_t overflows;     /* as in version 1 */
	uint32_t sequence;     /* odd while the host writes */
	uint64_t time_enabled; /* ns: FORMAT_TOTAL_TIME_ENABLED */
	uint64_t time_running; /* ns: FORMAT_TOTAL_TIME_RUNNING */
	uint64_t id;           /* FORMAT_ID: no other event of this VM ever has it */
	uint64_t nr;           /* FORMAT_GROUP: how many members follow, the leader first */
	struct kvm_pv_perf_member member[];
};

/*
 * A group is a leader and the events that were opened with its id as `group`, while it was
 * stopped. They count all together or not at all: ENABLE and DISABLE of the leader are
 * the group's, and a sibling's are -EINVAL. A sibling that is closed leaves the group. When the
 * leader is closed the group is stopped, as by DISABLE, and its siblings are events of their own.
 */
struct kvm_pv_perf_event_param2 {
	gpa_t attr_addr;
	gpa_t guest_event_addr;
	uint32_t guest_event_bytes; /* room there: for what the read_format may need */
	int32_t id;
	int32_t group; /* the leader's id; -1: it leads its own */
	uint32_t reserved; /* 0 */
};

/*
 * All vCPUs start together at the ELF's entry: 64-bit mode, CPL 0, interrupts off, virtual
 * addresses identical to gpas, flat segments (PV_SELECTOR_*), no IDT, and no stack: RSP is 0.
 * RDI is the vCPU's index, RSI the gpa of the boot information, RDX its size.
 */
struct pv_boot_info {
	uint8_t magic[8]; /* "PVPERF01" */
	uint32_t version; /* PV_BOOT_VERSION */
	uint32_t vcpus;
	uint64_t ram_size; /* bytes */
	gpa_t command_line; /* NUL-terminated */
	gpa_t first_free;
};

#define PV_ABI_OFFSET(type, field, at) \
	_Static_assert(__builtin_offsetof(struct type, field) == (at), #type "." #field)
_Static_assert(sizeof(struct kvm_pv_perf_attr) == 72, "kvm_pv_perf_attr");
PV_ABI_OFFSET(kvm_pv_perf_attr, config, 8);
PV_ABI_OFFSET(kvm_pv_perf_attr, sample_period, 16);
PV_ABI_OFFSET(kvm_pv_perf_attr, sample_type, 24);
PV_ABI_OFFSET(kvm_pv_perf_attr, read_format, 32);
PV_ABI_OFFSET(kvm_pv_perf_attr, flags, 40);
PV_ABI_OFFSET(kvm_pv_perf_attr, bp_type, 48);
PV_ABI_OFFSET(kvm_pv_perf_attr, bp_addr, 56);
PV_ABI_OFFSET(kvm_pv_perf_attr, bp_len, 64);
_Static_assert(sizeof(struct kvm_pv_perf_event) == 16, "kvm_pv_perf_event");
PV_ABI_OFFSET(kvm_pv_perf_event, overflows, 8);
_Static_assert(sizeof(struct kvm_pv_perf_event_param) == 24, "kvm_pv_perf_event_param");
PV_ABI_OFFSET(kvm_pv_perf_event_param, guest_event_addr, 8);
PV_ABI_OFFSET(kvm_pv_perf_event_param, id, 16);
_Static_assert(sizeof(struct kvm_pv_perf_event2) == 48, "kvm_pv_perf_event2");
PV_ABI_OFFSET(kvm_pv_perf_event2, overflows, 8);
PV_ABI_OFFSET(kvm_pv_perf_event2, sequence, 12);
PV_ABI_OFFSET(kvm_pv_perf_event2, time_enabled, 16);
PV_ABI_OFFSET(kvm_pv_perf_event2, time_running, 24);
PV_ABI_OFFSET(kvm_pv_perf_event2, id, 32);
PV_ABI_OFFSET(kvm_pv_perf_event2, nr, 40);
PV_ABI_OFFSET(kvm_pv_perf_event2, member, 48);
_Static_assert(sizeof(struct kvm_pv_perf_member) == 16, "kvm_pv_perf_member");
_Static_assert(sizeof(struct kvm_pv_perf_event_param2) == 32, "kvm_pv_perf_event_param2");
PV_ABI_OFFSET(kvm_pv_perf_event_param2, guest_event_addr, 8);
PV_ABI_OFFSET(kvm_pv_perf_event_param2, guest_event_bytes, 16);
PV_ABI_OFFSET(kvm_pv_perf_event_param2, id, 20);
PV_ABI_OFFSET(kvm_pv_perf_event_param2, group, 24);
PV_ABI_OFFSET(kvm_pv_perf_event_param2, reserved, 28);
_Static_assert(sizeof(struct pv_boot_info) == 40, "pv_boot_info");

#endif
