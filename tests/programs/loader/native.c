/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each image on the processor that this runs on, which steps it by itself (TF): a line with what has retired, and what it has
 * left behind. Shares nothing with the engine, nor its decoder: that an instruction has retired is what the processor's trap
 * behind it says.
 */
#include "branch.h"
#include "image.h"
#include "line.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { RFLAGS_TF = 1 << 8 };

static const uint64_t limit = 20000000; /* steps of one program */
static uint64_t at;                     /* what is executed now */
static uint64_t steps, instructions, branches;

static void on_step(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t rip = (uint64_t)regs[REG_RIP];

	(void)info;
	if (number != SIGTRAP || ++steps > limit) {
		fprintf(stderr, "signal %d at %llx after %llu steps\n", number, (unsigned long long)rip,
			(unsigned long long)steps);
		_Exit(1);
	}
	/* A repeated string instruction steps once for each iteration, and has retired once it is left. */
	if (at && (rip != at || !branch_repeats((const uint8_t *)at))) {
		instructions++;
		branches += branch_is((const uint8_t *)at);
	}
	at = rip;
	if (rip == image_at_base()->behind)
		regs[REG_EFL] &= ~(greg_t)RFLAGS_TF;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	static uint8_t stack[1 << 16];
	const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (sigaltstack(&own, NULL))
		abort();
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], &action, NULL))
			abort();
}

static void load(const char *path)
{
	void *where = (void *)(uintptr_t)IMAGE_BASE;
	FILE *file = fopen(path, "rb");

	if (!file || mmap(where, IMAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != where)
		abort();
	if (!fread(where, 1, IMAGE_BYTES, file) || fclose(file))
		abort();
}

/* Usage: native wide|narrow IMAGE... */
int main(int argc, char **argv)
{
	bool wide = argc > 1 && strcmp(argv[1], "wide") == 0;

	catch_signals();
	for (int i = 2; i < argc; i++) {
		struct image *image = image_at_base();
		char line[LINE_MOST];

		load(argv[i]);
		image->steps = 1;
		image->wide = wide;
		at = steps = instructions = branches = 0;
		image->enter();
		line_of(line, image, instructions, branches);
		printf("%d %s\n", i - 2, line);
	}
	return 0;
}
