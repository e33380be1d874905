/* SPDX-License-Identifier: GPL-2.0-only */
/* From the ELF entry to guest_main(), on every vCPU. */
#include "guest.h"

enum {
	MSR_GS_BASE = 0xc0000101,
	IST_NMI = 0, /* index into tss.ist */
	IST_FAULT = 1,
};

static struct cpu cpus[GUEST_MAX_VCPUS];
static const struct pv_boot_info *boot;

extern const char too_small[];
const char too_small[] __attribute__((used)) = "guest: no memory for the stacks of all vCPUs: give the VM more with -m\n";

_Noreturn void cpu_start(unsigned vcpu, const struct pv_boot_info *info, uint64_t stack);

/*
 * The entry: RDI vCPU, RSI boot information, no stack. The top of this vCPU's area is
 * its stack. If RAM is too small for all of them, vCPU 0 says so, and nobody goes on.
 */
__attribute__((naked, used)) void _start(void)
{
	__asm__ volatile("cld\n\t"
			 "mov %c[free](%%rsi), %%rax\n\t"
			 "add $4095, %%rax\n\t"
			 "and $-4096, %%rax\n\t"
			 "mov %c[vcpus](%%rsi), %%ecx\n\t"
			 "imul $%c[area], %%rcx, %%rcx\n\t"
			 "add %%rax, %%rcx\n\t"
			 "cmp %c[ram](%%rsi), %%rcx\n\t"
			 "ja 1f\n\t"
			 "lea 1(%%rdi), %%rcx\n\t"
			 "imul $%c[area], %%rcx, %%rcx\n\t"
			 "lea (%%rax, %%rcx), %%rsp\n\t"
			 "mov %%rsp, %%rdx\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call cpu_start\n"
			 "1:\n\t"
			 "test %%rdi, %%rdi\n\t"
			 "jnz 3f\n\t"
			 "lea too_small(%%rip), %%rsi\n\t"
			 "mov $%c[console], %%edx\n"
			 "2:\n\t"
			 "lodsb\n\t"
			 "out %%al, %%dx\n\t"
			 "cmpb $0, (%%rsi)\n\t"
			 "jne 2b\n\t"
			 "mov $%c[status], %%al\n\t"
			 "out %%al, $%c[port]\n"
			 "3:\n\t"
			 "hlt\n\t"
			 "jmp 3b"
			 :
			 : [free] "i"(offsetof(struct pv_boot_info, first_free)),
			   [vcpus] "i"(offsetof(struct pv_boot_info, vcpus)),
			   [ram] "i"(offsetof(struct pv_boot_info, ram_size)), [area] "i"(CPU_AREA),
			   [status] "i"(STATUS_USAGE), [console] "i"(PV_PORT_CONSOLE), [port] "i"(PV_PORT_EXIT));
}

struct cpu *cpu_get(unsigned vcpu)
{
	return &cpus[vcpu];
}

unsigned cpu_count(void)
{
	return boot->vcpus;
}

const struct pv_boot_info *boot_info(void)
{
	return boot;
}

_Noreturn void guest_exit(int status)
{
	outb(PV_PORT_EXIT, (uint8_t)status);
	for (;;)
		halt();
}

/* Own GDT: the loader's has no CPL 3 and no task register. */
static void load_segments(struct cpu *cpu)
{
	uint64_t tss = (uint64_t)&cpu->tss;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = { sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt };

	cpu->gdt[1] = 0x00af9b000000ffff; /* code, CPL 0 */
	cpu->gdt[2] = 0x00cf93000000ffff; /* data, CPL 0 */
	cpu->gdt[3] = 0x00cff3000000ffff; /* data, CPL 3 */
	cpu->gdt[4] = 0x00affb000000ffff; /* code, CPL 3 */
	cpu->gdt[5] = 0x0000890000000000 | (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 |
		      (tss >> 24 & 0xff) << 56;
	cpu->gdt[6] = tss >> 32;
	__asm__ volatile("lgdt %0\n\t"
			 "push %1\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "mov %2, %%ds\n\t"
			 "mov %2, %%es\n\t"
			 "mov %2, %%ss\n\t"
			 "mov %3, %%fs\n\t"
			 "mov %3, %%gs\n\t"
			 "ltr %4"
			 :
			 : "m"(gdtr), "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA), "r"(0),
			   "r"((uint16_t)SELECTOR_TSS)
			 : "rax", "memory");
}

static void set_gs_base(const struct cpu *cpu)
{
	uint64_t base = (uint64_t)cpu;

	__asm__ volatile("wrmsr" : : "c"(MSR_GS_BASE), "a"((uint32_t)base), "d"(base >> 32) : "memory");
}

static void cpu_prepare(struct cpu *cpu, unsigned vcpu, uint64_t stack)
{
	uint64_t at = stack - CPU_STACK;

	cpu->self = cpu;
	cpu->index = vcpu;
	cpu->tss.rsp[0] = stack;
	cpu->tss.ist[IST_NMI] = at;
	cpu->tss.ist[IST_FAULT] = at - CPU_NMI_STACK;
	cpu->tss.io_map = sizeof(cpu->tss);
	cpu->user_stack = at - CPU_NMI_STACK - CPU_FAULT_STACK;
	load_segments(cpu);
	set_gs_base(cpu);
	exception_load();
}

static bool boot_info_is_ours(const struct pv_boot_info *info)
{
	return memcmp(info->magic, "PVPERF01", sizeof(info->magic)) == 0 &&
	       info->version == PV_BOOT_VERSION && info->vcpus <= GUEST_MAX_VCPUS;
}

/* Every vCPU stores the same pointer, so none has to wait for another. */
_Noreturn void cpu_start(unsigned vcpu, const struct pv_boot_info *info, uint64_t stack)
{
	if (!boot_info_is_ours(info))
		guest_exit(STATUS_CRASHED);
	atomic_store(&boot, info);
	cpu_prepare(&cpus[vcpu], vcpu, stack);
	if (vcpu)
		smp_worker();
	memory_start();
	option_start();
	guest_exit(guest_main());
}
