/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/platform/platform.h"

#include "abi/handover.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"
#include "engine/platform/clock.h"

enum { DONE = -2, GP = 13 };

/* A vCPU whose process has had no core for long is not the one that holds the clock up. */
enum { MOST_LAG_NS = 10 * 1000 * 1000 };

enum {
	MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_MISC_ENABLE = 0x1a0, MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC = 0x800, MSR_X2APIC_END = 0x900,
};

static bool is_alone(const struct platform *platform)
{
	return platform->cpu->config.page->vcpus == 1;
}

static void ring(void *owner, uint32_t vcpu)
{
	struct platform *platform = owner;

	if (platform->cpu->share.laters)
		share_tell(&platform->cpu->share); /* before it takes the interrupt */
	clock_wake(platform->shared, platform->cpu->config.vcpu, vcpu);
}

void platform_create(struct platform *platform, struct cpu *cpu)
{
	const struct pv_engine_config *config = &cpu->config;

	*platform = (struct platform){ .shared = config->platform, .cpu = cpu };
	if (!config->platform)
		return;
	platform->apic.id = config->vcpu;
	platform->apic.vcpus = config->page->vcpus;
	platform->apic.all = config->platform->ipi;
	platform->apic.ring = ring;
	platform->apic.owner = platform;
	apic_reset(&platform->apic, config->vcpu == 0);
	if (config->vcpu == 0) {
		devices_reset(config->platform);
		clock_reset(config->platform, config->page->vcpus);
	}
}

/* Instructions retired in front of `rip`, those of handlers of NMIs too, which no counter has. */
static uint64_t instructions(const struct platform *platform, uint64_t rip)
{
	struct charged ahead;

	count_fold(platform->cpu);
	ahead = count_ahead(platform->cpu, rip);
	return count_elapsed(platform->cpu) - ahead.instructions;
}

static uint64_t local(const struct platform *platform, uint64_t rip)
{
	return instructions(platform, rip) + platform->slept;
}

uint64_t platform_now(const struct platform *platform, uint64_t rip)
{
	uint64_t own = local(platform, rip);

	return is_alone(platform) ? own : clock_now(platform->shared, own);
}

uint64_t platform_tsc(const struct platform *platform, uint64_t rip)
{
	return platform_now(platform, rip) + (uint64_t)platform->tsc_offset;
}

static uint64_t next(const struct platform *platform)
{
	uint64_t of_devices = platform->cpu->config.vcpu ? UINT64_MAX : devices_due(platform->shared);
	uint64_t of_apic = platform->apic.timer_at;

	return of_devices < of_apic ? of_devices : of_apic;
}

static bool extint(const struct platform *platform)
{
	return platform->cpu->config.vcpu == 0 && devices_interrupt(platform->shared) && apic_passes_extint(&platform->apic);
}

bool platform_interrupts(const struct platform *platform)
{
	return apic_pending(&platform->apic) >= 0 || extint(platform);
}

/* The next look is due when the clock gets there; an interrupt wants one before the next block. */
static void arrange(struct platform *platform)
{
	uint64_t at = next(platform);

	platform->cpu->count.timer = at == UINT64_MAX ? UINT64_MAX : at > platform->slept ? at - platform->slept : 0;
	if (platform_interrupts(platform) || apic_has_nmi(&platform->apic))
		count_attend(platform->cpu, ATTEND_INJECT);
	else
		count_fold(platform->cpu);
}

static void run_at(struct platform *platform, uint64_t now)
{
	apic_run(&platform->apic, now);
	if (platform->cpu->config.vcpu == 0) {
		devices_lock(platform->shared, 0);
		devices_run(platform->shared, now);
		devices_unlock(platform->shared);
	}
	arrange(platform);
}

/* It has done something else for a while: waited for the host, or for a core. */
static void catch_up(struct platform *platform, uint64_t now, uint64_t own, uint64_t by)
{
	if (now > own + by)
		platform->slept += now - own - by;
}

void platform_run(struct platform *platform, uint64_t rip)
{
	uint64_t now = platform_now(platform, rip);

	if (!is_alone(platform))
		catch_up(platform, now, local(platform, rip), MOST_LAG_NS);
	run_at(platform, now);
}

bool platform_is_due(struct platform *platform, uint64_t rip)
{
	uint64_t now;

	if (is_alone(platform))
		return false; /* the count is */
	now = clock_tick(platform->shared, platform->cpu->config.page->vcpus, platform->cpu->config.vcpu, local(platform, rip));
	return now >= next(platform);
}

uint8_t platform_acknowledge(struct platform *platform)
{
	int vector = apic_pending(&platform->apic);

	if (vector >= 0) {
		apic_acknowledge(&platform->apic, (uint8_t)vector);
	} else {
		devices_lock(platform->shared, 0);
		vector = devices_acknowledge(platform->shared);
		devices_unlock(platform->shared);
	}
	arrange(platform);
	return (uint8_t)vector;
}

static bool read_msr(struct platform *platform, uint32_t number, uint64_t now, uint64_t *value)
{
	switch (number) {
	case MSR_TSC:
		*value = now + (uint64_t)platform->tsc_offset;
		return true;
	case MSR_APIC_BASE:
		*value = platform->apic.base;
		return true;
	case MSR_TSC_DEADLINE:
		*value = apic_read_deadline(&platform->apic);
		if (*value)
			*value += (uint64_t)platform->tsc_offset;
		return true;
	case MSR_MISC_ENABLE: /* without fast strings: each iteration of a rep is a block, and Linux has better loops */
		*value = 0;
		return true;
	default:
		return apic_read(&platform->apic, now, number - MSR_X2APIC, value);
	}
}

static bool write_msr(struct platform *platform, uint32_t number, uint64_t now, uint64_t value)
{
	bool done = true;

	switch (number) {
	case MSR_TSC:
		platform->tsc_offset = (int64_t)(value - now);
		break;
	case MSR_APIC_BASE:
		done = apic_write_base(&platform->apic, value);
		break;
	case MSR_TSC_DEADLINE:
		apic_write_deadline(&platform->apic, now, value ? value - (uint64_t)platform->tsc_offset : 0);
		break;
	case MSR_MISC_ENABLE:
		break;
	default:
		done = apic_write(&platform->apic, now, number - MSR_X2APIC, value);
		break;
	}
	apic_run(&platform->apic, now);
	arrange(platform);
	return done;
}

int platform_msr(struct platform *platform, bool write, uint32_t number, uint64_t *value, uint64_t rip)
{
	bool done;

	if (number != MSR_TSC && number != MSR_APIC_BASE && number != MSR_TSC_DEADLINE && number != MSR_MISC_ENABLE &&
	    (number < MSR_X2APIC || number >= MSR_X2APIC_END))
		return PLATFORM_NOT_MINE;
	done = write ? write_msr(platform, number, platform_now(platform, rip), *value) :
		       read_msr(platform, number, platform_now(platform, rip), value);
	return done ? DONE : GP;
}

uint64_t platform_cr8(const struct platform *platform)
{
	return platform->apic.tpr >> 4;
}

void platform_set_cr8(struct platform *platform, uint64_t value)
{
	platform->apic.tpr = (uint32_t)value << 4;
	arrange(platform);
}

/* The devices' interrupts, and when they are due, are vCPU 0's. */
static void tell_first(struct platform *platform)
{
	if (platform->cpu->config.vcpu && devices_interrupt(platform->shared))
		clock_wake(platform->shared, platform->cpu->config.vcpu, 0);
}

uint32_t platform_in(struct platform *platform, uint64_t rip, uint16_t port, unsigned size)
{
	uint64_t now = platform_now(platform, rip);
	uint32_t value;

	devices_lock(platform->shared, platform->cpu->config.vcpu);
	value = devices_in(platform->shared, now, port, size);
	devices_unlock(platform->shared);
	tell_first(platform);
	arrange(platform);
	return value;
}

enum devices_exit platform_out(struct platform *platform, uint64_t rip, uint16_t port, unsigned size, uint32_t value)
{
	uint64_t now = platform_now(platform, rip);
	enum devices_exit ret;

	devices_lock(platform->shared, platform->cpu->config.vcpu);
	ret = devices_out(platform->shared, now, port, size, value);
	devices_unlock(platform->shared);
	tell_first(platform);
	arrange(platform);
	return ret;
}

static void wait_doorbell(const struct platform *platform)
{
	handover_wait_doorbell(platform->cpu->bell, platform->cpu->config.page);
}

/* Whoever sits in front of it waits, too. How much of it has passed when something comes in between. */
static uint64_t let_pass(const struct platform *platform, uint64_t ns)
{
	return handover_wait_doorbell_for(platform->cpu->bell, platform->cpu->config.page, ns);
}

static void sleep_alone(struct platform *platform, uint64_t rip)
{
	uint64_t now = local(platform, rip), at = next(platform), left = at > now ? at - now : 0;

	if (at == UINT64_MAX) {
		wait_doorbell(platform);
		return;
	}
	if (platform->cpu->config.paced)
		left = let_pass(platform, left);
	platform->slept += left;
	run_at(platform, now + left);
}

static void sleep_among_others(struct platform *platform, uint64_t rip, bool interruptible)
{
	const struct pv_engine_config *config = &platform->cpu->config;
	struct pv_platform *shared = platform->shared;
	uint64_t idle, now;

	clock_fall_asleep(shared, config->page->vcpus, config->vcpu, interruptible ? next(platform) : UINT64_MAX, config->paced);
	while (clock_is_asleep(shared, config->vcpu) && !handover_doorbell(platform->cpu->bell) &&
	       !__atomic_load_n(&config->page->ended, __ATOMIC_ACQUIRE)) {
		now = clock_now(shared, 0);
		idle = config->paced ? clock_idle(shared) : 0;
		if (idle && idle != UINT64_MAX)
			clock_pass(shared, config->page->vcpus, config->vcpu, now + let_pass(platform, idle));
		else
			wait_doorbell(platform);
	}
	clock_wake_up(shared, config->vcpu);
	catch_up(platform, platform_now(platform, rip), local(platform, rip), 0);
	platform_run(platform, rip);
}

void platform_sleep(struct platform *platform, uint64_t rip, bool interruptible)
{
	if (is_alone(platform))
		sleep_alone(platform, rip);
	else
		sleep_among_others(platform, rip, interruptible);
}

void platform_wait(struct platform *platform)
{
	const struct pv_engine_config *config = &platform->cpu->config;

	clock_stop(platform->shared, config->page->vcpus, config->vcpu); /* what else was left for it does not count */
	if (!__atomic_load_n(&platform->shared->ipi[config->vcpu].startup, __ATOMIC_ACQUIRE))
		handover_wait_doorbell(platform->cpu->bell, platform->cpu->config.page);
}

bool platform_starts(struct platform *platform, uint8_t *vector)
{
	uint32_t *startup = &platform->shared->ipi[platform->cpu->config.vcpu].startup, told;

	told = __atomic_load_n(startup, __ATOMIC_ACQUIRE);
	if (!(told & PV_IPI_STARTUP))
		return false;
	__atomic_store_n(startup, 0, __ATOMIC_SEQ_CST);
	*vector = (uint8_t)told;
	clock_wake_up(platform->shared, platform->cpu->config.vcpu);
	catch_up(platform, clock_now(platform->shared, 0), local(platform, 0), 0);
	apic_reset(&platform->apic, false);
	arrange(platform);
	return true;
}

bool platform_is_reset(struct platform *platform)
{
	uint32_t *startup = &platform->shared->ipi[platform->cpu->config.vcpu].startup, told;

	told = __atomic_load_n(startup, __ATOMIC_ACQUIRE);
	if (!told || !platform->cpu->config.vcpu)
		return false;
	if (told & PV_IPI_INIT) {
		clock_stop(platform->shared, platform->cpu->config.page->vcpus, platform->cpu->config.vcpu);
		return true;
	}
	__atomic_store_n(startup, 0, __ATOMIC_SEQ_CST); /* the second STARTUP of two */
	return false;
}
