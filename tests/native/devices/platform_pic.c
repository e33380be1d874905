/* SPDX-License-Identifier: GPL-2.0-only */
/* The interrupt controllers, command by command of the 8259A's data sheet. */
#include "platform_test.h"

#include "engine/devices/pic.h"

/* Of sources without a device: those of the others follow their device. */
static void raise_irq(unsigned source)
{
	pic_set(pc->devices.pic, source, true);
}

static void lower_irq(unsigned source)
{
	pic_set(pc->devices.pic, source, false);
}

static void pulse(unsigned source)
{
	lower_irq(source);
	raise_irq(source);
}

/* Straight from power on, and as Linux looks whether they are there (probe_8259A). */
static void masked_at_first(void)
{
	power_on();
	raise_irq(3);
	CHECK(!devices_interrupt(pc));
	out(0xa1, 0xff);
	out(0x21, 0xfb);
	CHECK_EQ(in(0x21), 0xfb);
	CHECK_EQ(in(0xa1), 0xff);
}

static void priorities(void)
{
	power_on();
	pic_init(1);
	raise_irq(5);
	raise_irq(3);
	CHECK_EQ(in(0x20), 0x28); /* IRR */
	CHECK_EQ(interrupted(), 0x33);
	CHECK_EQ(in(0x20), 0x20);
	out(0x20, 0x0b);
	CHECK_EQ(in(0x20), 0x08); /* ISR */
	CHECK_EQ(interrupted(), -1); /* 5 is below 3 */
	raise_irq(1);
	CHECK_EQ(interrupted(), 0x31);
	out(0x20, 0x20);
	CHECK_EQ(in(0x20), 0x08);
	CHECK_EQ(interrupted(), -1);
	out(0x20, 0x20);
	CHECK_EQ(interrupted(), 0x35);
	out(0x20, 0x65); /* specific */
	CHECK_EQ(in(0x20), 0);
	out(0x20, 0x0a);
	CHECK_EQ(in(0x20), 0);
	CHECK_EQ(interrupted(), -1); /* the lines are high still: no edge */
}

static void edges(void)
{
	power_on();
	pic_init(1);
	raise_irq(5);
	CHECK_EQ(interrupted(), 0x35);
	pulse(5);
	CHECK_EQ(interrupted(), -1); /* in service */
	out(0x20, 0x65);
	CHECK_EQ(interrupted(), 0x35);
	out(0x20, 0x65);
	pulse(5);
	out(0x21, 0x20);
	CHECK_EQ(interrupted(), -1);
	CHECK_EQ(in(0x20), 0x20); /* masked, but requested */
	out(0x21, 0);
	CHECK_EQ(interrupted(), 0x35);
	out(0x20, 0x65);
	pulse(5);
	out(0x20, 0x11); /* ICW1: an input that is high has to fall first */
	out(0x21, 0x40);
	out(0x21, 4);
	out(0x21, 1);
	CHECK_EQ(in(0x21), 0);
	CHECK_EQ(interrupted(), -1);
	pulse(5);
	CHECK_EQ(interrupted(), 0x45);
}

static void spurious(void)
{
	power_on();
	pic_init(1);
	raise_irq(3);
	CHECK(devices_interrupt(pc));
	lower_irq(3);
	CHECK(!devices_interrupt(pc));
	CHECK_EQ(devices_acknowledge(pc), 0x37);
	out(0x20, 0x0b);
	CHECK_EQ(in(0x20), 0); /* nothing is in service: that is how a real 7 is told from it */
	raise_irq(7);
	CHECK_EQ(interrupted(), 0x37);
	CHECK_EQ(in(0x20), 0x80);
	out(0x20, 0x67);
	/* Of the second: the first one sees its INT, which is high for a moment too long. */
	out(0xa0, 0x0b);
	out(0x20, 0x68);
	raise_irq(10);
	out(0xa1, 0xff);
	CHECK_EQ(interrupted(), -1);
	out(0xa1, 0);
	pc->devices.pic[1].edge = 0;
	CHECK_EQ(devices_acknowledge(pc), 0x3f);
	CHECK_EQ(in(0xa0), 0);
	CHECK_EQ(in(0x20), 1 << PIC_CASCADE);
}

static void cascaded(void)
{
	power_on();
	pic_init(1);
	out(0x20, 0x0b);
	out(0xa0, 0x0b);
	raise_irq(12);
	raise_irq(3);
	CHECK_EQ(interrupted(), 0x3c); /* input 2 is above 3 */
	CHECK_EQ(in(0x20), 4);
	CHECK_EQ(in(0xa0), 0x10);
	raise_irq(9);
	CHECK_EQ(interrupted(), -1); /* the first one does not nest what comes by the same input */
	out(0x20, 0x62);
	CHECK_EQ(interrupted(), 0x39);
	out(0xa0, 0x61);
	out(0x20, 0x62);
	CHECK_EQ(interrupted(), 0x33);
	out(0x20, 0x63);
	out(0xa0, 0x64);
	CHECK_EQ(interrupted(), -1);
	CHECK_EQ(in(0xa0), 0);
	/* Two at once: the second one's INT falls at the acknowledgement, and rises with its EOI. */
	pulse(8);
	pulse(13);
	CHECK_EQ(interrupted(), 0x38);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	CHECK_EQ(interrupted(), 0x3d);
}

static void specially_nested(void)
{
	power_on();
	pic_init(0x11);
	raise_irq(12);
	CHECK_EQ(interrupted(), 0x3c);
	raise_irq(3);
	CHECK_EQ(interrupted(), -1);
	raise_irq(9);
	CHECK_EQ(interrupted(), 0x39);
	raise_irq(10);
	CHECK_EQ(interrupted(), -1);
}

static void automatic_eoi(void)
{
	power_on();
	pic_init(3);
	raise_irq(5);
	raise_irq(6);
	CHECK_EQ(interrupted(), 0x35);
	CHECK_EQ(interrupted(), 0x36);
	out(0x20, 0x0b);
	CHECK_EQ(in(0x20), 0);
	out(0x20, 0x80); /* rotate with each */
	pulse(5);
	pulse(6);
	CHECK_EQ(interrupted(), 0x35);
	pulse(5);
	CHECK_EQ(interrupted(), 0x36);
	CHECK_EQ(interrupted(), 0x35);
	out(0x20, 0x00);
	pulse(5);
	pulse(6);
	CHECK_EQ(interrupted(), 0x36); /* 5 is the lowest, still */
	CHECK_EQ(interrupted(), 0x35);
	pulse(9);
	CHECK_EQ(interrupted(), 0x39);
	out(0xa0, 0x0b);
	CHECK_EQ(in(0xa0), 0);
}

static void rotation(void)
{
	power_on();
	pic_init(1);
	raise_irq(3);
	raise_irq(6);
	CHECK_EQ(interrupted(), 0x33);
	out(0x20, 0xa0); /* with a non-specific EOI: 3 is the lowest now */
	pulse(3);
	CHECK_EQ(interrupted(), 0x36);
	out(0x20, 0xe6);
	raise_irq(7);
	CHECK_EQ(interrupted(), 0x37);
	CHECK_EQ(interrupted(), -1); /* 7 is the highest */
	out(0x20, 0x67);
	CHECK_EQ(interrupted(), 0x33);
	out(0x20, 0x63);
	out(0x20, 0xc7); /* set: 0 is the highest again */
	pulse(7);
	raise_irq(0);
	CHECK_EQ(interrupted(), 0x30);
	out(0x20, 0x40); /* nothing */
	out(0x20, 0x0b);
	CHECK_EQ(in(0x20), 1);
}

static void special_mask(void)
{
	power_on();
	pic_init(1);
	raise_irq(3);
	raise_irq(6);
	CHECK_EQ(interrupted(), 0x33);
	CHECK_EQ(interrupted(), -1);
	out(0x21, 1 << 3);
	out(0x20, 0x68);
	CHECK_EQ(interrupted(), 0x36); /* what is masked does not hold others up */
	out(0x20, 0x0b);
	CHECK_EQ(in(0x20), 0x48);
	out(0x20, 0x20); /* and is not what this ends */
	CHECK_EQ(in(0x20), 0x08);
	out(0x20, 0x08); /* neither set nor reset */
	pulse(6);
	CHECK_EQ(interrupted(), 0x36);
	out(0x20, 0x66);
	out(0x20, 0x48);
	pulse(6);
	CHECK_EQ(interrupted(), -1);
}

static void polled(void)
{
	power_on();
	pic_init(1);
	out(0x20, 0x0c);
	CHECK_EQ(in(0x20), 0);
	raise_irq(6);
	out(0x20, 0x0c);
	CHECK_EQ(in(0x20), 0x86);
	CHECK_EQ(in(0x20), 0); /* once */
	CHECK_EQ(interrupted(), -1);
	out(0x20, 0x66);
	raise_irq(10);
	out(0xa0, 0x0e); /* with RR: the poll goes first */
	CHECK_EQ(in(0xa1), 0x82);
	CHECK_EQ(interrupted(), -1);
	CHECK_EQ(in(0xa1), 0);
	out(0xa0, 0x0b);
	CHECK_EQ(in(0xa0), 4);
}

static void levels(void)
{
	power_on();
	pic_init(1);
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	CHECK_EQ(in(0x4d0), 0xf8);
	CHECK_EQ(in(0x4d1), 0xde);
	raise_irq(5);
	CHECK_EQ(interrupted(), 0x35);
	out(0x20, 0x65);
	CHECK_EQ(interrupted(), 0x35); /* as long as it is high */
	lower_irq(5);
	out(0x20, 0x65);
	CHECK_EQ(interrupted(), -1);
	raise_irq(11);
	CHECK_EQ(interrupted(), 0x3b);
	out(0xa0, 0x63);
	out(0x20, 0x62);
	CHECK_EQ(interrupted(), 0x3b);
	lower_irq(11);
	out(0xa0, 0x63);
	out(0x20, 0x62);
	CHECK_EQ(interrupted(), -1);
	/* All, by ICW1; alone, and without ICW4. */
	out(0x20, 0x1a);
	out(0x21, 0x50);
	out(0x21, 0x00);
	CHECK_EQ(in(0x21), 0);
	raise_irq(1);
	CHECK_EQ(interrupted(), 0x51);
	out(0x20, 0x20);
	CHECK_EQ(interrupted(), 0x51);
}

const struct named_test pic_tests[] = {
	{ "masked_at_first", masked_at_first, false },
	{ "priorities", priorities, false },
	{ "edges", edges, false },
	{ "spurious", spurious, false },
	{ "cascaded", cascaded, false },
	{ "specially_nested", specially_nested, false },
	{ "automatic_eoi", automatic_eoi, false },
	{ "rotation", rotation, false },
	{ "special_mask", special_mask, false },
	{ "polled", polled, false },
	{ "levels", levels, false },
	{ 0 },
};
