/* SPDX-License-Identifier: GPL-2.0-only */
/* An NMI leaves the interrupted program its XMM registers and MXCSR, whatever the handler did with them. */
#include "sampling.h"

enum { REGISTERS = 16, ROUND_DOWN = 0x3f80 }; /* MXCSR's default but for the direction */

struct fpu {
	uint64_t xmm[REGISTERS][2];
	uint32_t mxcsr;
} __attribute__((aligned(16)));

/* Loads `in`, ENABLEs `id`, runs the loop, DISABLEs, stores into `out`: the first result that is not 0. */
int64_t fpu_loop(int32_t id, uint64_t iterations, const struct fpu *in, struct fpu *out);
__asm__(".text\n"
	"fpu_loop:\n\t"
	"push %rbp; mov %rsp, %rbp; push %rbx; sub $8, %rsp\n\t"
	"mov %rdx, %r9; mov %rcx, %r10; mov %edi, %r11d\n\t"
	"stmxcsr -16(%rbp)\n\t"
	"ldmxcsr 256(%r9)\n\t"
	".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
	"movaps 16 * \\n(%r9), %xmm\\n\n\t"
	".endr\n\t"
	"mov $3, %eax; mov $3, %ebx; mov %r11d, %ecx; vmcall\n\t"
	"mov %rax, %r8\n"
	"1: dec %rsi\n\t"
	"jnz 1b\n\t"
	"mov $3, %eax; mov $4, %ebx; mov %r11d, %ecx; vmcall\n\t"
	"test %r8, %r8; cmovnz %r8, %rax\n\t"
	".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
	"movaps %xmm\\n, 16 * \\n(%r10)\n\t"
	".endr\n\t"
	"stmxcsr 256(%r10)\n\t"
	"ldmxcsr -16(%rbp)\n\t"
	"add $8, %rsp; pop %rbx; pop %rbp; ret\n");

static void clobber(struct kvm_pmu_event *event, uint32_t n, struct exception_frame *frame)
{
	static const uint32_t to_zero = 0x7f80;

	(void)event;
	(void)n;
	(void)frame;
	__asm__ volatile("ldmxcsr %0\n\t"
			 ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
			 "pcmpeqd %%xmm\\n, %%xmm\\n\n\t"
			 ".endr"
			 :
			 : "m"(to_zero)
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

int guest_main(void)
{
	struct kvm_pv_perf_attr attr =
		kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false, 10000);
	struct fpu in = { .mxcsr = ROUND_DOWN }, out = { .mxcsr = 0 };
	struct kvm_pmu_event event;
	uint64_t taken, lost = 0;
	int64_t error;

	for (unsigned i = 0; i < REGISTERS; i++) {
		in.xmm[i][0] = 0x0123456789abcdef * (i + 1);
		in.xmm[i][1] = 0xfedcba9876543210 ^ i;
	}
	kvm_pmu_nmi_start();
	error = kvm_pmu_open(&event, &attr);
	event.overflow = clobber;
	event.slot = kvm_pmu_slot_here(&event);
	error |= fpu_loop(event.id, WINDOW_ITERATIONS(1000000), &in, &out);
	kvm_pmu_slot_leave(&event);
	taken = event.taken;
	for (unsigned i = 0; i < REGISTERS; i++)
		lost += in.xmm[i][0] != out.xmm[i][0] || in.xmm[i][1] != out.xmm[i][1];
	report(!error && taken == 100, "%lu overflows of 100 had a handler that used the FPU", taken);
	report(!lost, "%lu of 16 XMM registers differ after it", lost);
	report(out.mxcsr == ROUND_DOWN, "MXCSR is %x after it", out.mxcsr);
	kvm_pmu_close(&event);
	return report_summary();
}
