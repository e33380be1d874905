/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/devices/apic.h"

#include <string.h>

enum {
	BASE_BOOTSTRAP = 1 << 8, BASE_X2APIC = 1 << 10, BASE_ENABLED = 1 << 11,

	ID = 0x02, VERSION = 0x03, TPR = 0x08, PPR = 0x0a, EOI = 0x0b, LDR = 0x0d, SVR = 0x0f, ISR = 0x10, TMR = 0x18, IRR = 0x20,
	ESR = 0x28, LVT_CMCI = 0x2f, ICR = 0x30, LVT = 0x32, INITIAL_COUNT = 0x38, CURRENT_COUNT = 0x39, DIVIDE = 0x3e, SELF_IPI = 0x3f,

	VERSION_VALUE = (APIC_LVTS - 1) << 16 | 0x14,
	SVR_ENABLED = 1 << 8,
	LVT_MASKED = 1 << 16, LVT_MODE = 7 << 8, LVT_EXTINT = 7 << 8,
	TIMER_MODE = 3 << 17, TIMER_ONE_SHOT = 0 << 17, TIMER_PERIODIC = 1 << 17, TIMER_DEADLINE = 2 << 17,

	ESR_SEND_ILLEGAL = 1 << 5, ESR_RECEIVE_ILLEGAL = 1 << 6,

	FIXED = 0, LOWEST = 1, NMI = 4, INIT = 5, STARTUP = 6,
	TO_DESTINATION = 0, TO_SELF, TO_ALL, TO_OTHERS,
	BROADCAST_CLUSTER = 0xffff,
};
#define BASE_ADDRESS 0xfee00000ull
#define BASE_KNOWN (0xfffffff000ull | BASE_BOOTSTRAP | BASE_X2APIC | BASE_ENABLED)
#define BROADCAST 0xffffffffu

/* Bits of a local vector table entry that are kept; of the timer's, its mode too. */
static const uint32_t lvt_known[APIC_LVTS] = {
	[APIC_LVT_TIMER] = TIMER_MODE | LVT_MASKED | 0xff,
	[APIC_LVT_THERMAL] = LVT_MASKED | LVT_MODE | 0xff,
	[APIC_LVT_PERF] = LVT_MASKED | LVT_MODE | 0xff,
	[APIC_LVT_LINT0] = LVT_MASKED | 1 << 15 | 1 << 13 | LVT_MODE | 0xff,
	[APIC_LVT_LINT1] = LVT_MASKED | 1 << 15 | 1 << 13 | LVT_MODE | 0xff,
	[APIC_LVT_ERROR] = LVT_MASKED | 0xff,
};

void apic_reset(struct apic *apic, bool bootstrap)
{
	struct apic kept = *apic;

	memset(apic, 0, sizeof(*apic));
	apic->id = kept.id;
	apic->vcpus = kept.vcpus;
	apic->all = kept.all;
	apic->ring = kept.ring;
	apic->owner = kept.owner;
	apic->base = BASE_ADDRESS | BASE_ENABLED | BASE_X2APIC | (bootstrap ? BASE_BOOTSTRAP : 0);
	apic->svr = 0xff;
	for (unsigned i = 0; i < APIC_LVTS; i++)
		apic->lvt[i] = LVT_MASKED;
	if (bootstrap) /* firmware leaves virtual wire mode */
		apic->lvt[APIC_LVT_LINT0] = LVT_EXTINT;
	apic->timer_at = APIC_NEVER;
}

static void set(uint64_t *word, uint8_t vector)
{
	__atomic_fetch_or(&word[vector / 64], 1ull << vector % 64, __ATOMIC_SEQ_CST);
}

/* The highest vector whose bit is set, or -1. */
static int highest(const uint64_t *word)
{
	for (int i = 3; i >= 0; i--) {
		uint64_t bits = __atomic_load_n(&word[i], __ATOMIC_ACQUIRE);

		if (bits)
			return i * 64 + 63 - __builtin_clzll(bits);
	}
	return -1;
}

static uint32_t priority(const struct apic *apic)
{
	int served = highest(apic->isr);
	uint32_t of_served = served < 0 ? 0 : (uint32_t)served & 0xf0;

	return apic->tpr >> 4 >= of_served >> 4 ? apic->tpr : of_served;
}

int apic_pending(const struct apic *apic)
{
	int vector;

	if (!(apic->svr & SVR_ENABLED))
		return -1;
	vector = highest(apic->all[apic->id].irr);
	return vector >= 0 && (uint32_t)vector >> 4 > priority(apic) >> 4 ? vector : -1;
}

void apic_acknowledge(struct apic *apic, uint8_t vector)
{
	__atomic_fetch_and(&apic->all[apic->id].irr[vector / 64], ~(1ull << vector % 64), __ATOMIC_SEQ_CST);
	apic->isr[vector / 64] |= 1ull << vector % 64;
}

bool apic_passes_extint(const struct apic *apic)
{
	uint32_t lint0 = apic->lvt[APIC_LVT_LINT0];

	if (!(apic->base & BASE_ENABLED))
		return true; /* the pin is the processor's INTR */
	return !(lint0 & LVT_MASKED) && (lint0 & LVT_MODE) == LVT_EXTINT;
}

bool apic_has_nmi(const struct apic *apic)
{
	return __atomic_load_n(&apic->all[apic->id].nmi, __ATOMIC_ACQUIRE);
}

bool apic_take_nmi(struct apic *apic)
{
	uint32_t *nmi = &apic->all[apic->id].nmi;

	return __atomic_load_n(nmi, __ATOMIC_RELAXED) && __atomic_exchange_n(nmi, 0, __ATOMIC_SEQ_CST);
}

/* Vectors below 16 are none (11.5.2). */
static void raise(struct apic *apic, uint8_t vector)
{
	if (vector < 16)
		apic->esr |= ESR_RECEIVE_ILLEGAL;
	else
		set(apic->all[apic->id].irr, vector);
}

static unsigned divisor_bits(const struct apic *apic)
{
	unsigned code = (apic->divide & 3) | (apic->divide >> 1 & 4);

	return (code + 1) & 7;
}

static bool has_mode(const struct apic *apic, uint32_t mode)
{
	return (apic->lvt[APIC_LVT_TIMER] & TIMER_MODE) == mode;
}

static void start_timer(struct apic *apic, uint64_t now)
{
	apic->timer_started = now;
	if (has_mode(apic, TIMER_DEADLINE))
		return;
	apic->timer_at = apic->initial_count ? now + ((uint64_t)apic->initial_count << divisor_bits(apic)) : APIC_NEVER;
}

static uint32_t current_count(const struct apic *apic, uint64_t now)
{
	if (has_mode(apic, TIMER_DEADLINE) || apic->timer_at == APIC_NEVER || now >= apic->timer_at)
		return 0;
	return (uint32_t)((apic->timer_at - now) >> divisor_bits(apic));
}

void apic_run(struct apic *apic, uint64_t now)
{
	uint64_t period = (uint64_t)apic->initial_count << divisor_bits(apic);

	if (apic->timer_at > now)
		return;
	if (!(apic->lvt[APIC_LVT_TIMER] & LVT_MASKED))
		raise(apic, (uint8_t)apic->lvt[APIC_LVT_TIMER]);
	if (has_mode(apic, TIMER_PERIODIC) && period) {
		apic->timer_at += (now - apic->timer_at) / period * period + period;
	} else {
		apic->timer_at = APIC_NEVER;
		apic->tsc_deadline = 0;
	}
}

uint64_t apic_read_deadline(const struct apic *apic)
{
	return has_mode(apic, TIMER_DEADLINE) ? apic->tsc_deadline : 0;
}

void apic_write_deadline(struct apic *apic, uint64_t now, uint64_t value)
{
	(void)now; /* one that has passed is due at once */
	if (!has_mode(apic, TIMER_DEADLINE))
		return;
	apic->tsc_deadline = value;
	apic->timer_at = value ? value : APIC_NEVER;
}

bool apic_write_base(struct apic *apic, uint64_t value)
{
	bool was_x2apic = apic->base & BASE_X2APIC, is_x2apic = value & BASE_X2APIC, enabled = value & BASE_ENABLED;

	if ((value & ~BASE_KNOWN) || (is_x2apic && !enabled) || (was_x2apic && !is_x2apic && enabled))
		return false; /* (11.12.5) */
	if (!is_x2apic && enabled)
		return false; /* there is no memory-mapped xAPIC to go back to */
	apic->base = (value & ~(uint64_t)BASE_BOOTSTRAP) | (apic->base & BASE_BOOTSTRAP);
	return true;
}

/* In x2APIC mode: the cluster in the upper half, a bit in the lower one (11.12.10.2). */
static uint32_t logical_id(uint32_t id)
{
	return id >> 4 << 16 | 1u << (id & 15);
}

static bool is_destination(const struct apic *apic, uint32_t target, uint64_t icr)
{
	uint32_t destination = (uint32_t)(icr >> 32);
	bool logical = icr >> 11 & 1;

	switch (icr >> 18 & 3) {
	case TO_SELF:
		return target == apic->id;
	case TO_ALL:
		return true;
	case TO_OTHERS:
		return target != apic->id;
	}
	if (destination == BROADCAST)
		return true;
	if (!logical)
		return target == destination;
	return destination >> 16 == logical_id(target) >> 16 && (destination & logical_id(target) & BROADCAST_CLUSTER);
}

static void send_to(struct apic *apic, uint32_t target, unsigned mode, uint8_t vector)
{
	struct pv_ipi *ipi = &apic->all[target];

	if (mode == FIXED || mode == LOWEST)
		set(ipi->irr, vector);
	else if (mode == NMI)
		__atomic_store_n(&ipi->nmi, 1, __ATOMIC_SEQ_CST);
	else if (mode == INIT)
		__atomic_store_n(&ipi->startup, PV_IPI_INIT, __ATOMIC_SEQ_CST);
	else if (mode == STARTUP)
		__atomic_fetch_or(&ipi->startup, PV_IPI_STARTUP | vector, __ATOMIC_SEQ_CST);
	if (target != apic->id)
		apic->ring(apic->owner, target);
}

static bool send(struct apic *apic, uint64_t icr)
{
	const uint64_t known = 0xffffffff00000000ull | 3 << 18 | 1 << 15 | 1 << 14 | 1 << 11 | 7 << 8 | 0xff;
	unsigned mode = icr >> 8 & 7;
	uint8_t vector = (uint8_t)icr;

	if (icr & ~known)
		return false;
	apic->icr = icr;
	if (mode == INIT && !(icr >> 14 & 1)) /* its de-assertion, which nothing heeds */
		return true;
	if ((mode == FIXED || mode == LOWEST) && vector < 16) {
		apic->esr |= ESR_SEND_ILLEGAL;
		return true;
	}
	for (uint32_t target = 0; target < apic->vcpus; target++)
		if (is_destination(apic, target, icr)) {
			send_to(apic, target, mode, vector);
			if (mode == LOWEST)
				break;
		}
	return true;
}

static void end_of_interrupt(struct apic *apic)
{
	int vector = highest(apic->isr);

	if (vector >= 0)
		apic->isr[vector / 64] &= ~(1ull << vector % 64);
}

static uint32_t word_of(const uint64_t *words, uint32_t n)
{
	return (uint32_t)(__atomic_load_n(&words[n / 2], __ATOMIC_ACQUIRE) >> 32 * (n % 2));
}

bool apic_read(struct apic *apic, uint64_t now, uint32_t number, uint64_t *value)
{
	if (!(apic->base & BASE_X2APIC))
		return false;
	switch (number) {
	case ID: *value = apic->id; return true;
	case VERSION: *value = VERSION_VALUE; return true;
	case TPR: *value = apic->tpr; return true;
	case PPR: *value = priority(apic); return true;
	case LDR: *value = logical_id(apic->id); return true;
	case SVR: *value = apic->svr; return true;
	case ISR ... ISR + 7: *value = word_of(apic->isr, number - ISR); return true;
	case TMR ... TMR + 7: *value = word_of(apic->tmr, number - TMR); return true;
	case IRR ... IRR + 7: *value = word_of(apic->all[apic->id].irr, number - IRR); return true;
	case ESR: *value = apic->esr; return true;
	case ICR: *value = apic->icr; return true;
	case LVT ... LVT + APIC_LVTS - 1: *value = apic->lvt[number - LVT]; return true;
	case INITIAL_COUNT: *value = has_mode(apic, TIMER_DEADLINE) ? 0 : apic->initial_count; return true;
	case CURRENT_COUNT: *value = current_count(apic, now); return true;
	case DIVIDE: *value = apic->divide; return true;
	default: return false;
	}
}

static bool write_lvt(struct apic *apic, unsigned which, uint64_t value)
{
	uint32_t before = apic->lvt[which];

	if (value & ~(uint64_t)(lvt_known[which] | 1 << 12 | 1 << 14)) /* delivery status and remote IRR are read only */
		return false;
	apic->lvt[which] = (uint32_t)value & lvt_known[which];
	if (!(apic->svr & SVR_ENABLED))
		apic->lvt[which] |= LVT_MASKED;
	if (which == APIC_LVT_TIMER && ((before ^ value) & TIMER_MODE)) { /* (11.5.4.1) */
		apic->timer_at = APIC_NEVER;
		apic->tsc_deadline = 0;
	}
	return true;
}

static bool write_svr(struct apic *apic, uint64_t value)
{
	if (value & ~0x3ffull)
		return false;
	apic->svr = (uint32_t)value;
	for (unsigned i = 0; !(value & SVR_ENABLED) && i < APIC_LVTS; i++)
		apic->lvt[i] |= LVT_MASKED;
	return true;
}

bool apic_write(struct apic *apic, uint64_t now, uint32_t number, uint64_t value)
{
	if (!(apic->base & BASE_X2APIC) || (number != ICR && value > UINT32_MAX))
		return false;
	switch (number) {
	case TPR:
		if (value > 0xff)
			return false;
		apic->tpr = (uint32_t)value;
		return true;
	case EOI:
		end_of_interrupt(apic);
		return !value;
	case SVR:
		return write_svr(apic, value);
	case ESR:
		apic->esr = 0;
		return !value;
	case ICR:
		return send(apic, value);
	case LVT ... LVT + APIC_LVTS - 1:
		return write_lvt(apic, number - LVT, value);
	case INITIAL_COUNT:
		if (!has_mode(apic, TIMER_DEADLINE)) {
			apic->initial_count = (uint32_t)value;
			start_timer(apic, now);
		}
		return true;
	case DIVIDE:
		if (value & ~0xbull)
			return false;
		apic->divide = (uint32_t)value;
		return true;
	case SELF_IPI:
		if (value > 0xff)
			return false;
		raise(apic, (uint8_t)value);
		return true;
	default:
		return false;
	}
}
