/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/interposed/system.h"

#include <stddef.h>

#include "engine/interposed/access.h"
#include "engine/interposed/inside.h"

#define EXPORTED __attribute__((visibility("default")))

/* By their numbers in instructions, which is their order in Unicorn's state. */
enum { RAX, RCX, RDX };

static _Thread_local struct system_calls *now;

struct system_calls *system_now(void)
{
	return now;
}

EXPORTED struct system_calls *pv_system_of(struct system_calls *calls)
{
	struct system_calls *before = now;

	now = calls;
	return before;
}

static int ask(enum system_instruction what, uint64_t which, uint64_t *value)
{
	return now ? now->ask(now->owner, what, which, value) : SYSTEM_PASS;
}

/* The instruction whose code called there faults. */
static _Noreturn void fault(void *env, int vector, uintptr_t retaddr)
{
	typedef void raise_fn(void *env, int vector, int error, uintptr_t retaddr);
	static void *unicorns;

	((raise_fn *)inside_next(&unicorns, "raise_exception_err_ra_x86_64"))(env, vector, 0, retaddr);
	__builtin_unreachable();
}

/* True: nothing is left to do. */
static bool answered(void *env, int answer, uintptr_t retaddr)
{
	if (answer >= 0)
		fault(env, answer, retaddr);
	return answer == SYSTEM_DONE;
}

#define HERE ((uintptr_t)__builtin_return_address(0))
/* Unicorn's function of this name. */
#define NEXT(name) ((__typeof__(name) *)inside_next(&unicorns, #name))

EXPORTED void helper_rdmsr_x86_64(void *env);
void helper_rdmsr_x86_64(void *env)
{
	static void *unicorns;
	uint64_t *registers = env, value = 0;

	if (!answered(env, ask(SYSTEM_RDMSR, (uint32_t)registers[RCX], &value), HERE)) {
		NEXT(helper_rdmsr_x86_64)(env);
		return;
	}
	registers[RAX] = (uint32_t)value;
	registers[RDX] = value >> 32;
}

EXPORTED void helper_wrmsr_x86_64(void *env);
void helper_wrmsr_x86_64(void *env)
{
	static void *unicorns;
	const uint64_t *registers = env;
	uint64_t value = (uint32_t)registers[RAX] | registers[RDX] << 32;

	if (!answered(env, ask(SYSTEM_WRMSR, (uint32_t)registers[RCX], &value), HERE))
		NEXT(helper_wrmsr_x86_64)(env);
}

EXPORTED uint64_t helper_read_crN_x86_64(void *env, int number);
uint64_t helper_read_crN_x86_64(void *env, int number)
{
	static void *unicorns;
	uint64_t value = 0;

	if (answered(env, ask(SYSTEM_READ_CR, (uint64_t)number, &value), HERE))
		return value;
	return NEXT(helper_read_crN_x86_64)(env, number);
}

EXPORTED void helper_write_crN_x86_64(void *env, int number, uint64_t value);
void helper_write_crN_x86_64(void *env, int number, uint64_t value)
{
	static void *unicorns;

	if (!answered(env, ask(SYSTEM_WRITE_CR, (uint64_t)number, &value), HERE))
		NEXT(helper_write_crN_x86_64)(env, number, value);
}

EXPORTED uint64_t helper_get_dr_x86_64(void *env, int number);
uint64_t helper_get_dr_x86_64(void *env, int number)
{
	static void *unicorns;
	uint64_t value = 0;

	if (answered(env, ask(SYSTEM_READ_DR, (uint64_t)number, &value), HERE))
		return value;
	return NEXT(helper_get_dr_x86_64)(env, number);
}

EXPORTED void helper_set_dr_x86_64(void *env, int number, uint64_t value);
void helper_set_dr_x86_64(void *env, int number, uint64_t value)
{
	static void *unicorns;

	if (answered(env, ask(SYSTEM_WRITE_DR, (uint64_t)number, &value), HERE))
		return;
	NEXT(helper_set_dr_x86_64)(env, number, value);
	ask(SYSTEM_WROTE_DR, (uint64_t)number, &value);
}

EXPORTED void helper_rdtsc_x86_64(void *env);
void helper_rdtsc_x86_64(void *env)
{
	static void *unicorns;
	uint64_t *registers = env, value = 0;

	if (!answered(env, ask(SYSTEM_RDTSC, 0, &value), HERE)) {
		NEXT(helper_rdtsc_x86_64)(env);
		return;
	}
	registers[RAX] = (uint32_t)value;
	registers[RDX] = value >> 32;
}

EXPORTED void helper_rdtscp_x86_64(void *env);
void helper_rdtscp_x86_64(void *env)
{
	static void *unicorns;
	uint64_t *registers = env, value[2] = { 0 };

	if (!answered(env, ask(SYSTEM_RDTSCP, 0, value), HERE)) {
		NEXT(helper_rdtscp_x86_64)(env);
		return;
	}
	registers[RAX] = (uint32_t)value[0];
	registers[RDX] = value[0] >> 32;
	registers[RCX] = (uint32_t)value[1];
}

EXPORTED void helper_rdpmc_x86_64(void *env);
void helper_rdpmc_x86_64(void *env)
{
	static void *unicorns;
	uint64_t *registers = env, value = 0;

	if (!answered(env, ask(SYSTEM_RDPMC, (uint32_t)registers[RCX], &value), HERE)) {
		NEXT(helper_rdpmc_x86_64)(env);
		return;
	}
	registers[RAX] = (uint32_t)value;
	registers[RDX] = value >> 32;
}

EXPORTED void helper_xsetbv_x86_64(void *env, uint32_t number, uint64_t value);
void helper_xsetbv_x86_64(void *env, uint32_t number, uint64_t value)
{
	static void *unicorns;

	if (!answered(env, ask(SYSTEM_XSETBV, number, &value), HERE))
		NEXT(helper_xsetbv_x86_64)(env, number, value);
}

EXPORTED void helper_ldmxcsr_x86_64(void *env, uint32_t to);
void helper_ldmxcsr_x86_64(void *env, uint32_t to)
{
	static void *unicorns;
	uint64_t value = to;

	if (!answered(env, ask(SYSTEM_MXCSR, 0, &value), HERE))
		NEXT(helper_ldmxcsr_x86_64)(env, to);
}

/* For PUSHF, which does not show RF. */
EXPORTED uint64_t helper_read_eflags_x86_64(void *env);
uint64_t helper_read_eflags_x86_64(void *env)
{
	enum { RF = 1 << 16 };
	static void *unicorns;

	return NEXT(helper_read_eflags_x86_64)(env) & ~(uint64_t)RF;
}

/* Does any general register hold what is no canonical address? */
static bool has_odd_address(const uint64_t *registers)
{
	bool odd = false;

	for (unsigned i = 0; i < 16; i++)
		odd |= registers[i] >> 47 != 0 && registers[i] >> 47 != 0x1ffff;
	return odd;
}

/* What Unicorn asks of CR4 in front of an instruction: for rdfsbase and its like alone, FSGSBASE. */
EXPORTED void helper_cr4_testbit_x86_64(void *env, uint32_t bit);
void helper_cr4_testbit_x86_64(void *env, uint32_t bit)
{
	typedef bool restore_fn(void *cpu, uintptr_t retaddr, bool leaves);
	static void *unicorns, *restore;
	uint64_t value = 0;
	bool may_fault;

	if (!now) {
		NEXT(helper_cr4_testbit_x86_64)(env, bit);
		return;
	}
	may_fault = has_odd_address(env);
	if (may_fault)
		((restore_fn *)inside_next(&restore, "cpu_restore_state_x86_64"))((uint8_t *)env - INSIDE_STATE_BEHIND_CPU, HERE, false);
	answered(env, ask(SYSTEM_FS_GS, may_fault, &value), HERE);
}

/* Data breakpoints. Unicorn marks the entries of its TLB for pages of which the first says so, and calls the second for
 * accesses by those; its own do nothing. */
EXPORTED int cpu_watchpoint_address_matches_x86_64(void *cpu, uint64_t address, uint64_t bytes);
int cpu_watchpoint_address_matches_x86_64(void *cpu, uint64_t address, uint64_t bytes)
{
	(void)cpu;
	return now && now->watches ? now->watched(now->owner, address, bytes) : 0;
}

EXPORTED void cpu_check_watchpoint_x86_64(void *cpu, uint64_t address, uint64_t bytes, uint32_t attributes, int access,
					  uintptr_t retaddr);
void cpu_check_watchpoint_x86_64(void *cpu, uint64_t address, uint64_t bytes, uint32_t attributes, int access,
				 uintptr_t retaddr)
{
	(void)cpu;
	(void)attributes;
	(void)retaddr;
	if (!now || !now->watches)
		return;
	pv_access_within(&address, &bytes); /* of a load that is not aligned these are two that are */
	if (bytes)
		now->touched(now->owner, address, bytes, access & SYSTEM_WRITE);
}

/* A port of such a breakpoint may have been used. Unicorn's would leave a rep behind its first iteration. */
EXPORTED void helper_bpt_io_x86_64(void *env, uint32_t port, uint32_t bytes, uint64_t next_rip);
void helper_bpt_io_x86_64(void *env, uint32_t port, uint32_t bytes, uint64_t next_rip)
{
	static void *unicorns;

	if (now)
		now->touched_port(now->owner, port, bytes);
	else
		NEXT(helper_bpt_io_x86_64)(env, port, bytes, next_rip);
}
