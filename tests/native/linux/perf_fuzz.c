/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs in Linux, in a guest: perf_event_open(2) and what can be done with its events, at random, by several tasks that
 * share the CPUs. perf_fuzz SEED TASKS OPERATIONS SLOW. It ends with 0: what it did wrong is for the kernel's log, the driver's
 * figures and the host to say.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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
#include <unistd.h>

enum { EVENTS = 40, PAGE = 4096 };

struct event {
	int fd; /* -1: free */
	void *ring;
	size_t ring_bytes;
};

static uint64_t state;
static struct event events[EVENTS];
static uint64_t opened, refused, operations;
static uint32_t breakpoint_pmu;
static uint64_t slow_share = 1000; /* one event in so many is one that is slow */
static volatile uint64_t watched[8];

/* xorshift64* */
static uint64_t draw(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

static uint64_t below(uint64_t n)
{
	return (draw() >> 16) % n;
}

static int one_in(uint64_t n)
{
	return !below(n);
}

/* Of any size. */
static uint64_t number(void)
{
	return draw() >> below(64);
}

/* What the engine has to look at every access or branch for: to begin and to end that costs it all its translations. */
static uint64_t slow_config(uint32_t type)
{
	static const uint64_t raw[] = { 0x4f2e, 0x412e, 0xc5 };
	static const uint64_t cache[] = { 0, 0x10000, 0x100 };

	switch (type) {
	case PERF_TYPE_HARDWARE:
		return below(10);
	case PERF_TYPE_HW_CACHE:
		return cache[below(3)];
	case PERF_TYPE_RAW:
		return raw[below(3)];
	case PERF_TYPE_BREAKPOINT:
		return 0;
	default:
		return (1 + below(7)) | 1 << (8 + below(4));
	}
}

static uint64_t fast_config(uint32_t type)
{
	static const uint64_t hardware[] = { 0, 1, 4, 6, 9 };
	static const uint64_t raw[] = { 0x3c, 0x13c, 0xc0, 0xc4 };

	return type == PERF_TYPE_HARDWARE ? hardware[below(5)] : type == PERF_TYPE_RAW ? raw[below(4)] : below(12);
}

static void draw_event(struct perf_event_attr *attr)
{
	static const uint32_t fast[] = { PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE, PERF_TYPE_RAW };
	const uint32_t slow[] = { PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE, PERF_TYPE_RAW, PERF_TYPE_BREAKPOINT,
				  breakpoint_pmu };

	if (one_in(slow_share)) {
		attr->type = slow[below(5)];
		attr->config = slow_config(attr->type);
	} else {
		attr->type = fast[below(3)];
		attr->config = fast_config(attr->type);
	}
	if (one_in(30))
		attr->type = 6 + (uint32_t)number();
	if (one_in(20))
		attr->config = 0x10000000000 | number();
}

static void draw_flags(struct perf_event_attr *attr)
{
	attr->disabled = one_in(2);
	attr->inherit = one_in(3);
	attr->pinned = one_in(8);
	attr->exclusive = one_in(12);
	attr->exclude_user = one_in(6);
	attr->exclude_kernel = one_in(3);
	attr->exclude_hv = one_in(6);
	attr->exclude_idle = one_in(30);
	attr->mmap = one_in(6);
	attr->comm = one_in(6);
	attr->enable_on_exec = one_in(20);
	attr->task = one_in(6);
	attr->watermark = one_in(10);
	attr->precise_ip = one_in(30) ? below(4) : 0;
	attr->sample_id_all = one_in(4);
	attr->exclude_host = one_in(40);
	attr->exclude_guest = one_in(3);
	attr->remove_on_exec = one_in(40);
}

static struct perf_event_attr draw_attr(void)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };

	draw_event(&attr);
	draw_flags(&attr);
	if (one_in(2)) {
		attr.freq = one_in(3);
		attr.sample_period = attr.freq ? 1 + below(20000) : one_in(4) ? number() : 200 + below(1000000);
		attr.sample_type = one_in(4) ? number() & ((1 << 25) - 1) : below(1 << 11);
		attr.sample_regs_user = one_in(20) ? number() : 0xff;
		attr.sample_stack_user = (uint32_t)below(8) * 64;
	}
	attr.read_format = below(16);
	if (one_in(8))
		attr.wakeup_events = (uint32_t)number();
	if (attr.type == PERF_TYPE_BREAKPOINT) {
		attr.bp_type = (uint32_t)below(5);
		attr.bp_addr = (uintptr_t)&watched[below(8)] + (one_in(8) ? below(8) : 0);
		attr.bp_len = 1ull << below(4);
	} else if (attr.type == breakpoint_pmu)
		attr.config1 = one_in(10) ? number() : (uintptr_t)&watched[below(8)];
	else if (one_in(60))
		attr.config1 = number();
	if (one_in(200))
		((uint8_t *)&attr)[below(sizeof(attr))] = (uint8_t)draw();
	return attr;
}

static struct event *any(void)
{
	return &events[below(EVENTS)];
}

static int cpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void open_one(struct event *event)
{
	struct perf_event_attr attr = draw_attr();
	int cpu = one_in(3) ? (int)below((uint64_t)cpus() + one_in(50)) : -1;
	pid_t pid = one_in(6) ? -1 : one_in(8) ? getppid() : 0;

	event->fd = (int)syscall(SYS_perf_event_open, &attr, pid, cpu, one_in(3) ? any()->fd : -1,
				 one_in(50) ? number() : PERF_FLAG_FD_CLOEXEC);
	opened += event->fd >= 0;
	refused += event->fd < 0;
}

static void unmap(struct event *event)
{
	if (event->ring)
		munmap(event->ring, event->ring_bytes);
	event->ring = NULL;
}

static void close_one(struct event *event)
{
	unmap(event);
	close(event->fd);
	event->fd = -1;
}

static void map(struct event *event)
{
	size_t bytes = (1 + (1ull << below(4))) * PAGE;
	void *ring;

	unmap(event);
	ring = mmap(NULL, bytes, PROT_READ | (one_in(3) ? 0 : PROT_WRITE), MAP_SHARED, event->fd, 0);
	if (ring == MAP_FAILED)
		return;
	event->ring = ring;
	event->ring_bytes = bytes;
}

static void control(struct event *event)
{
	static const unsigned long requests[] = {
		PERF_EVENT_IOC_ENABLE,	PERF_EVENT_IOC_DISABLE, PERF_EVENT_IOC_REFRESH,	     PERF_EVENT_IOC_RESET,
		PERF_EVENT_IOC_PERIOD,	PERF_EVENT_IOC_ID,	PERF_EVENT_IOC_PAUSE_OUTPUT, PERF_EVENT_IOC_ENABLE,
		PERF_EVENT_IOC_DISABLE,
	};
	unsigned long request = requests[below(sizeof(requests) / sizeof(*requests))];
	uint64_t value = one_in(4) ? number() : 100 + below(100000);

	if (one_in(20))
		ioctl(event->fd, PERF_EVENT_IOC_SET_OUTPUT, any()->fd);
	else if (request == PERF_EVENT_IOC_PERIOD || request == PERF_EVENT_IOC_ID)
		ioctl(event->fd, request, &value);
	else
		ioctl(event->fd, request, request == PERF_EVENT_IOC_REFRESH ? below(5) : below(2));
}

static void work(void)
{
	for (uint64_t n = below(2000) << below(6); n--;)
		watched[n % 8] += n;
	if (one_in(4))
		sched_yield();
}

static void move(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 0; i < cpus(); i++)
		if (one_in(2))
			CPU_SET(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void fork_one(void)
{
	pid_t child = fork();

	if (!child) {
		work();
		if (one_in(2))
			execl("/bin/true", "true", (char *)NULL);
		_exit(0);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

static void step(void)
{
	struct event *event = any();
	char buffer[4096];

	operations++;
	if (event->fd < 0) {
		open_one(event);
		return;
	}
	switch (below(12)) {
	case 0:
		close_one(event);
		break;
	case 1:
		map(event);
		break;
	case 2:
	case 3:
		if (read(event->fd, buffer, one_in(10) ? below(sizeof(buffer)) : sizeof(buffer)) < 0 && errno == EFAULT)
			abort();
		break;
	case 4:
		move();
		break;
	case 5:
		if (one_in(4))
			fork_one();
		break;
	case 6:
		fcntl(event->fd, F_SETFL, one_in(2) ? O_ASYNC : O_NONBLOCK);
		fcntl(event->fd, F_SETOWN, getpid());
		break;
	case 7:
	case 8:
		work();
		break;
	default:
		control(event);
		break;
	}
}

static void task(uint64_t seed, uint64_t steps)
{
	state = seed * 0x9e3779b97f4a7c15 + 1;
	signal(SIGIO, SIG_IGN);
	signal(SIGTRAP, SIG_IGN);
	for (int i = 0; i < EVENTS; i++)
		events[i].fd = -1;
	while (steps--)
		step();
	printf("seed %llu: %llu operations, %llu opened, %llu refused\n", (unsigned long long)seed,
	       (unsigned long long)operations, (unsigned long long)opened, (unsigned long long)refused);
	fflush(stdout);
	_exit(!opened);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, tasks = argc > 2 ? strtoull(argv[2], NULL, 0) : 4;
	uint64_t steps = argc > 3 ? strtoull(argv[3], NULL, 0) : 10000;

	slow_share = argc > 4 ? strtoull(argv[4], NULL, 0) : slow_share;
	FILE *type = fopen("/sys/bus/event_source/devices/pvperf_breakpoint/type", "r");
	int status, failed = 0;

	if (!type || fscanf(type, "%u", &breakpoint_pmu) != 1)
		return 2;
	for (uint64_t i = 0; i < tasks; i++)
		if (!fork())
			task(seed + i, steps);
	while (wait(&status) >= 0)
		failed |= status != 0;
	return failed;
}
