/* SPDX-License-Identifier: GPL-2.0-only */
/* Cases at CPL 3 of a guest, under page tables and segments that are as an operating system's: see cases/case.h. */
#include "guest.h"

#include "report.h"
#include "run.h"

enum {
	/* Of Linux, since instructions can tell them. */
	CODE_SELECTOR = 0x33,
	DATA_SELECTOR = 0x2b,
	TSS_SELECTOR = 0x40,
	GDT_ENTRIES = 16,

	CR0_MP = 1 << 1, CR0_NE = 1 << 5,
	CR4_OSFXSR = 1 << 9, CR4_OSXMMEXCPT = 1 << 10, CR4_FSGSBASE = 1 << 16,
	CR4_OSXSAVE = 1 << 18,
	MSR_EFER = 0xc0000080, EFER_NXE = 1 << 11,
	MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101,
	XCR0_SSE = 3, XCR0_AVX = 7,

	PRESENT = 1, WRITABLE = 2, USER = 4, LARGE = 0x80,
	TABLE = 512, LARGE_BYTES = 2 << 20,
	EXCEPTIONS = 32,
	AT_CPL_0 = 0x100, /* added to the vector of what the case raises behind its way out */
};
#define NO_EXECUTE (1ull << 63)

_Static_assert(offsetof(struct state, rip) == 128 && offsetof(struct state, xstate) == 192, "enter.S");

void differential_enter(const struct state *state, uint32_t mask, uint64_t *rsp0, uint64_t code, uint64_t data);
_Noreturn void differential_leave(uint64_t rsp0);

static struct run run;
static struct result result;
static bool entered; /* a case is executed */
static uint64_t *rsp0;
static uint32_t xsave_mask; /* 0: FXSAVE */
static uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(16)));

void out_write(const char *text, size_t bytes)
{
	console_write(text, bytes);
}

static void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"(value >> 32) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

/* Of the tester itself: nothing that it could go on from. */
static _Noreturn void crash(const struct exception_frame *frame)
{
	console_printf("\n!vector %lu at CPL 0, RIP 0x%lx, error 0x%lx, CR2 0x%lx, case %lu\n", frame->vector, frame->rip, frame->error,
		       exception_address(), run.c.number);
	guest_exit(STATUS_CRASHED);
}

/* They are the same for all cases. */
static void take_bases(struct state *state)
{
	state->fs_base = FS_BASE;
	state->gs_base = GS_BASE;
	if (!(run.offered >> FEATURE_FSGSBASE & 1))
		return;
	__asm__ volatile("rdfsbase %0; rdgsbase %1" : "=r"(state->fs_base), "=r"(state->gs_base));
	__asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"((uint64_t)FS_BASE), "r"((uint64_t)GS_BASE));
}

/* What compilers make of this file does not use vectors, nor has vectors.S changed any. */
static void on_exception(struct exception_frame *frame)
{
	const uint64_t gpr[REGISTERS] = {
		frame->rax, frame->rcx, frame->rdx, frame->rbx, frame->rsp, frame->rbp, frame->rsi, frame->rdi,
		frame->r8, frame->r9, frame->r10, frame->r11, frame->r12, frame->r13, frame->r14, frame->r15,
	};

	if (!entered)
		crash(frame);
	entered = false;
	if (xsave_mask) {
		memset(result.state.xstate + XSTATE_HEADER, 0, 64);
		__asm__ volatile("xsave64 %0" : "+m"(result.state.xstate) : "a"(xsave_mask), "d"(0));
	} else {
		__asm__ volatile("fxsave64 %0" : "+m"(result.state.xstate));
		result.state.xstate[XSTATE_HEADER] = 3;
	}
	memcpy(result.state.gpr, gpr, sizeof(gpr));
	result.state.rip = frame->rip;
	take_bases(&result.state);
	result.state.rflags = frame->rflags;
	result.vector = (uint32_t)frame->vector + (frame->cs & 3 ? 0 : AT_CPL_0);
	result.error = frame->error;
	result.cr2 = exception_address();
	differential_leave(*rsp0);
}

static void load_segments(void)
{
	struct cpu *cpu = cpu_this();
	uint64_t tss = (uint64_t)&cpu->tss;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = { sizeof(gdt) - 1, (uint64_t)gdt };

	gdt[1] = 0x00af9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
	gdt[DATA_SELECTOR >> 3] = 0x00cff3000000ffff;
	gdt[CODE_SELECTOR >> 3] = 0x00affb000000ffff;
	gdt[TSS_SELECTOR >> 3] = 0x0000890000000000 | (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	gdt[(TSS_SELECTOR >> 3) + 1] = tss >> 32;
	rsp0 = (uint64_t *)((char *)&cpu->tss + offsetof(struct tss, rsp));
	__asm__ volatile("lgdt %0\n\t"
			 "mov %1, %%ds\n\t"
			 "mov %1, %%es\n\t"
			 "mov %1, %%fs\n\t"
			 "mov %1, %%gs\n\t"
			 "ltr %2"
			 :
			 : "m"(gdtr), "r"(0), "r"((uint16_t)TSS_SELECTOR)
			 : "memory");
	wrmsr(MSR_FS_BASE, FS_BASE);
	wrmsr(MSR_GS_BASE, GS_BASE);
}

/* The pages of an area for CPL 3, on memory of their own: the first `writable` of them can be written. */
static uint8_t *map_area(uint64_t *directory, uint64_t address, unsigned pages, unsigned writable, uint64_t flags)
{
	uint64_t *table = memory_need(PAGE_BYTES, PAGE_BYTES);
	uint8_t *memory = memory_need((size_t)pages * PAGE_BYTES, PAGE_BYTES);

	for (unsigned i = 0; i < pages; i++)
		table[address / PAGE_BYTES % TABLE + i] =
			((uint64_t)memory + (uint64_t)i * PAGE_BYTES) | PRESENT | USER | flags | (i < writable ? WRITABLE : 0);
	directory[address / LARGE_BYTES] = (uint64_t)table | PRESENT | WRITABLE | USER;
	return memory;
}

/* RAM for CPL 0, and the two areas. */
static void load_tables(void)
{
	uint64_t *root = memory_need(PAGE_BYTES, PAGE_BYTES), *pointers = memory_need(PAGE_BYTES, PAGE_BYTES);
	uint64_t *directory = memory_need(PAGE_BYTES, PAGE_BYTES);

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	for (uint64_t at = 0; at < boot_info()->ram_size && at < LOW_BYTES; at += LARGE_BYTES)
		directory[at / LARGE_BYTES] = at | PRESENT | WRITABLE | LARGE;
	run.data = map_area(directory, DATA, DATA_PAGES, DATA_WRITABLE, NO_EXECUTE);
	run.code = map_area(directory, CODE, CODE_PAGES, 0, 0);
	pointers[0] = (uint64_t)directory | PRESENT | WRITABLE | USER;
	root[0] = (uint64_t)pointers | PRESENT | WRITABLE | USER;
	__asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

static void load_control(void)
{
	const uint64_t features = features_offered();
	const bool avx = features >> FEATURE_AVX & 1;
	uint64_t cr0, cr4;

	__asm__ volatile("mov %%cr0, %0; mov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
	cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (features >> FEATURE_XSAVE & 1)
		cr4 |= CR4_OSXSAVE;
	if (features >> FEATURE_FSGSBASE & 1)
		cr4 |= CR4_FSGSBASE;
	__asm__ volatile("mov %0, %%cr0; mov %1, %%cr4" : : "r"(cr0 | CR0_MP | CR0_NE), "r"(cr4));
	if (features >> FEATURE_XSAVE & 1)
		__asm__ volatile("xsetbv" : : "c"(0), "a"(avx ? XCR0_AVX : XCR0_SSE), "d"(0));
	xsave_mask = avx ? XCR0_AVX : 0;
}

static const char *option(const char *key)
{
	return option_text(key, NULL);
}

int guest_main(void)
{
	for (unsigned vector = 0; vector < EXCEPTIONS; vector++)
		if (vector != VECTOR_NMI && vector != VECTOR_DOUBLE_FAULT)
			exception_set(vector, on_exception);
	load_control();
	load_tables();
	load_segments();
	run_begin(&run, option);
	console_printf("features=0x%lx\n", run.filter.features);
	while (run_next(&run)) {
		entered = true;
		differential_enter(&run.c.state, xsave_mask, rsp0, CODE_SELECTOR, DATA_SELECTOR);
		run_result(&run, &result);
	}
	return 0;
}
