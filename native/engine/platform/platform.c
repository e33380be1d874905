/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/platform/platform.h"

#include "abi/handover.h"
#include "engine/count/count.h"
#include "engine/count/cpu.h"

enum { DONE = -2, GP = 13 };

enum {
	MSR_TSC = 0x10, MSR_APIC_BASE = 0x1b, MSR_MISC_ENABLE = 0x1a0, MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC = 0x800, MSR_X2APIC_END = 0x900,
};

static void ring(void *owner, uint32_t vcpu)
{
	struct platform *platform = owner;

	handover_ring((struct pv_run *)(void *)((uint8_t *)platform->cpu->config.run +
						((int64_t)vcpu - platform->cpu->config.vcpu) * PV_RUN_PAGE_SIZE));
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
	if (config->vcpu == 0)
		devices_reset(config->platform);
}

/* Instructions retired in front of `rip`, those of handlers of NMIs too, which no counter has. */
static uint64_t instructions(const struct platform *platform, uint64_t rip)
{
	struct charged ahead;

	count_fold(platform->cpu);
	ahead = count_ahead(platform->cpu, rip);
	return count_elapsed(platform->cpu) - ahead.instructions;
}

uint64_t platform_now(const struct platform *platform, uint64_t rip)
{
	return instructions(platform, rip) + platform->slept;
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
	if (platform_interrupts(platform))
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

void platform_run(struct platform *platform, uint64_t rip)
{
	run_at(platform, platform_now(platform, rip));
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

uint32_t platform_in(struct platform *platform, uint64_t rip, uint16_t port, unsigned size)
{
	uint64_t now = platform_now(platform, rip);
	uint32_t value;

	devices_lock(platform->shared, platform->cpu->config.vcpu);
	value = devices_in(platform->shared, now, port, size);
	devices_unlock(platform->shared);
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
	arrange(platform);
	return ret;
}

bool platform_sleep(struct platform *platform, uint64_t rip)
{
	uint64_t now = platform_now(platform, rip), at = next(platform);

	if (at == UINT64_MAX)
		return false;
	if (at > now)
		platform->slept += at - now;
	run_at(platform, at > now ? at : now);
	return true;
}
