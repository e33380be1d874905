/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the one known release of Unicorn keeps what its API does not show. Who uses this finds out first whether it is so. */
#ifndef PV_INSIDE_H
#define PV_INSIDE_H

#include <stddef.h>
#include <stdint.h>

enum {
	INSIDE_RELEASE = 2 << 24 | 1 << 16 | 4 << 8 | 255, /* 2.1.4, as uc_version() says it */
	INSIDE_CPU = 55,              /* the CPU's address among the words of a uc_struct */
	INSIDE_STATE_BEHIND_CPU = 0x8a50, /* what helpers are handed as the CPU: CPUX86State */
	INSIDE_COUNTER_BYTES = 16,    /* between the TLB and that */
	INSIDE_TABLES = 3,            /* of a TLB: one for each kind of privilege */
	INSIDE_VICTIMS = 8,
};

/* A translation, before it is made: TranslationBlock. */
struct inside_block {
	uint64_t address, cs_base;
	uint32_t flags;
	uint16_t size, instructions; /* once it is made */
	uint64_t unknown;
	uintptr_t code; /* where it will lie */
};

/* What helpers are handed as the CPU: CPUX86State, as far as it is known. */
struct inside_state {
	uint64_t gpr[16];
	uint64_t rip, rflags; /* without the arithmetic flags and DF */
	uint64_t cc_result, cc_flags /* if CC_EFLAGS says so */, cc_source2;
	uint32_t cc_kind;
	int32_t df;
	uint32_t hflags, hflags2;
	struct inside_segment { uint32_t selector, pad; uint64_t base; uint32_t limit, flags; } segment[6], ldt, tr, gdt, idt;
	uint64_t cr[5];
	uint8_t unknown1[0x25c - 0x1d0];
	uint32_t x87_top;
	uint16_t x87_status /* without TOP */, x87_control;
	uint8_t x87_empty[8]; /* by physical register */
	uint8_t unknown2[4];
	struct inside_x87 { uint64_t significand; uint16_t exponent, pad[3]; } x87[8];
	uint16_t x87_opcode, x87_cs, x87_ds;
	uint16_t unknown3;
	uint64_t x87_ip, x87_dp;
	uint8_t unknown4[0x330 - 0x308];
	uint32_t mxcsr, unknown5;
	uint8_t vector[32][64];
	uint8_t unknown6[0x1328 - 0xb38];
	uint64_t xcr0;
};

_Static_assert(offsetof(struct inside_state, cr) == 0x1a8 && offsetof(struct inside_state, x87_top) == 0x25c &&
	       offsetof(struct inside_state, x87) == 0x270 && offsetof(struct inside_state, x87_opcode) == 0x2f0 &&
	       offsetof(struct inside_state, x87_ip) == 0x2f8 && offsetof(struct inside_state, mxcsr) == 0x330 &&
	       offsetof(struct inside_state, vector) == 0x338 && offsetof(struct inside_state, xcr0) == 0x1328,
	       "as in that release");

/* CPUTLBEntry: addresses as the guest's, with flags; all ones: none. */
struct inside_entry {
	uint64_t read, write, code, gpa, addend, unused[3];
};

/* CPUTLB, which lies in front of the state. */
struct inside_tlb {
	uint16_t dirty; /* tables that are not empty */
	uint64_t flushes, partly_flushed, not_flushed;
	struct inside_description {
		uint64_t large_page, large_page_mask;
		int64_t window_begin;
		uint64_t window_most, used, next_victim;
		struct inside_entry victim[INSIDE_VICTIMS];
		uint64_t victim_more[INSIDE_VICTIMS][2];
		uint64_t (*more)[2]; /* of each entry */
	} description[INSIDE_TABLES];
	struct inside_table {
		uint64_t mask; /* of an entry's offset */
		struct inside_entry *entries;
	} __attribute__((aligned(16))) table[INSIDE_TABLES];
};

_Static_assert(sizeof(struct inside_entry) == 64, "as in that release");
_Static_assert(sizeof(struct inside_description) == 696, "as in that release");
_Static_assert(sizeof(struct inside_tlb) == 2176, "as in that release");

/* Unicorn's own function of this name, in front of which another one is found; kept in *known. */
void *inside_next(void **known, const char *name);

static inline struct inside_tlb *inside_tlb_of(void *state)
{
	return (struct inside_tlb *)(void *)((uint8_t *)state - INSIDE_COUNTER_BYTES) - 1;
}

#endif
