/* SPDX-License-Identifier: GPL-2.0-only */
/* The trace: rings, what is lost, and what a sequence of operations leaves in them. */
#include <errno.h>
#include <string.h>

#include "core/overflow/overflow.h"
#include "core/vm/host_thread.h"
#include "core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAM = 0x1000, EVENTS = 0x2000, MOST = 256 };

static struct fake_vm fake;
static struct pv_trace_record got[MOST];

static gpa_t at(uint32_t id)
{
	return EVENTS + id * 16;
}

static void prepare(uint32_t trace_records)
{
	fake_vm_init(&fake, 2);
	fake.now_ns = 1000;
	fake.config.trace_records = trace_records;
	fake.config.trace_kinds = UINT32_MAX;
}

/* The test's own thread writes this vCPU's ring from here on. */
static void trace_as(uint32_t ring)
{
	pv_self()->trace = trace_ring_of(fake.vm, ring);
}

static void destroy(void)
{
	pv_self()->trace = NULL;
	fake_vm_destroy(&fake);
}

static uint64_t lost(void)
{
	struct pv_vm_statistics statistics;

	vm_statistics(fake.vm, &statistics);
	return statistics.trace_lost;
}

static void off(void)
{
	static const uint32_t wrong[] = { 1, 3, 100, (1 << 24) + 1, 1u << 25 };

	prepare(0);
	CHECK_EQ(fake_vm_create(&fake), 0);
	trace_as(0);
	direct_boot(&fake);
	CHECK_EQ(vm_trace_read(fake.vm, 0, got, MOST), 0);
	CHECK_EQ(lost(), 0);
	destroy();
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		prepare(wrong[i]);
		CHECK_EQ(fake_vm_create(&fake), -EINVAL);
		fake_vm_destroy(&fake);
	}
}

static void put(uint64_t first, int n)
{
	for (int i = 0; i < n; i++)
		trace(fake.vm, PV_TRACE_KICK, 1, 7, first + (uint64_t)i, 0);
}

/* Reads a ring of KICKs: values from `first` on, `n` of them. */
static void expect(uint64_t first, uint32_t n)
{
	CHECK_EQ(vm_trace_read(fake.vm, 0, got, MOST), n);
	for (uint32_t i = 0; i < n; i++) {
		CHECK_EQ(got[i].kind, PV_TRACE_KICK);
		CHECK_EQ(got[i].vcpu, 1);
		CHECK_EQ(got[i].id, 7);
		CHECK_EQ(got[i].a, first + i);
	}
}

/* A full ring keeps what it has, counts what comes, and says so in front of what it keeps next. */
static void wraps(void)
{
	prepare(4);
	CHECK_EQ(fake_vm_create(&fake), 0);
	trace_as(0);
	for (uint64_t round = 0; round < 10; round++) {
		put(round * 3, 3);
		expect(round * 3, 3);
	}
	put(100, 9);
	CHECK_EQ(lost(), 5);
	CHECK_EQ(vm_trace_read(fake.vm, 0, got, 1), 1);
	CHECK_EQ(got[0].a, 100);
	put(200, 1); /* there is room for one, but not for the gap before it */
	CHECK_EQ(lost(), 6);
	expect(101, 3);
	put(300, 5);
	CHECK_EQ(lost(), 8);
	CHECK_EQ(vm_trace_read(fake.vm, 0, got, 1), 1);
	CHECK_EQ(got[0].kind, PV_TRACE_LOST);
	CHECK_EQ(got[0].a, 6);
	expect(300, 3);
	expect(0, 0);
	CHECK_EQ(vm_trace_read(fake.vm, 4, got, MOST), 0);
	CHECK_EQ(vm_trace_read(fake.vm, UINT32_MAX, got, MOST), 0);
	destroy();
}

struct row {
	enum pv_trace_kind kind;
	uint32_t vcpu;
	uint64_t a, b;
};

/* The ring has exactly these. */
static void expect_rows(uint32_t ring, const struct row *rows, uint32_t n)
{
	uint32_t read = vm_trace_read(fake.vm, ring, got, MOST);
	uint64_t before = 0;

	CHECK_EQ(read, n);
	for (uint32_t i = 0; i < n && i < read; i++) {
		CHECK_EQ(got[i].kind, rows[i].kind);
		CHECK_EQ(got[i].vcpu, rows[i].vcpu);
		CHECK_EQ(got[i].a, rows[i].a);
		CHECK_EQ(got[i].b, rows[i].b);
		CHECK(got[i].time_ns >= before);
		before = got[i].time_ns;
	}
}
#define EXPECT_ROWS(ring, ...) \
	expect_rows(ring, (const struct row[]){ __VA_ARGS__ }, \
		    sizeof((const struct row[]){ __VA_ARGS__ }) / sizeof(struct row))

#define HYPERCALL_ROWS(op) { PV_TRACE_EXIT, 0, PV_EXIT_HYPERCALL, 0 }, { PV_TRACE_HYPERCALL, 0, KVM_PERF_OP, op }

static void create_with_event(void)
{
	CHECK_EQ(fake_vm_create(&fake), 0);
	direct_boot(&fake);
	put_sampling(&fake, PARAM, 5, PV_HW_INSTRUCTIONS, 0, 100, at(5));
	trace_as(0);
}

/* Kinds that are not wanted leave no trace. */
static void of_some_kinds(void)
{
	prepare(64);
	fake.config.trace_kinds = 1u << PV_TRACE_OPEN | 1u << PV_TRACE_CLOSE;
	create_with_event();
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 5), 0);
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 5), 0);
	EXPECT_ROWS(0, { PV_TRACE_OPEN, 0, 0, 0 }, { PV_TRACE_CLOSE, 0, 0, 0 });
	destroy();
}

/* Open, enable, an overflow that misses, one that is synced, one too many, close. */
static void of_an_overflow(void)
{
	prepare(64);
	fake.config.max_sample_rate = 500; /* two in a window */
	create_with_event();
	fake.now_ns += 10 * OVERFLOW_WINDOW_NS;
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	EXPECT_ROWS(0, HYPERCALL_ROWS(OPEN), { PV_TRACE_OPEN, 0, 0, 0 }, { PV_TRACE_RESULT, 0, 0, 0 });
	CHECK_EQ(got[2].id, 5);
	CHECK_EQ(got[2].time_ns, fake.now_ns);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 5), 0);
	EXPECT_ROWS(0, HYPERCALL_ROWS(ENABLE), { PV_TRACE_HOLD, 0, 0, 0 }, { PV_TRACE_ATTACH, 0, 0, 0 },
		    { PV_TRACE_RELEASE, 0, 0, 0 }, { PV_TRACE_RESULT, 0, 0, 0 });
	CHECK_EQ(got[1].id, 5);
	CHECK_EQ(direct_enter(&fake, 0), 0);
	fake.vm->config.fault_permille[PV_FAULT_TRYLOCK] = 1000;
	direct_run(&fake, 0, 0, 250);
	direct_exit(&fake, 0, PV_EXIT_OVERFLOW);
	fake.vm->config.fault_permille[PV_FAULT_TRYLOCK] = 0;
	CHECK_EQ(direct_enter(&fake, 0), 0);
	EXPECT_ROWS(0, { PV_TRACE_ENTRY, 0, 0, 0 }, { PV_TRACE_EXIT, 0, PV_EXIT_OVERFLOW, 0 },
		    { PV_TRACE_RAISE, 0, 2, 250 }, { PV_TRACE_NMI, 0, 2, 0 }, { PV_TRACE_MISS, 0, 0, 0 },
		    { PV_TRACE_ENTRY, 0, 0, 0 });
	direct_run(&fake, 0, 0, 100);
	direct_exit(&fake, 0, PV_EXIT_OVERFLOW);
	CHECK_EQ(direct_enter(&fake, 0), PV_INJECT_NMI);
	EXPECT_ROWS(0, { PV_TRACE_EXIT, 0, PV_EXIT_OVERFLOW, 0 }, { PV_TRACE_RAISE, 0, 1, 350 },
		    { PV_TRACE_NMI, 0, 1, 0 }, { PV_TRACE_SYNC, 0, 1, 0 }, { PV_TRACE_DELIVER, 0, 3, 0 },
		    { PV_TRACE_SYNCED, 0, 3, 0 }, { PV_TRACE_ENTRY, 0, PV_INJECT_NMI, 0 });
	direct_run(&fake, 0, 0, 100);
	direct_exit(&fake, 0, PV_EXIT_OVERFLOW);
	EXPECT_ROWS(0, { PV_TRACE_EXIT, 0, PV_EXIT_OVERFLOW, 0 }, { PV_TRACE_RAISE, 0, 1, 450 },
		    { PV_TRACE_THROTTLE, 0, 0, 0 });
	CHECK_EQ(direct_op(&fake, 0, CLOSE, 5), 0);
	EXPECT_ROWS(0, HYPERCALL_ROWS(CLOSE), { PV_TRACE_HOLD, 0, 0, 0 }, { PV_TRACE_UNTHROTTLE, 0, 0, 0 },
		    { PV_TRACE_DETACH, 0, 1, 0 }, { PV_TRACE_RELEASE, 0, 0, 0 }, { PV_TRACE_CLOSE, 0, 1, 0 },
		    { PV_TRACE_RESULT, 0, 0, 0 });
	CHECK_EQ(lost(), 0);
	destroy();
}

/* What waits in the shadow goes along to the other vCPU. Memory that fails is told. */
static void of_two_vcpus(void)
{
	prepare(64);
	fake.config.nmi = "lockless";
	fake.config.fault_permille[PV_FAULT_GUEST_WRITE] = 1000;
	create_with_event();
	CHECK_EQ(direct_open(&fake, 0, PARAM), 0);
	CHECK_EQ(direct_op(&fake, 0, ENABLE, 5), 0);
	vm_trace_read(fake.vm, 0, got, MOST);
	direct_run(&fake, 0, 0, 100);
	direct_exit(&fake, 0, PV_EXIT_KICK);
	vcpu_ring(&fake.vm->vcpus[1]);
	CHECK_EQ(direct_enter(&fake, 0), 0);
	EXPECT_ROWS(0, { PV_TRACE_EXIT, 0, PV_EXIT_KICK, 0 }, { PV_TRACE_RAISE, 0, 1, 100 },
		    { PV_TRACE_NMI, 0, 1, 0 }, { PV_TRACE_DEFER, 0, 0, 0 }, { PV_TRACE_KICK, 1, 0, 0 },
		    { PV_TRACE_SYNC, 0, 1, 0 }, { PV_TRACE_DELIVER, 0, 0, 0 }, { PV_TRACE_FAILED, 0, 0, 0 },
		    { PV_TRACE_SYNCED, 0, 0, 0 }, { PV_TRACE_ENTRY, 0, 0, 0 });
	direct_exit(&fake, 0, PV_EXIT_KICK);
	vm_trace_read(fake.vm, 0, got, MOST);
	trace_as(1);
	CHECK_EQ(direct_op(&fake, 1, ENABLE, 5), 0);
	EXPECT_ROWS(1, { PV_TRACE_EXIT, 1, PV_EXIT_HYPERCALL, 0 },
		    { PV_TRACE_HYPERCALL, 1, KVM_PERF_OP, ENABLE }, { PV_TRACE_HOLD, 0, 0, 0 },
		    { PV_TRACE_DETACH, 0, 1, 0 }, { PV_TRACE_RELEASE, 0, 0, 0 }, { PV_TRACE_HOLD, 1, 0, 0 },
		    { PV_TRACE_ATTACH, 1, 1, 0 }, { PV_TRACE_RELEASE, 1, 0, 0 }, { PV_TRACE_RESULT, 1, 0, 0 });
	CHECK_EQ(direct_op(&fake, 1, DISABLE, 5), 0);
	CHECK_EQ(vm_trace_read(fake.vm, 1, got, MOST), 7);
	CHECK_EQ(got[5].kind, PV_TRACE_FINISH);
	CHECK_EQ(got[5].a, 1);
	destroy();
}

enum { RACE_RECORDS = 200000 };

static uint32_t produced;

static void *produce(void *arg)
{
	struct pv_thread self;

	(void)arg;
	host_thread_adopt(fake.vm, &self, "producer");
	trace_as(0);
	for (int i = 0; i < RACE_RECORDS; i++)
		put((uint64_t)i, 1);
	pv_thread_adopt(NULL);
	word_add(&produced, 1);
	return NULL;
}

/* Checks what came, and returns the value that is expected next. */
static uint64_t check_run(uint32_t n, uint64_t next)
{
	for (uint32_t i = 0; i < n; i++) {
		if (got[i].kind == PV_TRACE_LOST) {
			next += got[i].a;
			continue;
		}
		CHECK_EQ(got[i].a, next);
		next = got[i].a + 1;
	}
	return next;
}

/* One writes and one reads: every record is read once, whole and in order, or is told as lost. */
static void race(void)
{
	uint64_t next = 0;
	pthread_t thread;
	uint32_t n;

	prepare(16);
	fake.now_ns = 0;
	produced = 0;
	CHECK_EQ(fake_vm_create(&fake), 0);
	pthread_create(&thread, NULL, produce, NULL);
	while (!word_load(&produced))
		next = check_run(vm_trace_read(fake.vm, 0, got, 1 + (uint32_t)(next % 16)), next);
	pthread_join(thread, NULL);
	while ((n = vm_trace_read(fake.vm, 0, got, MOST)))
		next = check_run(n, next);
	CHECK_EQ(next + fake.vm->trace.ring[0].gap, RACE_RECORDS); /* the last gap has nothing behind it to tell of it */
	destroy();
}

static void run_and_leave(struct guest *guest)
{
	for (int i = 0; i < 10; i++)
		guest_op(guest, READ, 1000);
	if (guest->vcpu == 0)
		guest_out(guest, PV_PORT_EXIT, 1, 0);
}

/* Every thread of a VM writes its own ring; none says more or less than the statistics. */
static void of_threads(void)
{
	uint64_t exits = 0, kicks = 0, stops = 0, told_exits = 0;
	struct pv_vm_statistics statistics;
	struct pv_vm_end end;
	uint32_t n;

	prepare(1024);
	fake.now_ns = 0;
	CHECK_EQ(fake_vm_create(&fake), 0);
	guests_start(&fake, run_and_leave);
	fake_end(&fake, &end);
	guests_join(&fake);
	vm_statistics(fake.vm, &statistics);
	for (int i = 0; i < PV_EXIT_REASONS; i++)
		exits += statistics.exits[i];
	for (uint32_t ring = 0; ring < fake.config.vcpus + PV_TRACE_RINGS_BESIDE; ring++) {
		while ((n = vm_trace_read(fake.vm, ring, got, MOST)))
			for (uint32_t i = 0; i < n; i++) {
				told_exits += got[i].kind == PV_TRACE_EXIT;
				stops += got[i].kind == PV_TRACE_STOP;
				kicks += got[i].kind == PV_TRACE_KICK;
				CHECK(got[i].kind != PV_TRACE_EXIT || got[i].vcpu == ring);
			}
	}
	CHECK_EQ(told_exits, exits);
	CHECK_EQ(stops, 2);
	CHECK_EQ(kicks, statistics.kicks);
	CHECK_EQ(statistics.trace_lost, 0);
	destroy();
}

const struct named_test trace_tests[] = {
	{ "trace_off", off, false },
	{ "trace_wraps", wraps, false },
	{ "trace_of_some_kinds", of_some_kinds, false },
	{ "trace_of_an_overflow", of_an_overflow, false },
	{ "trace_of_two_vcpus", of_two_vcpus, false },
	{ "trace_race", race, false },
	{ "trace_of_threads", of_threads, false },
	{ NULL, NULL, false },
};
