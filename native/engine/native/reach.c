/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory for instructions that are executed natively, with the guest's permissions and faults. */
#include <string.h>

#include "engine/count/cpu.h"
#include "engine/count/held.h"
#include "engine/interposed/access.h"
#include "engine/interposed/fast_store.h"
#include "engine/interposed/inside.h"
#include "engine/native/native.h"

/* Unicorn's: finds the page, raises what there is to raise, and drops translations of what will be written. NULL: that is no
 * RAM. */
void *probe_access_x86_64(void *env, uint64_t address, int bytes, int access, int table, uintptr_t retaddr);
uint32_t cpu_ldub_mmuidx_ra_x86_64(void *env, uint64_t address, int table, uintptr_t retaddr);
void cpu_stb_mmuidx_ra_x86_64(void *env, uint64_t address, uint32_t value, int table, uintptr_t retaddr);
void cpu_loop_exit_noexc_x86_64(void *cpu) __attribute__((noreturn));

enum {
	PAGE = 4096,
	NOT_DIRTY = 1 << 10,
	TABLE_KERNEL = 0, TABLE_USER = 1, TABLE_KERNEL_ANY = 2,
	HFLAGS_CPL = 3, HFLAGS_SMAP = 1 << 23, RFLAGS_AC = 1 << 18,
	PROBE_READ = 0, PROBE_WRITE = 1,
};

static struct inside_state *state_of(const struct native *native)
{
	return native->translation.env;
}

static int table_of(const struct inside_state *state)
{
	if ((state->hflags & HFLAGS_CPL) == HFLAGS_CPL)
		return TABLE_USER;
	return !(state->hflags & HFLAGS_SMAP) || state->rflags & RFLAGS_AC ? TABLE_KERNEL_ANY : TABLE_KERNEL;
}

/* Nothing answers there: the guest ends as it does by a load or store of Unicorn's. */
static __attribute__((noreturn)) void reach_nothing(struct native *native, uint64_t address, bool write, int table,
						    uintptr_t retaddr)
{
	if (write)
		cpu_stb_mmuidx_ra_x86_64(native->translation.env, address, 0, table, retaddr);
	else
		cpu_ldub_mmuidx_ra_x86_64(native->translation.env, address, table, retaddr);
	cpu_loop_exit_noexc_x86_64((uint8_t *)native->translation.env - INSIDE_STATE_BEHIND_CPU);
}

/* May be written without asking Unicorn, which would look for translated code in all of the page? */
static bool holds_no_code(const struct native *native, const uint8_t *at, uint32_t bytes)
{
	const struct fast_stores *stores = &native->cpu->stores.fast;
	uint64_t offset = (uint64_t)(at - stores->ram), lines;

	if (!stores->on || offset >= stores->size)
		return false;
	lines = stores->code_lines[offset / PAGE];
	for (uint64_t line = offset / CODE_LINE; lines && line <= (offset + bytes - 1) / CODE_LINE; line++)
		if (lines >> line % (PAGE / CODE_LINE) & 1)
			return false;
	return true;
}

/* Within a page, as Unicorn's translated code finds it. NULL: it is to be asked. */
static inline uint8_t *reach_known(const struct native *native, uint64_t address, uint32_t bytes, bool write)
{
	struct inside_state *state = state_of(native);
	const struct inside_table *tlb = &inside_tlb_of(state)->table[table_of(state)];
	const struct inside_entry *entry =
		(const void *)((const uint8_t *)tlb->entries + (address / PAGE * sizeof(struct inside_entry) & tlb->mask));
	uint64_t page = address / PAGE * PAGE, known = write ? entry->write : entry->read;
	uint8_t *at = (uint8_t *)(address + entry->addend);

	if (known == page || (write && known == (page | NOT_DIRTY) && holds_no_code(native, at, bytes)))
		return at;
	return NULL;
}

/* Within a page. */
static uint8_t *reach(struct native *native, uint64_t address, uint32_t bytes, bool write, uintptr_t retaddr)
{
	uint8_t *at = reach_known(native, address, bytes, write);
	int table;

	if (at)
		return at;
	table = table_of(state_of(native));
	pv_access_note(address, bytes);
	at = probe_access_x86_64(state_of(native), address, (int)bytes, write ? PROBE_WRITE : PROBE_READ, table, retaddr);
	if (!at)
		reach_nothing(native, address, write, table, retaddr);
	return at;
}

/* What hooks of memory would have been told, had Unicorn made the access. */
static __attribute__((noinline, cold)) void note(struct native *native, const struct reached *reached, unsigned access,
							   const struct reaching *by)
{
	uint32_t all = by->accessed ? by->accessed : reached->bytes, at = 0, bytes = reached->first < all ? reached->first : all;

	for (unsigned i = 0; i < 2 && bytes; i++, at += bytes, bytes = all - bytes) {
		struct held_piece piece = {
			(uint64_t)(reached->part[i] - native->cpu->config.ram), reached->address + at, bytes, false, true,
		};

		if (access & X86_READ)
			held_access(native->cpu, by->op->address, &piece);
		piece.write = true;
		if (access & X86_WRITE)
			held_access(native->cpu, by->op->address, &piece);
	}
}

static void reach_both(struct native *native, struct reached *reached, uint32_t here, uintptr_t retaddr)
{
	uint64_t address = reached->address;
	uint32_t rest = reached->bytes - here;

	reached->first = here;
	reached->part[0] = reach(native, address, here, reached->write, retaddr);
	reached->part[1] = reach(native, address + here, rest, reached->write, retaddr);
	reached->part[0] = reach(native, address, here, reached->write, retaddr); /* the second may have taken the first's place */
	reached->at = reached->part[0];
	if (reached->part[1] == reached->part[0] + here)
		return;
	reached->at = native->bounce + address % 64;
	memcpy(reached->at, reached->part[0], here);
	memcpy(reached->at + here, reached->part[1], rest);
}

static __attribute__((noinline)) void reach_slowly(struct native *native, struct reached *reached, uint64_t address,
						   uint32_t bytes, unsigned access, const struct reaching *by)
{
	uint32_t here = PAGE - (uint32_t)(address % PAGE);
	bool write = access & X86_WRITE;

	*reached = (struct reached){ .address = address, .bytes = bytes, .first = bytes, .write = write };
	if (bytes <= here)
		reached->at = reached->part[0] = reach(native, address, bytes, write, by->retaddr);
	else
		reach_both(native, reached, here, by->retaddr);
	if (native->cpu->hooks.memory)
		note(native, reached, access, by);
}

void native_reach(struct native *native, struct reached *reached, uint64_t address, uint32_t bytes, unsigned access,
		  const struct reaching *by)
{
	uint8_t *at = NULL;

	if (__builtin_expect(address % PAGE + bytes <= PAGE && !native->cpu->hooks.memory, 1))
		at = reach_known(native, address, bytes, access & X86_WRITE);
	if (__builtin_expect(!at, 0)) {
		reach_slowly(native, reached, address, bytes, access, by);
		return;
	}
	reached->at = at;
	reached->address = address;
	reached->write = false;
}

void native_reached(struct reached *reached)
{
	if (!reached->write || reached->at == reached->part[0])
		return;
	memcpy(reached->part[0], reached->at, reached->first);
	memcpy(reached->part[1], reached->at + reached->first, reached->bytes - reached->first);
}

uint64_t native_address(const struct native *native, const struct native_op *op, uint64_t more)
{
	const struct inside_state *state = state_of(native);
	uint64_t address = x86_address(&op->insn, state->gpr, op->address, more);

	return op->insn.segment == X86_NONE ? address : address + state->segment[op->insn.segment].base;
}
