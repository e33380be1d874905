/* SPDX-License-Identifier: GPL-2.0-only */
/* Encodings that no compiler emits. */
#include "../oracle.h"

static void prepare(void)
{
	exception_set(VECTOR_INVALID_OPCODE, oracle_skip);
	exception_set(VECTOR_PROTECTION, oracle_skip);
}

/* A hypercall with these bytes in front of it: READ of an id that is not open. */
#define HYPERCALL(bytes, ret)                                                                  \
	__asm__ volatile("nop; .byte " bytes "; vmcall; nop"                                   \
			 : "+a"(ret) : "b"(5ull), "c"(12345ull), "d"(0ull), "S"(0ull) : "memory", "cc")

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], wrong = 0;
	int64_t ret;

	ret = 3;
	HYPERCALL("0x48", ret); /* REX.W */
	wrong |= (uint64_t)(ret >= 0);
	ret = 3;
	HYPERCALL("0x2e", ret); /* CS */
	wrong |= (uint64_t)(ret >= 0) << 1;
	ORACLE_FAULT("nop; .byte 0x66; vmcall; ud2", "r"(0));
	wrong |= (uint64_t)(oracle_faults[vcpu] - before != 1) << 2;
	ORACLE_FAULT("nop; .byte 0xf3; vmcall; ud2", "r"(0));
	wrong |= (uint64_t)(oracle_faults[vcpu] - before != 2) << 3;
	ORACLE_FAULT("nop; sysenter; ud2", "r"(0));
	wrong |= (uint64_t)(oracle_faults[vcpu] - before != 3) << 4;
	ORACLE_FAULT("nop; sysexitl; ud2", "r"(0));
	wrong |= (uint64_t)(oracle_faults[vcpu] - before != 4) << 5;
	return wrong;
}
