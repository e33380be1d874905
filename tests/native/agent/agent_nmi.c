/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent_test.h"

#include "nmi.h"

enum { RING_BYTES = 4096 };

static const struct pv_agent_frame frame = { .rip = 0x1234, .cs = 0x23, .time_ns = 99 };

static struct nmi nmi_create(void)
{
	return (struct nmi){ .vcpu = 3, .frame = &frame, .ring = ring_create(RING_BYTES), .walk = ram_create() };
}

static void nmi_destroy(const struct nmi *nmi)
{
	ring_destroy(&nmi->ring);
	ram_destroy(&nmi->walk);
}

void test_nmi_sample(void)
{
	struct nmi nmi = nmi_create();
	struct pv_agent_slot slot = { .event = { .count = 1000 }, .counted = 300 };
	struct pv_sample got;

	nmi_take(&nmi, &slot, 5);
	CHECK(!ring_read(&nmi.ring, &got)); /* nothing has overflowed */
	slot.event.overflows = 2;
	nmi_take(&nmi, &slot, 5);
	CHECK(ring_read(&nmi.ring, &got));
	CHECK_EQ(got.size, sizeof(got));
	CHECK_EQ(got.event, 5);
	CHECK_EQ(got.chain, 0);
	CHECK_EQ(got.kind, PV_SAMPLE);
	CHECK_EQ(got.cpl, 3);
	CHECK_EQ(got.overflows, 2);
	CHECK_EQ(got.vcpu, 3);
	CHECK_EQ(got.ip, 0x1234);
	CHECK_EQ(got.time_ns, 99);
	CHECK_EQ(got.period, 700);
	CHECK_EQ(got.count, 1000);
	CHECK_EQ((uint32_t)slot.event.overflows, 0);
	CHECK_EQ(slot.counted, 1000);
	CHECK_EQ(slot.taken, 2);
	CHECK_EQ(slot.samples, 1);
	nmi_take(&nmi, &slot, 5);
	CHECK(!ring_read(&nmi.ring, &got));
	nmi_destroy(&nmi);
}

void test_nmi_without_ring(void)
{
	struct nmi nmi = { .frame = &frame };
	struct pv_agent_slot slot = { .event = { .count = 10, .overflows = 3 } };

	nmi_take(&nmi, &slot, 0);
	CHECK_EQ(slot.taken, 3);
	CHECK_EQ((uint32_t)slot.event.overflows, 0);
	CHECK_EQ(slot.samples, 0);
}

/* Samples that find no room lose no period: those of the others add up to what was counted. */
void test_nmi_periods_add_up(void)
{
	struct nmi nmi = nmi_create();
	struct pv_agent_slot slot = { 0 };
	uint64_t seed = 6, periods = 0, raised = 0, read = 0;
	struct pv_sample got;

	nmi.max_chain = 20; /* room is asked for, and not used: there is no stack */
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t n = 1 + random_next(&seed) % 3;

		slot.event.count += n * 1000 + random_next(&seed) % 10;
		slot.event.overflows += (int32_t)n;
		raised += n;
		nmi_take(&nmi, &slot, 0);
		if (random_next(&seed) % 64)
			continue;
		while (ring_read(&nmi.ring, &got)) {
			periods += got.period;
			read++;
			CHECK_EQ(got.count, periods);
		}
	}
	while (ring_read(&nmi.ring, &got)) {
		periods += got.period;
		read++;
	}
	CHECK_EQ(periods, slot.counted);
	CHECK_EQ(slot.taken, raised);
	CHECK_EQ(slot.samples, 20000);
	CHECK_EQ(read + nmi.ring.shared->lost, 20000);
	CHECK(nmi.ring.shared->lost > 0);
	nmi_destroy(&nmi);
}
