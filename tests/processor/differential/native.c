/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cases on the processor that this runs on. Each ends with a signal: of int3 behind it, or of its own exception. The handler takes
 * the registers out of the signal's frame and puts those of the next case in. It uses neither the thread's own memory (FS is a
 * case's) nor vectors, and no system call but write and exit: others end the process, should an instruction become one.
 */
#include <asm/prctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "report.h"
#include "run.h"

enum { OUTPUT_BYTES = 1 << 16, WATCH_SECONDS = 10, STATUS_HANGS = 3, HWCAP2_FSGSBASE = 1 << 1 };

static struct run run = { .native = true };
static bool running;
static char output[OUTPUT_BYTES];
static size_t output_used;
static char **options;

static long system_call(long number, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

static void flush(void)
{
	size_t done = 0;

	while (done < output_used) {
		long n = system_call(SYS_write, 1, (long)(output + done), (long)(output_used - done));

		if (n <= 0)
			system_call(SYS_exit, 1, 0, 0);
		done += (size_t)n;
	}
	output_used = 0;
}

void out_write(const char *text, size_t bytes)
{
	if (output_used + bytes > sizeof(output))
		flush();
	memcpy(output + output_used, text, bytes);
	output_used += bytes;
}

static const int places[REGISTERS] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void take(const mcontext_t *from, struct result *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < REGISTERS; i++)
		ret->state.gpr[i] = (uint64_t)from->gregs[places[i]];
	ret->state.rip = (uint64_t)from->gregs[REG_RIP];
	ret->state.rflags = (uint64_t)from->gregs[REG_EFL];
	ret->vector = (uint32_t)from->gregs[REG_TRAPNO];
	ret->error = (uint64_t)from->gregs[REG_ERR];
	ret->cr2 = (uint64_t)from->gregs[REG_CR2];
	memcpy(ret->state.xstate, from->fpregs, XSTATE_BYTES);
	ret->state.fs_base = FS_BASE;
	ret->state.gs_base = GS_BASE;
	if (!(run.offered & run.filter.features & 1ull << FEATURE_FSGSBASE))
		return;
	__asm__ volatile("rdfsbase %0; rdgsbase %1" : "=r"(ret->state.fs_base), "=r"(ret->state.gs_base));
	__asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"((uint64_t)FS_BASE), "r"((uint64_t)GS_BASE));
}

static void give(mcontext_t *to, const struct state *state)
{
	enum { SOFTWARE = 464, SOFTWARE_BYTES = 48, MXCSR_MASK = 28 };
	uint8_t *area = (uint8_t *)to->fpregs, kept[SOFTWARE_BYTES], mask[4], header[8];

	for (unsigned i = 0; i < REGISTERS; i++)
		to->gregs[places[i]] = (greg_t)state->gpr[i];
	to->gregs[REG_RIP] = (greg_t)state->rip;
	to->gregs[REG_EFL] = (greg_t)state->rflags;
	/* The kernel's words in the frame say how large it is; what lies behind AVX stays as it is. */
	memcpy(kept, area + SOFTWARE, sizeof(kept));
	memcpy(mask, area + MXCSR_MASK, sizeof(mask));
	memcpy(header, area + XSTATE_HEADER, sizeof(header));
	memcpy(area, state->xstate, XSTATE_BYTES);
	memcpy(area + SOFTWARE, kept, sizeof(kept));
	memcpy(area + MXCSR_MASK, mask, sizeof(mask));
	memcpy(area + XSTATE_HEADER, header, sizeof(header));
	area[XSTATE_HEADER] |= 7;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
	struct result result;

	(void)number;
	(void)info;
	/* The kernel clears DF and TF alone. */
	__asm__ volatile("push $2; popfq" : : : "cc", "memory");
	if (running) {
		take(machine, &result);
		run_result(&run, &result);
	}
	running = true;
	if (!run_next(&run)) {
		flush();
		system_call(SYS_exit, 0, 0, 0);
	}
	give(machine, &run.c.state);
}

/* One that takes for ever: no instruction should. */
static void on_alarm(int number)
{
	static uint64_t seen = UINT64_MAX;

	(void)number;
	if (seen == run.c.number) {
		flush();
		system_call(SYS_exit, STATUS_HANGS, 0, 0);
	}
	seen = run.c.number;
}

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

/* The same memory twice: where cases find it, and where it can always be written. */
static uint8_t *map_twice(uint64_t address, size_t bytes, size_t writable, int protection)
{
	int file = memfd_create("differential", 0);
	void *alias;

	if (file < 0 || ftruncate(file, (off_t)bytes))
		fail("memfd_create");
	if (mmap((void *)address, bytes, protection, MAP_SHARED | MAP_FIXED_NOREPLACE, file, 0) != (void *)address)
		fail("mmap");
	if (writable && mprotect((void *)address, writable, PROT_READ | PROT_WRITE))
		fail("mprotect");
	alias = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (alias == MAP_FAILED)
		fail("mmap");
	memset(alias, 0, bytes);
	return alias;
}

static void catch_signals(void)
{
	static const int numbers[] = { SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	static uint8_t stack[1 << 16];
	const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction watch = { .sa_handler = on_alarm, .sa_flags = SA_ONSTACK };
	const struct itimerval every = { { WATCH_SECONDS, 0 }, { WATCH_SECONDS, 0 } };

	sigfillset(&action.sa_mask);
	if (sigaltstack(&own, NULL) || sigaction(SIGALRM, &watch, NULL) || setitimer(ITIMER_REAL, &every, NULL))
		fail("sigaltstack");
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], &action, NULL))
			fail("sigaction");
}

static const char *option(const char *key)
{
	size_t length = strlen(key);

	for (char **each = options; *each; each++)
		if (!strncmp(*each, key, length) && (*each)[length] == '=')
			return *each + length + 1;
	return NULL;
}

int main(int argc, char **argv)
{
	(void)argc;
	options = argv + 1;
	run.data = map_twice(DATA, DATA_BYTES, DATA_WRITABLE * PAGE, PROT_READ);
	run.code = map_twice(CODE, CODE_BYTES, 0, PROT_READ | PROT_EXEC);
	/* The first access to a page costs a fault of the kernel's own. */
	for (unsigned at = 0; at < DATA_BYTES; at += PAGE)
		(void)*(volatile uint8_t *)(uint64_t)(DATA + at);
	for (unsigned at = 0; at < DATA_WRITABLE * PAGE; at += PAGE)
		*(volatile uint8_t *)(uint64_t)(DATA + at) = 0;
	run_begin(&run, option);
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		run.offered &= ~(1ull << FEATURE_FSGSBASE);
	catch_signals();
	/* From here on without the C library. */
	if (system_call(SYS_arch_prctl, ARCH_SET_GS, GS_BASE, 0) || system_call(SYS_arch_prctl, ARCH_SET_FS, FS_BASE, 0) ||
	    system_call(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0))
		system_call(SYS_exit, 2, 0, 0);
	__asm__ volatile("int3");
	__builtin_unreachable();
}
