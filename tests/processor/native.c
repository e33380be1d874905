/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each piece on the processor that this runs on, which steps it by itself (TF): a line with how often the instruction at
 * each offset has retired, and what it has left behind. Shares nothing with the engine: that an instruction has retired is what
 * the processor's trap behind it says, and that it has not, the fault in front of it.
 */
#include "processor.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { RFLAGS_TF = 1 << 8, CODE_MOST = 1 << 20, PIECE_LIMIT = 1000000 };

uint8_t processor_steps = 1;

static uint32_t retired[CODE_MOST]; /* by offset, in this piece */
static uint64_t at;                 /* what is executed now */
static uint64_t steps;

static bool is_code(uint64_t rip)
{
	return rip - (uint64_t)processor_code < (uint64_t)(processor_code_end - processor_code);
}

/* Where the opcode lies behind the prefixes that pieces have. */
static const uint8_t *opcode_of(const uint8_t *code, bool *rep)
{
	for (*rep = false;; code++) {
		if (*code == 0xf2 || *code == 0xf3)
			*rep = true;
		else if (*code != 0x66 && *code != 0x67 && (*code & 0xf0) != 0x40)
			return code;
	}
}

/* A rep-prefixed string instruction steps once for each iteration. */
static bool repeats(uint64_t rip)
{
	bool rep;
	const uint8_t *opcode = opcode_of((const uint8_t *)rip, &rep);

	return rep && ((*opcode >= 0xa4 && *opcode <= 0xa7) || (*opcode >= 0xaa && *opcode <= 0xaf));
}

/* int3, int 3 and int1 raise the same signal as a step, and no step follows. */
static bool traps(uint64_t rip)
{
	bool rep;
	const uint8_t *opcode = opcode_of((const uint8_t *)rip, &rep);

	return *opcode == 0xcc || *opcode == 0xf1 || (*opcode == 0xcd && opcode[1] == 3);
}

static void retire(void)
{
	if (is_code(at))
		retired[at - (uint64_t)processor_code]++;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t rip = (uint64_t)regs[REG_RIP];
	bool step = number == SIGTRAP && !(is_code(at) && traps(at));

	(void)info;
	if (++steps > PIECE_LIMIT)
		abort();
	if (rip != at || (step && !repeats(at)))
		retire();
	if (!step) {
		regs[REG_RIP] = regs[REG_R14];
		regs[REG_RSP] = regs[REG_R15];
	}
	at = (uint64_t)regs[REG_RIP];
	if (at == (uint64_t)processor_behind)
		regs[REG_EFL] &= ~(greg_t)RFLAGS_TF;
	else
		regs[REG_EFL] |= RFLAGS_TF;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	static uint8_t stack[1 << 16];
	const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (sigaltstack(&own, NULL))
		abort();
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], &action, NULL))
			abort();
}

static void run(uint64_t piece, uint8_t *data)
{
	uint64_t registers[PROCESSOR_REGISTERS];

	memset(retired, 0, sizeof(retired));
	processor_fill(data);
	at = steps = 0;
	processor_enter(processor_pieces[piece], data, registers);
	printf("%llu ", (unsigned long long)piece);
	for (unsigned i = 0; i < CODE_MOST; i++)
		if (retired[i])
			printf("%x:%u,", i, retired[i]);
	printf(" %llx\n", (unsigned long long)processor_hash(data, registers));
}

int main(void)
{
	void *const where = (void *)(uintptr_t)PROCESSOR_DATA;
	uint8_t *data = mmap(where, 3 * PROCESSOR_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data != where || mprotect(data, PROCESSOR_PAGE, PROT_READ | PROT_WRITE) ||
	    processor_code_end - processor_code > CODE_MOST)
		abort();
	catch_signals();
	for (uint64_t piece = 0; piece < processor_pieces_n; piece++)
		run(piece, data);
	return 0;
}
