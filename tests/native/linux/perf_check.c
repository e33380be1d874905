/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in Linux, in a guest: events by perf_event_open(2), judged by code of known length. Each test prints "PASS: name"
 * or "FAIL: name", after a line for each check that failed. Arguments are names of tests; none are all.
 */
#define _GNU_SOURCE
#include "../checks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RING_PAGES = 256, PAGE = 4096, COUNTERS = 8 };

static int cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

/* 2n instructions and n branches, of which one is not taken. */
static void spin(uint64_t n)
{
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n));
}

static struct perf_event_attr attr_of(uint32_t type, uint64_t config)
{
	return (struct perf_event_attr){
		.size = sizeof(struct perf_event_attr), .type = type, .config = config, .disabled = 1, .exclude_kernel = 1,
	};
}

static int open_event(struct perf_event_attr attr, pid_t pid, int cpu, int group)
{
	return (int)syscall(SYS_perf_event_open, &attr, pid, cpu, group, PERF_FLAG_FD_CLOEXEC);
}

static int open_own(struct perf_event_attr attr)
{
	int fd = open_event(attr, 0, -1, -1);

	if (fd < 0)
		fprintf(stderr, "type %u, config %llx: %s\n", attr.type, (unsigned long long)attr.config, strerror(errno));
	return fd;
}

/* What perf_event_open() fails with; 0: it does not. */
static int error_of(struct perf_event_attr attr)
{
	int fd = open_event(attr, 0, -1, -1);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static uint64_t read_count(int fd)
{
	uint64_t count = 0;

	CHECK_EQ(read(fd, &count, sizeof(count)), sizeof(count));
	return count;
}

static void enable(int fd)
{
	CHECK_EQ(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0), 0);
}

static void disable(int fd)
{
	CHECK_EQ(ioctl(fd, PERF_EVENT_IOC_DISABLE, 0), 0);
}

static uint64_t count_spin(int fd, uint64_t n)
{
	CHECK_EQ(ioctl(fd, PERF_EVENT_IOC_RESET, 0), 0);
	enable(fd);
	spin(n);
	disable(fd);
	return read_count(fd);
}

/* What stands around the loop is the same each time: two lengths differ by the loop alone. */
static void exact_of(uint32_t type, uint64_t config, uint64_t each)
{
	int fd = open_own(attr_of(type, config));
	uint64_t around = count_spin(fd, 1000) - 1000 * each;

	CHECK(around < 200);
	for (uint64_t n = 1; n < 10000000; n = n * 7 + 3)
		CHECK_EQ(count_spin(fd, n), n * each + around);
	close(fd);
}

static void exact(void)
{
	exact_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, 2);
	exact_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_BRANCH_INSTRUCTIONS, 1);
	exact_of(PERF_TYPE_RAW, 0xc0, 2);
	exact_of(PERF_TYPE_RAW, 0xc4, 1);
}

/* The kernel's part is counted apart, and the sum is what both are. */
static void levels(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	uint64_t value[4]; /* nr, and three */
	int user, kernel, both;

	attr.exclude_kernel = 0;
	attr.read_format = PERF_FORMAT_GROUP;
	both = open_event(attr, 0, -1, -1);
	attr.disabled = 0;
	attr.exclude_user = 1;
	kernel = open_event(attr, 0, -1, both);
	attr.exclude_user = 0;
	attr.exclude_kernel = 1;
	user = open_event(attr, 0, -1, both);
	CHECK(both >= 0 && kernel >= 0 && user >= 0);
	enable(both);
	for (int i = 0; i < 100; i++) {
		spin(1000);
		getppid();
	}
	disable(both);
	CHECK_EQ(read(both, value, sizeof(value)), sizeof(value));
	CHECK_EQ(value[0], 3);
	CHECK(value[3] > 200000 && value[3] < 210000);
	CHECK(value[2] > 100 * 20);
	/* They start and stop one behind the other, in the kernel. */
	CHECK(value[1] >= value[3] && value[1] < value[2] + value[3] + 5000 && value[1] + 5000 > value[2] + value[3]);
	close(user);
	close(kernel);
	close(both);
}

static void cache(void)
{
	static volatile char memory[64 * 4096] = { 1 }; /* pages of its own */
	int loads = open_own(attr_of(PERF_TYPE_HW_CACHE, 0x00000)), misses = open_own(attr_of(PERF_TYPE_HW_CACHE, 0x10000));

	enable(loads);
	enable(misses);
	for (int i = 0; i < 64 * 4096; i += 64)
		(void)memory[i];
	disable(misses);
	disable(loads);
	CHECK(read_count(loads) >= 4096);
	CHECK(read_count(misses) >= 4000 && read_count(misses) <= read_count(loads));
	close(loads);
	close(misses);
}

static void refused(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);

	attr.precise_ip = 1;
	CHECK_EQ(error_of(attr), EOPNOTSUPP);
	attr.precise_ip = 0;
	attr.sample_type = PERF_SAMPLE_BRANCH_STACK;
	attr.branch_sample_type = PERF_SAMPLE_BRANCH_ANY | PERF_SAMPLE_BRANCH_USER;
	CHECK_EQ(error_of(attr), EOPNOTSUPP);
	attr.sample_type = attr.branch_sample_type = 0;
	attr.exclude_host = 1;
	CHECK_EQ(error_of(attr), EOPNOTSUPP);
	attr.exclude_host = 0;
	attr.exclude_idle = 1;
	CHECK_EQ(error_of(attr), EOPNOTSUPP);
	attr.exclude_idle = 0;
	attr.exclude_guest = 1; /* there is none */
	CHECK_EQ(error_of(attr), 0);
	attr.config1 = 1;
	CHECK_EQ(error_of(attr), EINVAL);
	CHECK_EQ(error_of(attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_STALLED_CYCLES_FRONTEND)), ENOENT);
	CHECK_EQ(error_of(attr_of(PERF_TYPE_RAW, 0x1234)), ENOENT);
	CHECK_EQ(error_of(attr_of(PERF_TYPE_HW_CACHE, 0x00002)), ENOENT);
}

/* More in a group than a CPU has counters. */
static void groups_fit(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	int fd[COUNTERS + 1] = { open_own(attr) };

	attr.disabled = 0;
	for (int i = 1; i < COUNTERS; i++) {
		fd[i] = open_event(attr, 0, -1, fd[0]);
		CHECK(fd[i] >= 0);
	}
	CHECK_EQ(open_event(attr, 0, -1, fd[0]), -1);
	CHECK_EQ(errno, EINVAL);
	enable(fd[0]);
	spin(1000);
	disable(fd[0]);
	for (int i = 0; i < COUNTERS; i++) {
		CHECK_EQ(read_count(fd[i]), read_count(fd[0]));
		CHECK(read_count(fd[i]) > 2000);
	}
	for (int i = COUNTERS; i--;)
		close(fd[i]);
}

struct timed {
	uint64_t count, enabled, running;
};

/* The guest has them take turns: by its own times the counts scale to what was executed. */
static void turns(void)
{
	enum { EVENTS = 2 * COUNTERS };
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	const uint64_t loops = 60000000;
	struct timed times;
	int fd[EVENTS];

	attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	for (int i = 0; i < EVENTS; i++)
		fd[i] = open_own(attr);
	for (int i = 0; i < EVENTS; i++)
		enable(fd[i]);
	spin(loops);
	for (int i = 0; i < EVENTS; i++)
		disable(fd[i]);
	for (int i = 0; i < EVENTS; i++) {
		CHECK_EQ(read(fd[i], &times, sizeof(times)), sizeof(times));
		CHECK(times.running && times.running < times.enabled);
		double scaled = (double)times.count * (double)times.enabled / (double)times.running;
		CHECK(scaled > 1.6 * (double)loops && scaled < 2.4 * (double)loops);
		close(fd[i]);
	}
}

static void children(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	uint64_t alone, together;
	int fd;

	attr.inherit = 1;
	fd = open_own(attr);
	alone = count_spin(fd, 10);
	enable(fd);
	for (int i = 0; i < 8; i++) {
		pid_t child = fork();

		if (!child) {
			spin(1000000);
			_exit(0);
		}
		CHECK(child > 0);
		CHECK_EQ(waitpid(child, NULL, 0), child);
	}
	disable(fd);
	together = read_count(fd);
	CHECK(together > alone + 8 * 2000000 && together < alone + 8 * 2000000 + 200000);
	close(fd);
}

/* ---- Sampling. */

struct ring {
	int fd;
	struct perf_event_mmap_page *page;
};

static struct ring sample(struct perf_event_attr attr)
{
	struct ring ring = { .fd = -1 };

	attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_PERIOD;
	ring.fd = open_own(attr);
	ring.page = mmap(NULL, (RING_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
	if (ring.page == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return ring;
}

struct taken {
	uint64_t samples, periods, in_spin, throttled, lost;
};

extern const char spin_begin[], spin_end[];

/* As spin(), at a place that is known. */
__attribute__((noinline)) static void known(uint64_t n)
{
	__asm__ volatile("spin_begin: 1: dec %0; jnz 1b; spin_end:" : "+r"(n));
}

static struct taken take(struct ring *ring)
{
	const char *data = (const char *)ring->page + PAGE;
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE), at = ring->page->data_tail;
	struct taken ret = { 0 };

	while (at < head) {
		union {
			struct {
				struct perf_event_header header;
				uint64_t ip, period;
			};
			char bytes[64];
		} record;

		for (unsigned i = 0; i < sizeof(record.header); i++)
			record.bytes[i] = data[(at + i) % (RING_PAGES * PAGE)];
		for (unsigned i = sizeof(record.header); i < record.header.size && i < sizeof(record); i++)
			record.bytes[i] = data[(at + i) % (RING_PAGES * PAGE)];
		at += record.header.size;
		if (record.header.type == PERF_RECORD_SAMPLE) {
			ret.samples++;
			ret.periods += record.period;
			ret.in_spin += record.ip >= (uintptr_t)spin_begin && record.ip <= (uintptr_t)spin_end;
		}
		ret.throttled += record.header.type == PERF_RECORD_THROTTLE;
		ret.lost += record.header.type == PERF_RECORD_LOST;
	}
	__atomic_store_n(&ring->page->data_tail, at, __ATOMIC_RELEASE);
	return ret;
}

static void close_ring(struct ring *ring)
{
	munmap(ring->page, (RING_PAGES + 1) * PAGE);
	close(ring->fd);
}

/* One sample for each period that was counted, none lost and none too many. */
static void fixed_period(void)
{
	for (uint64_t period = 1009; period < 1000000; period = period * 5 + 2) {
		struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
		struct ring ring;
		struct taken taken;
		uint64_t count;

		attr.sample_period = period;
		ring = sample(attr);
		enable(ring.fd);
		known(period * 100);
		disable(ring.fd);
		count = read_count(ring.fd);
		taken = take(&ring);
		CHECK_EQ(taken.samples, count / period);
		CHECK_EQ(taken.periods, count / period * period);
		CHECK(taken.in_spin + 2 >= taken.samples);
		CHECK_EQ(taken.throttled + taken.lost, 0);
		close_ring(&ring);
	}
}

static void frequency(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	struct ring ring;
	struct taken taken;
	uint64_t count;

	attr.freq = 1;
	attr.sample_freq = 1000;
	ring = sample(attr);
	enable(ring.fd);
	known(50000000); /* 0.1 s, if an instruction is a nanosecond */
	disable(ring.fd);
	count = read_count(ring.fd);
	taken = take(&ring);
	CHECK(taken.samples > 50 && taken.samples < 500);
	/* The periods of its samples are what it has counted, up to the last one's. */
	CHECK(taken.periods <= count && taken.periods > count / 10 * 9);
	CHECK_EQ(taken.lost, 0);
	close_ring(&ring);
}

/* PERF_EVENT_IOC_PERIOD, and PERF_EVENT_IOC_REFRESH: so many samples, then it is disabled. */
static void controlled(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	uint64_t period = 10000;
	struct ring ring;

	attr.sample_period = 1000;
	ring = sample(attr);
	enable(ring.fd);
	known(50000);
	disable(ring.fd);
	CHECK_EQ(take(&ring).samples, read_count(ring.fd) / 1000);
	CHECK_EQ(ioctl(ring.fd, PERF_EVENT_IOC_PERIOD, &period), 0);
	enable(ring.fd);
	known(50000);
	CHECK_EQ(take(&ring).samples, 10);
	period = 5000;
	CHECK_EQ(ioctl(ring.fd, PERF_EVENT_IOC_PERIOD, &period), 0); /* while it runs */
	known(50000);
	disable(ring.fd);
	CHECK_EQ(take(&ring).samples, 20);
	CHECK_EQ(ioctl(ring.fd, PERF_EVENT_IOC_REFRESH, 3), 0);
	known(50000);
	CHECK_EQ(take(&ring).samples, 3);
	close_ring(&ring);
}

/* Nearly every instruction overflows: perf stops it for the rest of a tick, and starts it again. */
static void throttled(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	struct ring ring;
	struct taken taken, more;

	attr.sample_period = 50;
	ring = sample(attr);
	enable(ring.fd);
	known(10000000);
	taken = take(&ring);
	CHECK(taken.throttled);
	CHECK(taken.samples > 100);
	known(10000000);
	more = take(&ring);
	CHECK(more.samples > 100);
	disable(ring.fd);
	close_ring(&ring);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void signalled(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	struct sigaction action = { .sa_handler = on_signal };
	struct ring ring;

	CHECK_EQ(sigaction(SIGIO, &action, NULL), 0);
	attr.sample_period = 1000000;
	attr.wakeup_events = 1;
	ring = sample(attr);
	CHECK_EQ(fcntl(ring.fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC), 0);
	CHECK_EQ(fcntl(ring.fd, F_SETOWN, getpid()), 0);
	enable(ring.fd);
	known(5000000);
	disable(ring.fd);
	CHECK(signals >= 9 && signals <= 10);
	close_ring(&ring);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A sample asks for an interrupt of its own CPU, for what an NMI cannot do; the end of the event waits for it, not for a tick. */
static void interrupts_of_samples(void)
{
	unsigned slow = 0;

	for (uint64_t i = 0; i < 200; i++) {
		struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
		struct ring ring;
		uint64_t begin;

		attr.exclude_kernel = 0;
		attr.sample_period = 3001 + i;
		attr.wakeup_events = 1;
		ring = sample(attr);
		enable(ring.fd);
		known(5000 + 7 * i);
		begin = now_ns();
		close_ring(&ring);
		slow += now_ns() - begin > 2000000;
	}
	CHECK(slow == 0 || cpus() > 1); /* by the clock of several CPUs anything may take long */
}

/* ---- Breakpoints. */

static volatile uint64_t watched;

static uint32_t type_of(const char *pmu)
{
	char path[128], text[16] = { 0 };
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type", pmu);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return (uint32_t)atoi(text);
}

static void touch(void)
{
	for (int i = 0; i < 100; i++) {
		watched = (uint64_t)i;
		(void)watched;
	}
}

/* The interface's own; and Linux's, which sets debug registers. */
static void breakpoints(void)
{
	struct perf_event_attr attr = attr_of(type_of("pvperf_breakpoint"), 2 | 8 << 8);
	int fd;

	attr.config1 = (uintptr_t)&watched;
	fd = open_own(attr);
	enable(fd);
	touch();
	disable(fd);
	CHECK_EQ(read_count(fd), 100);
	close(fd);
	attr.config = 3 | 8 << 8;
	fd = open_own(attr);
	enable(fd);
	touch();
	disable(fd);
	CHECK_EQ(read_count(fd), 200);
	close(fd);
	attr.config = 2 | 3 << 8;
	CHECK_EQ(error_of(attr), EINVAL);
	attr.config = 2 | 8 << 8 | 1 << 16;
	CHECK_EQ(error_of(attr), EINVAL);
	attr = attr_of(PERF_TYPE_BREAKPOINT, 0);
	attr.bp_type = HW_BREAKPOINT_W;
	attr.bp_addr = (uintptr_t)&watched;
	attr.bp_len = 8;
	fd = open_own(attr);
	enable(fd);
	touch();
	disable(fd);
	CHECK_EQ(read_count(fd), 100);
	close(fd);
}

/* ---- Tasks and CPUs. */

static void go_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void go_anywhere(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < cpus(); i++)
		CPU_SET(i, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* Scenario 1 of the mail: a task goes from CPU to CPU, and its event with it. */
static void follows_its_task(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	const uint64_t moves = 200, loops = 10000;
	struct ring ring;
	struct taken taken;
	uint64_t count;

	attr.sample_period = 10007;
	ring = sample(attr);
	enable(ring.fd);
	for (uint64_t i = 0; i < moves; i++) {
		go_to((int)(i % (uint64_t)cpus()));
		known(loops);
	}
	disable(ring.fd);
	go_anywhere();
	count = read_count(ring.fd);
	taken = take(&ring);
	CHECK(count > moves * loops * 2 && count < moves * (loops * 2 + 1000));
	CHECK_EQ(taken.samples, count / 10007);
	close_ring(&ring);
}

/* Others share the CPUs: what they execute is not counted. */
static void others_are_not_counted(void)
{
	pid_t others[3];
	int fd = open_own(attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS));
	uint64_t around = count_spin(fd, 1000) - 2000;

	for (int i = 0; i < 3; i++) {
		others[i] = fork();
		if (!others[i])
			for (;;)
				spin(100000);
	}
	for (int i = 0; i < 20; i++) {
		uint64_t n = 3000000 + (uint64_t)i;

		CHECK_EQ(count_spin(fd, n), 2 * n + around);
	}
	for (int i = 0; i < 3; i++) {
		kill(others[i], SIGKILL);
		waitpid(others[i], NULL, 0);
	}
	close(fd);
}

/* A CPU's event counts whoever runs there. */
static void of_a_cpu(void)
{
	struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
	int fd = open_event(attr, -1, cpus() - 1, -1);

	CHECK(fd >= 0);
	enable(fd);
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();

		if (!child) {
			go_to(cpus() - 1);
			spin(1000000);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	disable(fd);
	CHECK(read_count(fd) >= 4 * 2000000);
	close(fd);
}

/* By several at once: it is opened, enabled, moved and closed. */
static void by_many(void)
{
	enum { TASKS = 6 };
	pid_t task[TASKS];
	int status;

	for (int i = 0; i < TASKS; i++) {
		task[i] = fork();
		if (task[i])
			continue;
		for (int round = 0; round < 30; round++) {
			struct perf_event_attr attr = attr_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
			int fd;

			attr.sample_period = 5000 + (uint64_t)(i * 100 + round);
			fd = open_event(attr, 0, -1, -1);
			enable(fd);
			go_to((i + round) % cpus());
			spin(20000);
			disable(fd);
			if (fd < 0 || read_count(fd) < 40000)
				_exit(1);
			close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < TASKS; i++) {
		CHECK_EQ(waitpid(task[i], &status, 0), task[i]);
		CHECK_EQ(status, 0);
	}
}

static const struct named_test tests[] = {
	{ "exact", exact, false },
	{ "levels", levels, false },
	{ "cache", cache, false },
	{ "refused", refused, false },
	{ "groups_fit", groups_fit, false },
	{ "turns", turns, false },
	{ "children", children, false },
	{ "fixed_period", fixed_period, false },
	{ "frequency", frequency, false },
	{ "controlled", controlled, false },
	{ "throttled", throttled, false },
	{ "signalled", signalled, false },
	{ "interrupts_of_samples", interrupts_of_samples, false },
	{ "breakpoints", breakpoints, false },
	{ "follows_its_task", follows_its_task, false },
	{ "others_are_not_counted", others_are_not_counted, false },
	{ "of_a_cpu", of_a_cpu, false },
	{ "by_many", by_many, false },
	{ 0 },
};

int main(int argc, char **argv)
{
	const struct named_test *const suites[] = { tests };

	return run_tests(suites, 1, argc, argv);
}
