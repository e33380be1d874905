/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All of it is in a saved context, a copy of the CPU state, at places that are found by patterns
 * written through registers that the API does show. Nothing is believed that does
 * not hold, in a new engine, the value it must have there.
 */
#include "engine/unicorn/hidden.h"

#include <errno.h>
#include <string.h>

#include "engine/interposed/inside.h"
#include "engine/unicorn/registers.h"

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

static void *field(struct hidden *hidden, size_t offset)
{
	return (uint8_t *)hidden->context + offset;
}

static int32_t *int_field(struct hidden *hidden, size_t offset)
{
	return field(hidden, offset);
}

static struct cached_segment *segment_field(struct hidden *hidden, unsigned segment)
{
	return (struct cached_segment *)field(hidden, hidden->segments) + segment;
}

/* Writes a pattern to four consecutive registers, saves the context, looks for it,
 * and clears the registers. The offset, or 0. */
static size_t find_registers(struct hidden *hidden, const int regs[4], size_t behind)
{
	static const uint64_t pattern[4] = {
		0x7065726676705f30, 0x7065726676705f31, 0x7065726676705f32, 0x7065726676705f33,
	};
	size_t size = uc_context_size(hidden->uc), found = 0;

	for (int i = 0; i < 4; i++)
		reg_set(hidden->uc, regs[i], pattern[i]);
	uc_context_save(hidden->uc, hidden->context);
	for (size_t at = ERROR_CODE_BEFORE_DR; !found && at + behind <= size; at += 8)
		if (!memcmp(field(hidden, at), pattern, sizeof(pattern)))
			found = at;
	for (int i = 0; i < 4; i++)
		reg_set(hidden->uc, regs[i], 0);
	return found;
}

/* In a new engine: no exception, 64-bit mode at CPL 0, and CS where it was written. */
static bool believable(struct hidden *hidden)
{
	enum { MARK = 0x7070 };
	uint32_t hflags;
	bool marked;

	reg_set(hidden->uc, UC_X86_REG_CS, MARK);
	uc_context_save(hidden->uc, hidden->context);
	hflags = (uint32_t)*int_field(hidden, hidden->hflags);
	marked = segment_field(hidden, SEGMENT_CS)->selector == MARK;
	reg_set(hidden->uc, UC_X86_REG_CS, 0);
	return marked && (hflags & HFLAGS_64BIT) == HFLAGS_64BIT && !(hflags & HFLAGS_CPL) &&
	       *int_field(hidden, hidden->old_exception) == NO_EXCEPTION;
}

int hidden_calibrate(struct hidden *hidden, uc_engine *uc)
{
	static const int general[4] = { UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX };
	static const int debug[4] = { UC_X86_REG_DR0, UC_X86_REG_DR1, UC_X86_REG_DR2, UC_X86_REG_DR3 };
	size_t regs, dr;

	*hidden = (struct hidden){ .uc = uc };
	if (uc_context_alloc(uc, &hidden->context))
		return -ENOMEM;
	regs = find_registers(hidden, general, SEGMENTS_BEHIND_REGS + 6 * sizeof(struct cached_segment));
	dr = find_registers(hidden, debug, OLD_EXCEPTION_BEHIND_DR + sizeof(int32_t));
	if (!regs || !dr)
		return -EOPNOTSUPP;
	hidden->error_code = dr - ERROR_CODE_BEFORE_DR;
	hidden->is_int = dr - IS_INT_BEFORE_DR;
	hidden->old_exception = dr + OLD_EXCEPTION_BEHIND_DR;
	hidden->hflags = regs + HFLAGS_BEHIND_REGS;
	hidden->segments = regs + SEGMENTS_BEHIND_REGS;
	return believable(hidden) ? 0 : -EOPNOTSUPP;
}

void hidden_destroy(struct hidden *hidden)
{
	if (hidden->context)
		uc_context_free(hidden->context);
}

/* Unicorn takes an exception as in flight until it is told otherwise: without that,
 * the next page fault would become a double fault. */
void hidden_take_exception(struct hidden *hidden, uint32_t *error, bool *software)
{
	int32_t *old = int_field(hidden, hidden->old_exception);

	uc_context_save(hidden->uc, hidden->context);
	*error = (uint32_t)*int_field(hidden, hidden->error_code);
	*software = *int_field(hidden, hidden->is_int) != 0;
	if (*old != NO_EXCEPTION) {
		*old = NO_EXCEPTION;
		uc_context_restore(hidden->uc, hidden->context);
	}
}

/* A context holds what helpers are handed as the CPU, from some place on. */
bool hidden_is_software(const struct hidden *hidden)
{
	const uint8_t *state = ((uint8_t **)(void *)hidden->uc)[INSIDE_CPU] + INSIDE_STATE_BEHIND_CPU;
	int32_t ret;

	memcpy(&ret, state + offsetof(struct inside_state, hflags) + hidden->is_int - hidden->hflags, sizeof(ret));
	return ret;
}

void hidden_enter_kernel(struct hidden *hidden)
{
	struct cached_segment *ss = segment_field(hidden, SEGMENT_SS);

	uc_context_save(hidden->uc, hidden->context);
	*int_field(hidden, hidden->hflags) &= ~HFLAGS_CPL;
	segment_field(hidden, SEGMENT_CS)->flags &= ~(uint32_t)SEGMENT_DPL;
	ss->flags &= ~(uint32_t)SEGMENT_DPL;
	ss->selector = 0;
	uc_context_restore(hidden->uc, hidden->context);
}

bool hidden_is_64bit(struct hidden *hidden)
{
	uc_context_save(hidden->uc, hidden->context);
	return ((uint32_t)*int_field(hidden, hidden->hflags) & HFLAGS_64BIT) == HFLAGS_64BIT;
}

bool hidden_in_shadow(struct hidden *hidden)
{
	uc_context_save(hidden->uc, hidden->context);
	return *int_field(hidden, hidden->hflags) & HFLAGS_SHADOW;
}
