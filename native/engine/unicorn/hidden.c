/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Unicorn's API does not show: CPL, and the exception in flight. Both are in
 * a saved context, a copy of the CPU state, at places that are found by patterns
 * written through registers that the API does show. Nothing is believed that does
 * not hold, in a new engine, the value it must have there.
 */
#include "engine/run/state.h"

#include <errno.h>
#include <string.h>

enum {
	/* From the first general register. */
	HFLAGS_BEHIND_REGS = 16 * 8 + 8 + 8 + 3 * 8 + 4 + 4, /* RIP, RFLAGS, lazy flags, DF */
	SEGMENTS_BEHIND_REGS = HFLAGS_BEHIND_REGS + 8,
	/* From the first debug register. */
	ERROR_CODE_BEFORE_DR = 16,
	IS_INT_BEFORE_DR = 12,
	OLD_EXCEPTION_BEHIND_DR = 8 * 8 + 4 * 8,

	HFLAGS_CPL = 3,
	HFLAGS_SHADOW = 1 << 3, /* interrupts are inhibited for an instruction */
	HFLAGS_64BIT = 1 << 7 | 1 << 14 | 1 << 15, /* protected mode, long mode, 64-bit code */

	SEGMENT_CS = 1,
	SEGMENT_SS = 2,
	SEGMENT_DPL = 3 << 13,
	NO_EXCEPTION = -1,
};

/* A cached segment descriptor as it lies in the context. */
struct cached_segment {
	uint32_t selector;
	uint32_t pad;
	uint64_t base;
	uint32_t limit;
	uint32_t flags;
};

static void *field(struct pv_engine *e, size_t offset)
{
	return (uint8_t *)e->context + offset;
}

static int32_t *int_field(struct pv_engine *e, size_t offset)
{
	return field(e, offset);
}

static struct cached_segment *segment_field(struct pv_engine *e, unsigned segment)
{
	return (struct cached_segment *)field(e, e->hidden.segments) + segment;
}

/* Writes a pattern to four consecutive registers, saves the context, looks for it,
 * and clears the registers. The offset, or 0. */
static size_t find_registers(struct pv_engine *e, const int regs[4], size_t behind)
{
	static const uint64_t pattern[4] = {
		0x7065726676705f30, 0x7065726676705f31, 0x7065726676705f32, 0x7065726676705f33,
	};
	size_t size = uc_context_size(e->uc), found = 0;

	for (int i = 0; i < 4; i++)
		reg_set(e, regs[i], pattern[i]);
	uc_context_save(e->uc, e->context);
	for (size_t at = ERROR_CODE_BEFORE_DR; !found && at + behind <= size; at += 8)
		if (!memcmp(field(e, at), pattern, sizeof(pattern)))
			found = at;
	for (int i = 0; i < 4; i++)
		reg_set(e, regs[i], 0);
	return found;
}

/* In a new engine: no exception, 64-bit mode at CPL 0, and CS where it was written. */
static bool believable(struct pv_engine *e)
{
	enum { MARK = 0x7070 };
	uint32_t hflags;
	bool marked;

	reg_set(e, UC_X86_REG_CS, MARK);
	uc_context_save(e->uc, e->context);
	hflags = (uint32_t)*int_field(e, e->hidden.hflags);
	marked = segment_field(e, SEGMENT_CS)->selector == MARK;
	reg_set(e, UC_X86_REG_CS, 0);
	return marked && (hflags & HFLAGS_64BIT) == HFLAGS_64BIT && !(hflags & HFLAGS_CPL) &&
	       *int_field(e, e->hidden.old_exception) == NO_EXCEPTION;
}

int hidden_calibrate(struct pv_engine *e)
{
	static const int general[4] = { UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX };
	static const int debug[4] = { UC_X86_REG_DR0, UC_X86_REG_DR1, UC_X86_REG_DR2, UC_X86_REG_DR3 };
	size_t regs, dr;

	if (uc_context_alloc(e->uc, &e->context))
		return -ENOMEM;
	regs = find_registers(e, general, SEGMENTS_BEHIND_REGS + 6 * sizeof(struct cached_segment));
	dr = find_registers(e, debug, OLD_EXCEPTION_BEHIND_DR + sizeof(int32_t));
	if (!regs || !dr)
		return -EOPNOTSUPP;
	e->hidden = (struct hidden_fields){
		.error_code = dr - ERROR_CODE_BEFORE_DR,
		.is_int = dr - IS_INT_BEFORE_DR,
		.old_exception = dr + OLD_EXCEPTION_BEHIND_DR,
		.hflags = regs + HFLAGS_BEHIND_REGS,
		.segments = regs + SEGMENTS_BEHIND_REGS,
	};
	return believable(e) ? 0 : -EOPNOTSUPP;
}

/* Unicorn takes an exception as in flight until it is told otherwise: without that,
 * the next page fault would become a double fault. */
void hidden_take_exception(struct pv_engine *e, uint32_t *error, bool *software)
{
	int32_t *old = int_field(e, e->hidden.old_exception);

	uc_context_save(e->uc, e->context);
	*error = (uint32_t)*int_field(e, e->hidden.error_code);
	*software = *int_field(e, e->hidden.is_int) != 0;
	if (*old != NO_EXCEPTION) {
		*old = NO_EXCEPTION;
		uc_context_restore(e->uc, e->context);
	}
}

void hidden_enter_kernel(struct pv_engine *e)
{
	struct cached_segment *ss = segment_field(e, SEGMENT_SS);

	uc_context_save(e->uc, e->context);
	*int_field(e, e->hidden.hflags) &= ~HFLAGS_CPL;
	segment_field(e, SEGMENT_CS)->flags &= ~(uint32_t)SEGMENT_DPL;
	ss->flags &= ~(uint32_t)SEGMENT_DPL;
	ss->selector = 0;
	uc_context_restore(e->uc, e->context);
	count_enter_cpl(e, PV_CPL_KERNEL);
}

bool hidden_is_64bit(struct pv_engine *e)
{
	uc_context_save(e->uc, e->context);
	return ((uint32_t)*int_field(e, e->hidden.hflags) & HFLAGS_64BIT) == HFLAGS_64BIT;
}

bool hidden_in_shadow(struct pv_engine *e)
{
	uc_context_save(e->uc, e->context);
	return *int_field(e, e->hidden.hflags) & HFLAGS_SHADOW;
}
