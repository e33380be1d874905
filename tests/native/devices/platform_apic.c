/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC, by what the manual says of an x2APIC (Intel SDM vol. 3, chapter 11). */
#include "platform_test.h"

#include <string.h>

#include "engine/devices/apic.h"

enum {
	VCPUS = 20,
	ID = 0x02, TPR = 0x08, PPR = 0x0a, EOI = 0x0b, LDR = 0x0d, SVR = 0x0f, ISR = 0x10, IRR = 0x20, ESR = 0x28, ICR = 0x30,
	TIMER = 0x32, LINT0 = 0x35, INITIAL = 0x38, CURRENT = 0x39, DIVIDE = 0x3e, SELF = 0x3f,
	MASKED = 1 << 16, PERIODIC = 1 << 17, DEADLINE = 2 << 17, ENABLED = 0x1ff,
	LOGICAL = 1 << 11, ASSERT = 1 << 14, NMI = 4 << 8, INIT = 5 << 8, STARTUP = 6 << 8, TO_SELF = 1 << 18, TO_ALL = 2 << 18,
	TO_OTHERS = 3 << 18,
};

static struct pv_ipi all[VCPUS];
static struct apic apic[VCPUS];
static unsigned rung[VCPUS];

static void ring(void *owner, uint32_t vcpu)
{
	(void)owner;
	rung[vcpu]++;
}

/* Of every vCPU, software enabled. */
static void begin(void)
{
	memset(all, 0, sizeof(all));
	memset(rung, 0, sizeof(rung));
	for (uint32_t i = 0; i < VCPUS; i++) {
		apic[i] = (struct apic){ .id = i, .vcpus = VCPUS, .all = all, .ring = ring };
		apic_reset(&apic[i], i == 0);
		CHECK(apic_write(&apic[i], 0, SVR, ENABLED));
	}
}

static uint64_t get(uint32_t vcpu, uint64_t at, uint32_t number)
{
	uint64_t value = ~0ull;

	CHECK(apic_read(&apic[vcpu], at, number, &value));
	return value;
}

static void put(uint64_t at, uint32_t number, uint64_t value)
{
	CHECK(apic_write(&apic[0], at, number, value));
}

static void take(uint8_t vector)
{
	CHECK_EQ(apic_pending(&apic[0]), vector);
	apic_acknowledge(&apic[0], vector);
}

static void higher_interrupts_lower(void)
{
	begin();
	put(0, SELF, 0x41);
	put(0, SELF, 0x52);
	take(0x52);
	CHECK_EQ(apic_pending(&apic[0]), -1); /* of a lower class than what is served */
	put(0, SELF, 0x5f);
	CHECK_EQ(apic_pending(&apic[0]), -1); /* of the same */
	put(0, SELF, 0x60);
	take(0x60);
	CHECK_EQ(get(0, 0, PPR), 0x60);
	put(0, EOI, 0);
	put(0, EOI, 0);
	take(0x5f);
	put(0, EOI, 0);
	take(0x41);
	CHECK_EQ(get(0, 0, ISR + 2), 1u << 1);
	put(0, EOI, 0);
	CHECK_EQ(apic_pending(&apic[0]), -1);
}

static void task_priority_holds_back(void)
{
	begin();
	put(0, TPR, 0x50);
	put(0, SELF, 0x5f);
	CHECK_EQ(apic_pending(&apic[0]), -1);
	CHECK_EQ(get(0, 0, IRR + 2), 1u << 31);
	put(0, TPR, 0x4f);
	take(0x5f);
	CHECK(!apic_write(&apic[0], 0, TPR, 0x100));
}

static void software_disable_masks(void)
{
	begin();
	put(0, LINT0, 7 << 8);
	CHECK(apic_passes_extint(&apic[0]));
	put(0, SELF, 0x41);
	put(0, SVR, 0xff);
	CHECK(!apic_passes_extint(&apic[0]));
	CHECK_EQ(apic_pending(&apic[0]), -1);
	put(0, LINT0, 7 << 8); /* which stays masked */
	CHECK_EQ(get(0, 0, LINT0), (7u << 8) | MASKED);
	put(0, SVR, ENABLED);
	take(0x41);
}

static void timer_counts_down(void)
{
	begin();
	put(0, TIMER, 0x80);
	put(0, DIVIDE, 3); /* by 16 */
	put(1000, INITIAL, 100);
	CHECK_EQ(get(0, 1000 + 15, CURRENT), 99);
	CHECK_EQ(apic[0].timer_at, 1000 + 1600);
	apic_run(&apic[0], 2599);
	CHECK_EQ(apic_pending(&apic[0]), -1);
	apic_run(&apic[0], 2600);
	take(0x80);
	CHECK_EQ(get(0, 2600, CURRENT), 0);
	CHECK_EQ(apic[0].timer_at, APIC_NEVER);
	put(0, TIMER, 0x80 | PERIODIC | MASKED);
	put(0, DIVIDE, 0xb); /* by 1 */
	put(5000, INITIAL, 100);
	apic_run(&apic[0], 5350); /* of three periods one interrupt is left, and it is masked */
	CHECK_EQ(apic[0].timer_at, 5400);
	CHECK_EQ(get(0, 0, IRR + 4), 0);
	put(0, INITIAL, 0);
	CHECK_EQ(apic[0].timer_at, APIC_NEVER);
}

static void deadline_is_a_time(void)
{
	begin();
	apic_write_deadline(&apic[0], 0, 500); /* in another mode it is nothing */
	CHECK_EQ(apic[0].timer_at, APIC_NEVER);
	put(0, TIMER, 0x90 | DEADLINE);
	put(0, INITIAL, 7);
	CHECK_EQ(apic[0].timer_at, APIC_NEVER);
	apic_write_deadline(&apic[0], 0, 500);
	CHECK_EQ(apic_read_deadline(&apic[0]), 500);
	apic_run(&apic[0], 499);
	CHECK_EQ(apic_pending(&apic[0]), -1);
	apic_run(&apic[0], 500);
	CHECK_EQ(apic_read_deadline(&apic[0]), 0);
	take(0x90);
	apic_write_deadline(&apic[0], 600, 900);
	put(600, TIMER, 0x90); /* another mode disarms it */
	CHECK_EQ(apic[0].timer_at, APIC_NEVER);
}

/* To whom an interrupt of this ICR went: a bit each. */
static uint32_t sent(uint64_t icr, uint8_t vector)
{
	uint32_t ret = 0;

	memset(all, 0, sizeof(all));
	memset(rung, 0, sizeof(rung));
	put(0, ICR, icr | vector);
	for (uint32_t i = 0; i < VCPUS; i++) {
		if (all[i].irr[vector / 64] >> vector % 64 & 1)
			ret |= 1u << i;
		CHECK_EQ(rung[i], i && (ret >> i & 1)); /* nobody rings his own bell */
	}
	return ret;
}

static void destinations(void)
{
	const uint32_t everybody = (1u << VCPUS) - 1;

	begin();
	CHECK_EQ(sent(3ull << 32, 0x41), 1u << 3);
	CHECK_EQ(sent(19ull << 32 | ASSERT, 0xfe), 1u << 19);
	CHECK_EQ(sent(20ull << 32, 0x41), 0);
	CHECK_EQ(sent(0xffffffffull << 32, 0x41), everybody);
	CHECK_EQ(sent(TO_SELF, 0x41), 1);
	CHECK_EQ(sent(TO_ALL, 0x41), everybody);
	CHECK_EQ(sent(TO_OTHERS, 0x41), everybody & ~1u);
	CHECK_EQ(sent(0x00000005ull << 32 | LOGICAL, 0x41), 1u << 0 | 1u << 2);
	CHECK_EQ(sent(0x0001000aull << 32 | LOGICAL, 0x41), 1u << 17 | 1u << 19);
	CHECK_EQ(get(19, 0, LDR), 0x00010008);
	CHECK_EQ(get(19, 0, ID), 19);
}

static void illegal_vectors(void)
{
	begin();
	CHECK_EQ(sent(TO_OTHERS, 15), 0);
	CHECK_EQ(get(0, 0, ESR), 1u << 5);
	put(0, ESR, 0);
	CHECK_EQ(get(0, 0, ESR), 0);
	put(0, SELF, 3);
	CHECK_EQ(get(0, 0, ESR), 1u << 6);
	CHECK(!apic_write(&apic[0], 0, ESR, 1));
}

static void others_are_started(void)
{
	begin();
	put(0, ICR, 2ull << 32 | INIT | ASSERT);
	CHECK_EQ(all[2].startup, PV_IPI_INIT);
	put(0, ICR, 2ull << 32 | INIT); /* its de-assertion */
	put(0, ICR, 2ull << 32 | STARTUP | 0x9a);
	CHECK_EQ(all[2].startup, PV_IPI_INIT | PV_IPI_STARTUP | 0x9a);
	CHECK_EQ(rung[2], 2);
	put(0, ICR, 5ull << 32 | NMI);
	CHECK(apic_has_nmi(&apic[5]) && apic_take_nmi(&apic[5]) && !apic_take_nmi(&apic[5]));
}

static void reserved_bits_fault(void)
{
	uint64_t value;

	begin();
	CHECK(!apic_write(&apic[0], 0, ICR, 1ull << 12));
	CHECK(!apic_write(&apic[0], 0, TIMER, 1 << 19));
	CHECK(!apic_write(&apic[0], 0, SVR, 1 << 12));
	CHECK(!apic_write(&apic[0], 0, DIVIDE, 4));
	CHECK(!apic_write(&apic[0], 0, ID, 1));
	CHECK(!apic_write(&apic[0], 0, CURRENT, 1));
	CHECK(!apic_write(&apic[0], 0, EOI, 1));
	CHECK(!apic_write(&apic[0], 0, TPR, 1ull << 32));
	CHECK(!apic_read(&apic[0], 0, EOI, &value));
	CHECK(!apic_read(&apic[0], 0, SELF, &value));
	CHECK(!apic_read(&apic[0], 0, 0x31, &value));
}

static void base_goes_by_the_manual(void)
{
	const uint64_t x2apic = 0xfee00000 | 1 << 8 | 1 << 10 | 1 << 11;
	uint64_t value;

	begin();
	CHECK_EQ(apic[0].base, x2apic);
	CHECK_EQ(apic[1].base, x2apic & ~(1ull << 8));
	CHECK(!apic_write_base(&apic[0], x2apic & ~(1ull << 10))); /* back to xAPIC mode */
	CHECK(!apic_write_base(&apic[0], x2apic & ~(1ull << 11))); /* in x2APIC mode, and off */
	CHECK(!apic_write_base(&apic[0], x2apic | 1));
	CHECK(apic_write_base(&apic[0], 0xfee00000));
	CHECK(!apic_read(&apic[0], 0, ID, &value));
	CHECK(apic_passes_extint(&apic[0]));
	CHECK(apic_write_base(&apic[0], x2apic));
	CHECK_EQ(get(0, 0, ID), 0);
}

const struct named_test apic_tests[] = {
	{ "higher_interrupts_lower", higher_interrupts_lower, false },
	{ "task_priority_holds_back", task_priority_holds_back, false },
	{ "software_disable_masks", software_disable_masks, false },
	{ "timer_counts_down", timer_counts_down, false },
	{ "deadline_is_a_time", deadline_is_a_time, false },
	{ "destinations", destinations, false },
	{ "illegal_vectors", illegal_vectors, false },
	{ "others_are_started", others_are_started, false },
	{ "reserved_bits_fault", reserved_bits_fault, false },
	{ "base_goes_by_the_manual", base_goes_by_the_manual, false },
	{ 0 },
};
