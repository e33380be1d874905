/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs byte strings on the processor and says what it made of each: reads requests from stdin, writes an answer for each to
 * stdout. Of a string only so many bytes are there as the request says: where the next one would be, the page ends, and
 * the processor's page fault says that it wanted it. Memory operands lie at the end of a page, too.
 */
#include <asm/prctl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	GUARD = 64 << 10, /* that is not there, on either side */
	SIGNAL_STACK = 64 << 10,
	HLT = 0xf4,
	FLAGS = 0x202,
	ERROR_WRITE = 2, ERROR_FETCH = 16,
	TRAP_PF = 14,
	NO_TRAP = 0xff,    /* it runs, and runs */
	TICK_US = 20000,
};

struct request {
	uint8_t bytes[16];
	uint8_t there;     /* bytes of them */
	uint8_t read_only; /* memory operands are */
	int16_t pointer;   /* all registers point there, from where data ends */
	uint8_t vectors;   /* bytes of this value fill all vectors */
	uint8_t unmasked;  /* exceptions of MXCSR are */
};

struct answer {
	uint8_t trap;      /* the exception's vector */
	uint8_t error;     /* its error code */
	uint8_t retired;   /* it did not come from the instruction itself */
	uint8_t wanted;    /* the processor wanted to fetch another byte of the instruction */
	int32_t address;   /* of a page fault, from where data ends, if it is near */
};

/* For the assembly below: */
extern struct run { uint64_t registers, entry, stack, flags, fs_base; } run_state;
extern void run_enter(void);
extern char run_return[];
struct run run_state;

__asm__(".text\n"
	".type run_enter, @function\n"
	"run_enter:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n"
	"	push %r13\n	push %r14\n	push %r15\n"
	"	pushf\n	pop run_state+24(%rip)\n"
	"	mov %rsp, run_state+16(%rip)\n"
	"	mov $158, %eax\n" /* arch_prctl(ARCH_SET_FS, 0) */
	"	mov $0x1002, %edi\n"
	"	xor %esi, %esi\n"
	"	syscall\n"
	"	mov run_state+0(%rip), %rax\n"
	"	mov %rax, %rcx\n	mov %rax, %rdx\n	mov %rax, %rbx\n"
	"	mov %rax, %rsp\n	mov %rax, %rbp\n	mov %rax, %rsi\n"
	"	mov %rax, %rdi\n	mov %rax, %r8\n	mov %rax, %r9\n"
	"	mov %rax, %r10\n	mov %rax, %r11\n	mov %rax, %r12\n"
	"	mov %rax, %r13\n	mov %rax, %r14\n	mov %rax, %r15\n"
	"	jmp *run_state+8(%rip)\n"
	"run_return:\n"
	"	mov run_state+16(%rip), %rsp\n"
	"	push run_state+24(%rip)\n	popf\n"
	"	mov $158, %eax\n"
	"	mov $0x1002, %edi\n"
	"	mov run_state+32(%rip), %rsi\n"
	"	syscall\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n"
	"	pop %r12\n	pop %rbp\n	pop %rbx\n"
	"	ret\n"
	".size run_enter, .-run_enter\n");

static uint8_t *code_end, *data_end; /* a page ends there, and none follows */
static uint64_t start;
static struct answer answer;
static volatile unsigned ticks; /* while this string runs */

static void *map(size_t size, int protection, int flags)
{
	void *memory = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return memory;
}

/* A page below 2 GiB, with nothing behind it and nothing in front of it; its end. */
static uint8_t *map_alone(int protection)
{
	uint8_t *page = (uint8_t *)map(PAGE + 2 * GUARD, PROT_NONE, MAP_32BIT) + GUARD;

	if (mprotect(page, PAGE, protection)) {
		perror("mprotect");
		exit(2);
	}
	return page + PAGE;
}

static bool is_run(uint64_t rip)
{
	return rip - (uintptr_t)code_end + PAGE < PAGE;
}

/* Thread-local storage is not there yet. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t rip = (uint64_t)regs[REG_RIP], cr2 = (uint64_t)regs[REG_CR2], from_data = cr2 - (uintptr_t)data_end;

	(void)info;
	if (number == SIGALRM && (++ticks < 2 || !is_run(rip)))
		return;
	answer.trap = number == SIGALRM ? NO_TRAP : (uint8_t)regs[REG_TRAPNO];
	answer.error = (uint8_t)regs[REG_ERR];
	answer.retired = number == SIGALRM || rip != start;
	answer.wanted = answer.trap == TRAP_PF && answer.error & ERROR_FETCH && rip == start && cr2 == (uintptr_t)code_end;
	answer.address = from_data + PAGE < 2 * PAGE ? (int32_t)from_data : INT32_MAX;
	regs[REG_RIP] = (greg_t)(uintptr_t)run_return;
	regs[REG_EFL] = FLAGS;
}

static void prepare(void)
{
	static const int numbers[] = { SIGILL, SIGSEGV, SIGBUS, SIGTRAP, SIGFPE, SIGALRM };
	const struct itimerval ticking = { { .tv_usec = TICK_US }, { .tv_usec = TICK_US } };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };
	stack_t stack = { .ss_size = SIGNAL_STACK, .ss_sp = map(SIGNAL_STACK, PROT_READ | PROT_WRITE, 0) };

	code_end = map_alone(PROT_READ | PROT_WRITE | PROT_EXEC);
	data_end = map_alone(PROT_READ | PROT_WRITE);
	sigaltstack(&stack, NULL);
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	syscall(SYS_arch_prctl, ARCH_GET_FS, &run_state.fs_base);
	setitimer(ITIMER_REAL, &ticking, NULL);
}

static void reset_vectors(uint8_t value, bool unmasked)
{
	const uint32_t mxcsr = unmasked ? 0 : 0x1f80;
	uint8_t vector[16];

	memset(vector, value, sizeof(vector));
	__asm__ volatile("fninit\n\tldmxcsr %0\n\t"
			 "movdqu %1, %%xmm0\n\tmovdqa %%xmm0, %%xmm1\n\tmovdqa %%xmm0, %%xmm2\n\tmovdqa %%xmm0, %%xmm3\n\t"
			 "movdqa %%xmm0, %%xmm4\n\tmovdqa %%xmm0, %%xmm5\n\tmovdqa %%xmm0, %%xmm6\n\tmovdqa %%xmm0, %%xmm7\n\t"
			 "movdqa %%xmm0, %%xmm8\n\tmovdqa %%xmm0, %%xmm9\n\tmovdqa %%xmm0, %%xmm10\n\tmovdqa %%xmm0, %%xmm11\n\t"
			 "movdqa %%xmm0, %%xmm12\n\tmovdqa %%xmm0, %%xmm13\n\tmovdqa %%xmm0, %%xmm14\n\tmovdqa %%xmm0, %%xmm15"
			 :
			 : "m"(mxcsr), "m"(vector)
			 : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static void run(const struct request *request)
{
	static bool read_only;

	if (request->read_only != read_only) {
		read_only = request->read_only;
		mprotect(data_end - PAGE, PAGE, read_only ? PROT_READ : PROT_READ | PROT_WRITE);
	}
	if (!read_only)
		memset(data_end - PAGE, 0, PAGE);
	memset(code_end - PAGE, HLT, PAGE); /* it may have jumped or written there */
	memcpy(code_end - request->there, request->bytes, request->there);
	start = run_state.entry = (uintptr_t)code_end - request->there;
	run_state.registers = (uintptr_t)data_end + (uint64_t)(int64_t)request->pointer;
	reset_vectors(request->vectors, request->unmasked);
	ticks = 0;
	run_enter();
}

int main(void)
{
	struct request request;

	prepare();
	while (fread(&request, sizeof(request), 1, stdin) == 1) {
		if (request.there < 1 || request.there > sizeof(request.bytes))
			return 2;
		answer = (struct answer){ 0 };
		run(&request);
		fwrite(&answer, sizeof(answer), 1, stdout);
	}
	return 0;
}
