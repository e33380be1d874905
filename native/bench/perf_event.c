/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own perf_event interface. */
#include <errno.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/bench_clock.h"
#include "bench/peer.h"

static int open_event(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Ticks of one call, or a negative errno; before ENABLE and DISABLE the event is brought into the other state. */
static int64_t one_call(int fd, enum perf_event_call call)
{
	unsigned long request = call == PERF_EVENT_CALL_ENABLE ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;
	unsigned long before = call == PERF_EVENT_CALL_ENABLE ? PERF_EVENT_IOC_DISABLE : PERF_EVENT_IOC_ENABLE;
	uint64_t count, start;
	int bad;

	if (call == PERF_EVENT_CALL_READ) {
		start = __builtin_ia32_rdtsc();
		bad = read(fd, &count, sizeof(count)) != sizeof(count);
	} else {
		bad = ioctl(fd, before, 0);
		start = __builtin_ia32_rdtsc();
		bad |= ioctl(fd, request, 0);
	}
	return bad ? -errno : (int64_t)(__builtin_ia32_rdtsc() - start);
}

int64_t perf_event_repeat(enum perf_event_call call, uint32_t n)
{
	int64_t spent = 0, begin = bench_now_ns();
	uint64_t ticks = __builtin_ia32_rdtsc();
	int fd = open_event();

	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; i < n && spent >= 0; i++) {
		int64_t one = one_call(fd, call);

		spent = one < 0 ? one : spent + one;
	}
	close(fd);
	ticks = __builtin_ia32_rdtsc() - ticks;
	if (spent < 0)
		return spent;
	return (int64_t)((double)spent * (double)(bench_now_ns() - begin) / (double)ticks);
}
