/* SPDX-License-Identifier: GPL-2.0-only */
/* Under SMEP: the kernel stores into code of a page that users alone may execute; then a user stores into its own code there. */
#include "oracle_alias.h"

enum { ROUNDS = 20, KERNELS_NUMBER = 0x804, CALL_IT = 0x200 };

static uint8_t pages[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t stacks[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

uint64_t enter_page(uint64_t number, uint64_t rip, uint64_t rsp, void *save);

/* user_enter() without anything of the kernel's at CPL 3; and the page, to be copied: its first function stores a
 * number into the one at 0x400 and calls that, the one at CALL_IT calls the one at 0x800. */
__asm__(".text\n"
	"enter_page:\n\t"
	"push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n\t"
	"mov %rsp, (%rcx)\n\t"
	"pushq $0x1b; push %rdx; pushfq; pushq $0x23; push %rsi\n\t"
	"iretq\n"
	".balign 64\n"
	"page_code:\n\t"
	"mov %edi, 1f+4(%rip); call 1f; mov %rax, %rsi; xor %eax, %eax; int $0x80\n"
	".org page_code + 0x200\n\t"
	"call 2f; mov %rax, %rsi; xor %eax, %eax; int $0x80\n"
	".org page_code + 0x400\n"
	"1:\tnop; nop; nop; mov $0, %eax; ret\n"
	".org page_code + 0x800\n"
	"2:\tnop; nop; nop; mov $0, %eax; ret\n"
	".org page_code + 0x900\n");
extern const uint8_t page_code[0x900];

static void prepare(void)
{
	alias_split_for_kernel(pages[0]);
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(pages[vcpu], page_code, sizeof(page_code));
		*page_entry((uint64_t)pages[vcpu]) |= ENTRY_USER;
		*page_entry((uint64_t)stacks[vcpu]) |= ENTRY_USER;
	}
}

static uint64_t call(unsigned vcpu, unsigned at, uint32_t number)
{
	struct cpu *cpu = cpu_this();
	uint64_t old = cpu->tss.rsp[0], ret;

	ret = enter_page(number, (uint64_t)pages[vcpu] + at, (uint64_t)stacks[vcpu] + PAGE_BYTES,
			 (char *)&cpu->tss + offsetof(struct tss, rsp));
	cpu->tss.rsp[0] = old;
	return ret;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	alias_set_smep();
	alias_flush();
	for (uint32_t i = 1; i < ROUNDS; i++) {
		wrong |= call(vcpu, 0, 3 * i) != 3 * i;
		*(volatile uint32_t *)(pages[vcpu] + KERNELS_NUMBER) = i;
		wrong |= (uint64_t)(call(vcpu, 0, 3 * i + 1) != 3 * i + 1) << 1;
		wrong |= (uint64_t)(call(vcpu, 0, 3 * i + 2) != 3 * i + 2) << 2;
		wrong |= (uint64_t)(call(vcpu, CALL_IT, 0) != i) << 3;
	}
	return wrong;
}
