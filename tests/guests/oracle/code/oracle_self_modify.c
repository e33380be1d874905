/* SPDX-License-Identifier: GPL-2.0-only */
/* Code that changes itself: the next instruction, a later block, one passed already. */
#include "../oracle.h"

static uint8_t code[GUEST_MAX_VCPUS][256] __attribute__((aligned(PAGE_BYTES)));

static const uint8_t rewrites_next[] = {
	0xc7, 0x05, 0x01, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, /* movl $2, 1(%rip): into the mov */
	0xb8, 0x01, 0x00, 0x00, 0x00,                               /* mov $1, %eax */
	0x90,                                                       /* nop */
	0xc3,                                                       /* ret */
};

static const uint8_t rewrites_later[] = {
	0x31, 0xc0,                               /* xor %eax, %eax */
	0xc6, 0x05, 0x06, 0x00, 0x00, 0x00, 0x04, /* movb $4, 6(%rip): into the add */
	0xeb, 0x01,                               /* jmp over one byte */
	0xcc,                                     /* int3 */
	0x90, 0x83, 0xc0, 0x01,                   /* nop; add $1, %eax */
	0xc3,                                     /* ret */
};

/* A loop of three rounds whose add is rewritten behind its back. */
static const uint8_t rewrites_loop[] = {
	0xb9, 0x03, 0x00, 0x00, 0x00,             /* mov $3, %ecx */
	0x31, 0xc0,                               /* xor %eax, %eax */
	0x83, 0xc0, 0x01,                         /* 7: add $1, %eax */
	0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff,       /* incb -7(%rip): the 1 in the add */
	0xff, 0xc9,                               /* dec %ecx */
	0x75, 0xf3,                               /* jnz 7b */
	0xc3,                                     /* ret */
};

static void prepare(void)
{
}

static uint32_t run(unsigned vcpu, const uint8_t *bytes, uint64_t size)
{
	memcpy(code[vcpu], bytes, size);
	return ((uint32_t (*)(void))code[vcpu])();
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	for (unsigned i = 0; i < 5; i++) {
		wrong |= run(vcpu, rewrites_next, sizeof(rewrites_next)) != 2;
		wrong |= (uint64_t)(run(vcpu, rewrites_later, sizeof(rewrites_later)) != 4) << 1;
		wrong |= (uint64_t)(run(vcpu, rewrites_loop, sizeof(rewrites_loop)) != 1 + 2 + 3) << 2;
	}
	return wrong;
}
