/* SPDX-License-Identifier: GPL-2.0-only */
/* struct pv_agent_header, and its three entries: RDI vCPU, RSI gpa of the configuration, RSP a stack. */
	.section .header, "ax", @progbits
base:
	.ascii "PVAGENT3"
	.quad start - base
	.quad finish - base
	.quad nmi - base

start:
	cld
	and $-16, %rsp
	xor %ebp, %ebp
	call agent_start

finish:
	cld
	and $-16, %rsp
	xor %ebp, %ebp
	call agent_finish

nmi:
	cld
	and $-16, %rsp
	xor %ebp, %ebp
	call agent_nmi

	.section .note.GNU-stack, "", @progbits
