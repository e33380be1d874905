/* SPDX-License-Identifier: GPL-2.0-only */
/* Every error of the interface, from every operation, and what a hypercall leaves alone. */
#include "guest.h"

#define FLAG(name) (1ull << KVM_PV_PERF_##name)
#define INSTRUCTIONS .type = PV_TYPE_HARDWARE, .config = PV_HW_INSTRUCTIONS

enum { ID = 100, OTHER_ID = 101 };

/* Where a block of guest memory is put. */
enum place {
	GOOD = 0,
	GOOD_PLUS_1, /* not aligned */
	GOOD_PLUS_4,
	LAST_FITS,   /* ends where RAM ends */
	ONE_OVER,    /* its last 8 bytes lie behind RAM */
	RAM_END,
	FAR,         /* 2^52 */
	WRAPS,       /* ends at 8 after wrap-around */
	TOP,         /* the last 8 bytes of 2^64 */
};

struct open_row {
	const char *name;
	struct kvm_pv_perf_attr attr;
	enum place param, attr_at, event;
	int32_t id;
	int64_t expected;
};

static const struct open_row open_rows[] = {
	{ "param behind RAM", { INSTRUCTIONS }, .param = RAM_END, .expected = -PV_EFAULT },
	{ "param over the end of RAM", { INSTRUCTIONS }, .param = ONE_OVER, .expected = -PV_EFAULT },
	{ "param far away", { INSTRUCTIONS }, .param = FAR, .expected = -PV_EFAULT },
	{ "param wraps around", { INSTRUCTIONS }, .param = WRAPS, .expected = -PV_EFAULT },
	{ "param at the top", { INSTRUCTIONS }, .param = TOP, .expected = -PV_EFAULT },
	{ "param ends with RAM", { INSTRUCTIONS }, .param = LAST_FITS, .expected = 0 },
	{ "param not aligned", { INSTRUCTIONS }, .param = GOOD_PLUS_1, .expected = 0 },
	{ "attr behind RAM", { INSTRUCTIONS }, .attr_at = RAM_END, .expected = -PV_EFAULT },
	{ "attr over the end of RAM", { INSTRUCTIONS }, .attr_at = ONE_OVER, .expected = -PV_EFAULT },
	{ "attr wraps around", { INSTRUCTIONS }, .attr_at = WRAPS, .expected = -PV_EFAULT },
	{ "attr at the top", { INSTRUCTIONS }, .attr_at = TOP, .expected = -PV_EFAULT },
	{ "attr ends with RAM", { INSTRUCTIONS }, .attr_at = LAST_FITS, .expected = 0 },
	{ "attr not aligned", { INSTRUCTIONS }, .attr_at = GOOD_PLUS_1, .expected = 0 },
	{ "event behind RAM", { INSTRUCTIONS }, .event = RAM_END, .expected = -PV_EFAULT },
	{ "event over the end of RAM", { INSTRUCTIONS }, .event = ONE_OVER, .expected = -PV_EFAULT },
	{ "event far away", { INSTRUCTIONS }, .event = FAR, .expected = -PV_EFAULT },
	{ "event wraps around", { INSTRUCTIONS }, .event = WRAPS, .expected = -PV_EFAULT },
	{ "event at the top", { INSTRUCTIONS }, .event = TOP, .expected = -PV_EFAULT },
	{ "event ends with RAM", { INSTRUCTIONS }, .event = LAST_FITS, .expected = 0 },
	{ "event not aligned by 1", { INSTRUCTIONS }, .event = GOOD_PLUS_1, .expected = -PV_EINVAL },
	{ "event not aligned by 4", { INSTRUCTIONS }, .event = GOOD_PLUS_4, .expected = -PV_EINVAL },
	{ "type 99", { .type = 99 }, .expected = -PV_ENOENT },
	{ "tracepoint", { .type = PV_TYPE_TRACEPOINT }, .expected = -PV_ENOENT },
	{ "hardware config 10", { .type = PV_TYPE_HARDWARE, .config = PV_HW_MAX }, .expected = -PV_EINVAL },
	{ "hardware config 2^63", { .type = PV_TYPE_HARDWARE, .config = 1ull << 63 }, .expected = -PV_EINVAL },
	{ "software config 12", { .type = PV_TYPE_SOFTWARE, .config = PV_SW_MAX }, .expected = -PV_EINVAL },
	{ "stalled cycles", { .type = PV_TYPE_HARDWARE, .config = PV_HW_STALLED_BACKEND }, .expected = -PV_ENOENT },
	{ "raw without meaning", { .type = PV_TYPE_RAW, .config = 0xffffffff }, .expected = -PV_ENOENT },
	{ "inherit", { INSTRUCTIONS, .flags = FLAG(INHERIT) }, .expected = -PV_EOPNOTSUPP },
	{ "enable_on_exec", { INSTRUCTIONS, .flags = FLAG(ENABLE_ON_EXEC) }, .expected = -PV_EOPNOTSUPP },
	{ "unknown flag 38", { INSTRUCTIONS, .flags = 1ull << KVM_PV_PERF_FLAGS_KNOWN }, .expected = -PV_EINVAL },
	{ "unknown flag 63", { INSTRUCTIONS, .flags = 1ull << 63 }, .expected = -PV_EINVAL },
	{ "unknown sample_type", { INSTRUCTIONS, .sample_type = 1ull << 63 }, .expected = -PV_EINVAL },
	{ "unknown read_format", { INSTRUCTIONS, .read_format = 1ull << 63 }, .expected = -PV_EINVAL },
	{ "exclude_user", { INSTRUCTIONS, .flags = FLAG(EXCLUDE_USER) }, .expected = 0 },
	{ "exclude_kernel", { INSTRUCTIONS, .flags = FLAG(EXCLUDE_KERNEL) }, .expected = 0 },
	{ "disabled", { INSTRUCTIONS, .flags = FLAG(DISABLED) }, .expected = 0 },
	{ "id 0", { INSTRUCTIONS }, .id = -ID, .expected = 0 },
	{ "id INT_MAX", { INSTRUCTIONS }, .id = 0x7fffffff - ID, .expected = 0 },
	{ "cycles", { .type = PV_TYPE_HARDWARE, .config = PV_HW_CPU_CYCLES }, .expected = 0 },
	{ "branches", { .type = PV_TYPE_HARDWARE, .config = PV_HW_BRANCH_INSTRUCTIONS }, .expected = 0 },
	{ "bus-cycles", { .type = PV_TYPE_HARDWARE, .config = PV_HW_BUS_CYCLES }, .expected = 0 },
	{ "ref-cycles", { .type = PV_TYPE_HARDWARE, .config = PV_HW_REF_CPU_CYCLES }, .expected = 0 },
	{ "cpu-clock", { .type = PV_TYPE_SOFTWARE, .config = PV_SW_CPU_CLOCK }, .expected = 0 },
	{ "task-clock", { .type = PV_TYPE_SOFTWARE, .config = PV_SW_TASK_CLOCK }, .expected = 0 },
	{ "dummy", { .type = PV_TYPE_SOFTWARE, .config = PV_SW_DUMMY }, .expected = 0 },
	{ "raw cycles", { .type = PV_TYPE_RAW, .config = PV_RAW_CPU_CYCLES }, .expected = 0 },
	{ "raw instructions", { .type = PV_TYPE_RAW, .config = PV_RAW_INSTRUCTIONS }, .expected = 0 },
	{ "raw branches", { .type = PV_TYPE_RAW, .config = PV_RAW_BRANCH_INSTRUCTIONS }, .expected = 0 },
};

/* The block's address; `good` is memory with room for it, 8 bytes and more behind. */
static gpa_t place_at(enum place place, const void *good, uint64_t size)
{
	uint64_t ram = boot_info()->ram_size;

	switch (place) {
	case GOOD: return (gpa_t)good;
	case GOOD_PLUS_1: return (gpa_t)good + 1;
	case GOOD_PLUS_4: return (gpa_t)good + 4;
	case LAST_FITS: return ram - size;
	case ONE_OVER: return ram - size + 8;
	case RAM_END: return ram;
	case FAR: return 1ull << 52;
	case WRAPS: return 8 - size;
	default: return ~0ull - 7;
	}
}

/* Copies `from` there if all of it is RAM. */
static void put_at(gpa_t gpa, const void *from, uint64_t size)
{
	uint64_t ram = boot_info()->ram_size;

	if (gpa <= ram && size <= ram - gpa)
		memcpy((void *)gpa, from, size);
}

static int64_t open_row(const struct open_row *row)
{
	static uint8_t room[3][128] __attribute__((aligned(16)));
	gpa_t param_at = place_at(row->param, room[0], sizeof(struct kvm_pv_perf_event_param));
	struct kvm_pv_perf_event_param param = {
		.attr_addr = place_at(row->attr_at, room[1], sizeof(row->attr)),
		.guest_event_addr = place_at(row->event, room[2], sizeof(struct kvm_pv_perf_event)),
		.id = ID + row->id,
	};

	put_at(param.attr_addr, &row->attr, sizeof(row->attr));
	put_at(param_at, &param, sizeof(param));
	return perf_open(param_at);
}

static void test_open(void)
{
	report_prefix_push("open");
	for (unsigned i = 0; i < ARRAY_SIZE(open_rows); i++) {
		const struct open_row *row = &open_rows[i];
		int64_t ret = open_row(row), closed = perf_op(KVM_PV_PERF_OP_CLOSE, ID + row->id);

		report(ret == row->expected && closed == (ret ? -PV_ENOENT : 0), "%s: %ld, expected %ld; close %ld",
		       row->name, ret, row->expected, closed);
	}
	report_prefix_pop();
}

static const struct {
	const char *name;
	uint64_t op;
} id_ops[] = {
	{ "close", KVM_PV_PERF_OP_CLOSE },
	{ "enable", KVM_PV_PERF_OP_ENABLE },
	{ "disable", KVM_PV_PERF_OP_DISABLE },
	{ "read", KVM_PV_PERF_OP_READ },
};

static const struct open_row plain = { .name = "plain", .attr = { INSTRUCTIONS } };

/* Operations on ids that are not open. */
static void test_no_such_id(void)
{
	static const int32_t ids[] = { 0, -1, ID, -0x7fffffff - 1, 0x7fffffff };

	open_row(&plain);
	perf_op(KVM_PV_PERF_OP_CLOSE, ID);
	for (unsigned i = 0; i < ARRAY_SIZE(id_ops); i++)
		for (unsigned j = 0; j < ARRAY_SIZE(ids); j++) {
			int64_t ret = perf_op(id_ops[i].op, ids[j]);

			report(ret == -PV_ENOENT, "%s of id %d that is not open: %ld", id_ops[i].name, ids[j], ret);
		}
}

static void test_states(void)
{
	report(open_row(&plain) == 0, "open");
	report(open_row(&plain) == -PV_EEXIST, "open again: EEXIST");
	report(perf_op(KVM_PV_PERF_OP_DISABLE, ID) == 0, "disable of a stopped event");
	report(perf_op(KVM_PV_PERF_OP_ENABLE, ID) == 0, "enable");
	report(perf_op(KVM_PV_PERF_OP_ENABLE, ID) == 0, "enable again");
	report(open_row(&plain) == -PV_EEXIST, "open of a running one: EEXIST");
	report(perf_op(KVM_PV_PERF_OP_READ, ID) == 0, "read");
	report(perf_op(KVM_PV_PERF_OP_DISABLE, ID) == 0, "disable");
	report(perf_op(KVM_PV_PERF_OP_DISABLE, ID) == 0, "disable again");
	report(perf_op(KVM_PV_PERF_OP_READ, ID) == 0, "read of a stopped event");
	report(perf_op(KVM_PV_PERF_OP_CLOSE, ID) == 0, "close");
	report(perf_op(KVM_PV_PERF_OP_CLOSE, ID) == -PV_ENOENT, "close again: ENOENT");
}

static void test_unknown(void)
{
	static const uint64_t ops[] = { 0, KVM_PV_PERF_OP_MAX, 100, 1000, 1ull << 32 | 1, ~0ull };
	static const uint64_t numbers[] = { 0, 1, 2, 4, 6, 100, 1ull << 32 | KVM_PERF_OP, ~0ull };

	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		report(hypercall(KVM_PERF_OP, ops[i], 0, 0) == -PV_EINVAL, "unknown op 0x%lx: EINVAL", ops[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
		report(hypercall(numbers[i], 1, 0, 0) == -KVM_ENOSYS, "unknown number 0x%lx: -1000", numbers[i]);
	report(kick(cpu_count()) == -PV_EINVAL, "kick of a vCPU that is not there: EINVAL");
}

/* Opens up to the limit: one more gives ENOSPC, and after a close there is room again. */
static void test_limit(uint32_t limit)
{
	struct kvm_pv_perf_event *events = memory_need(sizeof(*events) * (limit + 1), 16);
	struct kvm_pv_perf_attr attr = { INSTRUCTIONS };
	struct kvm_pv_perf_event_param param = { .attr_addr = (gpa_t)&attr };
	uint32_t opened = 0;

	for (int64_t ret = 0; !ret && opened <= limit; opened += !ret) {
		param.guest_event_addr = (gpa_t)&events[opened];
		param.id = (int32_t)(ID + opened);
		ret = perf_open((gpa_t)&param);
	}
	report(opened == limit, "%u opened, the limit is %u", opened, limit);
	report(perf_open((gpa_t)&param) == -PV_ENOSPC, "one more: ENOSPC");
	report(perf_op(KVM_PV_PERF_OP_CLOSE, ID) == 0, "close one");
	report(perf_open((gpa_t)&param) == 0, "open in its place");
	for (uint32_t i = 1; i <= limit; i++)
		perf_op(KVM_PV_PERF_OP_CLOSE, (int32_t)(ID + i));
	report(open_row(&plain) == 0 && perf_op(KVM_PV_PERF_OP_CLOSE, ID) == 0, "room after all were closed");
}

/* At CPL 3 no hypercall does anything. */
static uint64_t hypercalls_at_user(void *arg)
{
	uint64_t wrong = 0;

	(void)arg;
	wrong |= (uint64_t)(perf_op(KVM_PV_PERF_OP_READ, ID) != -KVM_EPERM) << 0;
	wrong |= (uint64_t)(perf_op(KVM_PV_PERF_OP_CLOSE, ID) != -KVM_EPERM) << 1;
	wrong |= (uint64_t)(open_row(&plain) != -KVM_EPERM) << 2;
	wrong |= (uint64_t)(hypercall(KVM_PERF_OP, 99, 0, 0) != -KVM_EPERM) << 3;
	wrong |= (uint64_t)(hypercall(99, 0, 0, 0) != -KVM_EPERM) << 4;
	wrong |= (uint64_t)(kick(0) != -KVM_EPERM) << 5;
	return wrong;
}

static void test_user(void)
{
	uint64_t wrong;

	open_row(&plain);
	wrong = user_run(hypercalls_at_user, NULL);
	report(!wrong, "from CPL 3: -1 (wrong: 0x%lx)", wrong);
	report(perf_op(KVM_PV_PERF_OP_CLOSE, ID) == 0, "CPL 3 has not closed the event");
}

static int64_t vmmcall(uint64_t number, uint64_t b, uint64_t c, uint64_t d)
{
	__asm__ volatile("vmmcall" : "+a"(number) : "b"(b), "c"(c), "d"(d) : "memory");
	return (int64_t)number;
}

static void test_vmmcall(void)
{
	open_row(&plain);
	report(vmmcall(KVM_PERF_OP, KVM_PV_PERF_OP_ENABLE, ID, 0) == 0, "vmmcall: enable");
	report(vmmcall(KVM_PERF_OP, KVM_PV_PERF_OP_CLOSE, ID, 0) == 0, "vmmcall: close");
	report(vmmcall(KVM_PERF_OP, KVM_PV_PERF_OP_CLOSE, ID, 0) == -PV_ENOENT, "vmmcall: ENOENT");
	report(vmmcall(99, 0, 0, 0) == -KVM_ENOSYS, "vmmcall: -1000");
}

/* RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8 to R15, RFLAGS; RSP is not lost, or this would not return. */
enum { REGISTERS = 16 };
extern uint64_t registers_in[REGISTERS], registers_out[REGISTERS];
uint64_t registers_in[REGISTERS], registers_out[REGISTERS];

__attribute__((naked)) static void vmcall_with_registers(void)
{
	__asm__ volatile("push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n\t"
			 "pushq registers_in+120; popfq\n\t"
			 "mov registers_in, %rax; mov registers_in+8, %rbx\n\t"
			 "mov registers_in+16, %rcx; mov registers_in+24, %rdx\n\t"
			 "mov registers_in+32, %rsi; mov registers_in+40, %rdi\n\t"
			 "mov registers_in+48, %rbp; mov registers_in+56, %r8\n\t"
			 "mov registers_in+64, %r9; mov registers_in+72, %r10\n\t"
			 "mov registers_in+80, %r11; mov registers_in+88, %r12\n\t"
			 "mov registers_in+96, %r13; mov registers_in+104, %r14\n\t"
			 "mov registers_in+112, %r15\n\t"
			 "vmcall\n\t"
			 "mov %rax, registers_out; mov %rbx, registers_out+8\n\t"
			 "mov %rcx, registers_out+16; mov %rdx, registers_out+24\n\t"
			 "mov %rsi, registers_out+32; mov %rdi, registers_out+40\n\t"
			 "mov %rbp, registers_out+48; mov %r8, registers_out+56\n\t"
			 "mov %r9, registers_out+64; mov %r10, registers_out+72\n\t"
			 "mov %r11, registers_out+80; mov %r12, registers_out+88\n\t"
			 "mov %r13, registers_out+96; mov %r14, registers_out+104\n\t"
			 "mov %r15, registers_out+112\n\t"
			 "pushfq; popq registers_out+120\n\t"
			 "cld\n\t"
			 "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n\t"
			 "ret");
}

static void registers_row(const char *name, uint64_t number, uint64_t op, int64_t expected)
{
	enum { RFLAGS_ALL = 0xcd7 }; /* OF DF SF ZF AF PF CF, and bit 1 */
	unsigned changed = 0;

	for (unsigned i = 0; i < REGISTERS; i++)
		registers_in[i] = 0x123456789abcdef0u + 0x1111111111111111u * i;
	registers_in[0] = number;
	registers_in[1] = op;
	registers_in[2] = ID;
	registers_in[15] = RFLAGS_ALL;
	vmcall_with_registers();
	for (unsigned i = 1; i < REGISTERS; i++)
		changed |= (unsigned)(registers_in[i] != registers_out[i]) << i;
	report(!changed && (int64_t)registers_out[0] == expected, "registers after %s: RAX %ld, changed 0x%x", name,
	       (int64_t)registers_out[0], changed);
}

static void test_registers(void)
{
	open_row(&plain);
	registers_row("enable", KVM_PERF_OP, KVM_PV_PERF_OP_ENABLE, 0);
	registers_row("read", KVM_PERF_OP, KVM_PV_PERF_OP_READ, 0);
	registers_row("disable", KVM_PERF_OP, KVM_PV_PERF_OP_DISABLE, 0);
	registers_row("close", KVM_PERF_OP, KVM_PV_PERF_OP_CLOSE, 0);
	registers_row("an error", KVM_PERF_OP, KVM_PV_PERF_OP_CLOSE, -PV_ENOENT);
	registers_row("an unknown number", 77, 0, -KVM_ENOSYS);
}

/* Without the feature nothing of it is there. */
static void test_switched_off(void)
{
	report_prefix_push("switched off");
	for (uint64_t op = 0; op <= KVM_PV_PERF_OP_MAX; op++)
		report(hypercall(KVM_PERF_OP, op, 0, 0) == -KVM_ENOSYS, "op %lu: -1000", op);
	report_prefix_pop();
}

int guest_main(void)
{
	struct kvm_pmu_capabilities capabilities;

	if (!kvm_pmu_discover(&capabilities)) {
		test_switched_off();
		return report_summary();
	}
	test_open();
	test_no_such_id();
	test_states();
	test_unknown();
	test_limit(capabilities.max_events);
	test_user();
	test_vmmcall();
	test_registers();
	return report_summary();
}
