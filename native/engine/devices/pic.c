/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/devices/pic.h"

#include "engine/devices/ports.h"

enum {
	INPUTS = 8,
	SPURIOUS = 7,

	/* The first byte of an initialisation, and the commands, which its bits 3 and 4 tell apart. */
	ICW1 = 1 << 4,
	ICW1_NEEDS_ICW4 = 1 << 0,
	ICW1_SINGLE = 1 << 1,
	ICW1_LEVEL = 1 << 3,
	ICW4_AUTO_EOI = 1 << 1,
	ICW4_SPECIAL_NESTED = 1 << 4,
	OCW2_EOI = 1 << 5,
	OCW2_SPECIFIC = 1 << 6,
	OCW2_ROTATE = 1 << 7,
	OCW3 = 1 << 3,
	OCW3_READ_ISR = 1 << 0,
	OCW3_READ = 1 << 1,
	OCW3_POLL = 1 << 2,
	OCW3_SPECIAL_MASK = 1 << 5,
	OCW3_SET_SPECIAL_MASK = 1 << 6,
	POLLED = 1 << 7,

	/* Of a PC, these are always edge triggered: timer, keyboard, cascade; clock, coprocessor. */
	ELCR_FIRST = 0xff & ~(1 << 0 | 1 << 1 | 1 << 2),
	ELCR_SECOND = 0xff & ~(1 << 0 | 1 << 5),
};

static uint8_t bit(unsigned input)
{
	return (uint8_t)(1 << input);
}

static uint8_t level_triggered(const struct pv_pic *pic)
{
	return pic->all_level ? 0xff : pic->elcr;
}

static uint8_t requests(const struct pv_pic *pic)
{
	uint8_t level = level_triggered(pic);

	return (uint8_t)((pic->line & level) | (pic->edge & ~level));
}

/* The input that is to be served next, or -1: none is above what is in service. */
static int served_next(const struct pv_pic *pic, bool has_second)
{
	uint8_t wanted = requests(pic) & (uint8_t)~pic->imr;
	uint8_t in_service = pic->special_mask ? pic->isr & (uint8_t)~pic->imr : pic->isr;

	for (unsigned i = 1; i <= INPUTS; i++) {
		unsigned input = (pic->lowest + i) % INPUTS;
		/* Specially nested: the second one's inputs may interrupt each other. */
		bool nests = has_second && pic->special_nested && input == PIC_CASCADE;

		if ((in_service & bit(input)) && !nests)
			return -1;
		if (wanted & bit(input))
			return (int)input;
		if (in_service & bit(input))
			return -1;
	}
	return -1;
}

static void set_line(struct pv_pic *pic, unsigned input, bool level)
{
	if (!level) {
		pic->line &= (uint8_t)~bit(input);
		pic->edge &= (uint8_t)~bit(input);
	} else if (!(pic->line & bit(input))) {
		pic->line |= bit(input);
		pic->edge |= bit(input);
	}
}

static void cascade(struct pv_pic pic[2])
{
	set_line(&pic[0], PIC_CASCADE, served_next(&pic[1], false) >= 0);
}

void pic_reset(struct pv_pic pic[2])
{
	for (unsigned i = 0; i < 2; i++)
		pic[i] = (struct pv_pic){ .imr = 0xff, .lowest = INPUTS - 1 };
}

void pic_set(struct pv_pic pic[2], unsigned source, bool level)
{
	set_line(&pic[source / INPUTS], source % INPUTS, level);
	cascade(pic);
}

bool pic_interrupt(const struct pv_pic pic[2])
{
	return served_next(&pic[0], !pic[0].single) >= 0;
}

static void take(struct pv_pic *pic, unsigned input)
{
	pic->edge &= (uint8_t)~bit(input);
	if (!pic->auto_eoi)
		pic->isr |= bit(input);
	else if (pic->rotate_auto_eoi)
		pic->lowest = (uint8_t)input;
}

/* INT falls at the acknowledgement, and rises again if there is more: an edge at the first one. */
static int take_of_second(struct pv_pic pic[2])
{
	int input = served_next(&pic[1], false);

	if (input >= 0)
		take(&pic[1], (unsigned)input);
	set_line(&pic[0], PIC_CASCADE, false);
	cascade(pic);
	return input;
}

uint8_t pic_acknowledge(struct pv_pic pic[2])
{
	int input = served_next(&pic[0], !pic[0].single);

	if (input < 0)
		return pic[0].base + SPURIOUS;
	take(&pic[0], (unsigned)input);
	if (input != PIC_CASCADE || pic[0].single)
		return (uint8_t)(pic[0].base + input);
	input = take_of_second(pic);
	return (uint8_t)(pic[1].base + (input < 0 ? SPURIOUS : input));
}

static void start_initialisation(struct pv_pic *pic, uint8_t value)
{
	*pic = (struct pv_pic){
		/* The edge sense circuit is reset: an input that is high has to fall first. */
		.line = pic->line,
		.elcr = pic->elcr,
		.base = pic->base,
		.all_level = !!(value & ICW1_LEVEL),
		.single = !!(value & ICW1_SINGLE),
		.needs_icw4 = !!(value & ICW1_NEEDS_ICW4),
		.expected = 2,
		.lowest = INPUTS - 1,
	};
}

static void go_on_initialising(struct pv_pic *pic, uint8_t value)
{
	switch (pic->expected) {
	case 2:
		pic->base = value & 0xf8;
		pic->expected = pic->single ? 4 : 3;
		break;
	case 3: /* who is at which input is wired here */
		pic->expected = 4;
		break;
	default:
		pic->auto_eoi = !!(value & ICW4_AUTO_EOI);
		pic->special_nested = !!(value & ICW4_SPECIAL_NESTED);
		pic->expected = 0;
		return;
	}
	if (pic->expected == 4 && !pic->needs_icw4)
		pic->expected = 0;
}

/* The highest in service; by the special mask mode those that are masked do not count. Or -1. */
static int in_service(const struct pv_pic *pic)
{
	uint8_t isr = pic->special_mask ? pic->isr & (uint8_t)~pic->imr : pic->isr;

	for (unsigned i = 1; i <= INPUTS; i++)
		if (isr & bit((pic->lowest + i) % INPUTS))
			return (int)((pic->lowest + i) % INPUTS);
	return -1;
}

static void end_of_interrupt(struct pv_pic *pic, uint8_t value)
{
	int input = value & OCW2_SPECIFIC ? value % INPUTS : in_service(pic);

	if (input < 0)
		return;
	pic->isr &= (uint8_t)~bit((unsigned)input);
	if (value & OCW2_ROTATE)
		pic->lowest = (uint8_t)input;
}

static void ocw2(struct pv_pic *pic, uint8_t value)
{
	if (value & OCW2_EOI)
		end_of_interrupt(pic, value);
	else if (!(value & OCW2_SPECIFIC))
		pic->rotate_auto_eoi = !!(value & OCW2_ROTATE);
	else if (value & OCW2_ROTATE)
		pic->lowest = value % INPUTS;
}

static void ocw3(struct pv_pic *pic, uint8_t value)
{
	if (value & OCW3_SET_SPECIAL_MASK)
		pic->special_mask = !!(value & OCW3_SPECIAL_MASK);
	pic->poll = !!(value & OCW3_POLL);
	if (value & OCW3_READ)
		pic->read_isr = !!(value & OCW3_READ_ISR);
}

void pic_out(struct pv_pic pic[2], uint16_t port, uint8_t value)
{
	struct pv_pic *one = &pic[port == PORT_PIC_2 || port == PORT_PIC_2 + 1 || port == PORT_ELCR + 1];

	if (port == PORT_ELCR)
		one->elcr = value & ELCR_FIRST;
	else if (port == PORT_ELCR + 1)
		one->elcr = value & ELCR_SECOND;
	else if (port % 2 && one->expected)
		go_on_initialising(one, value);
	else if (port % 2)
		one->imr = value;
	else if (value & ICW1)
		start_initialisation(one, value);
	else if (value & OCW3)
		ocw3(one, value);
	else
		ocw2(one, value);
	cascade(pic);
}

/* A poll is an acknowledgement, and what it gives is the input. */
static uint8_t poll(struct pv_pic pic[2], struct pv_pic *one)
{
	int input;

	one->poll = 0;
	if (one == &pic[1])
		input = take_of_second(pic);
	else {
		input = served_next(one, !one->single);
		if (input >= 0)
			take(one, (unsigned)input);
	}
	return input < 0 ? 0 : (uint8_t)(POLLED | input);
}

uint8_t pic_in(struct pv_pic pic[2], uint16_t port)
{
	struct pv_pic *one = &pic[port == PORT_PIC_2 || port == PORT_PIC_2 + 1 || port == PORT_ELCR + 1];

	if (port == PORT_ELCR || port == PORT_ELCR + 1)
		return one->elcr;
	if (one->poll)
		return poll(pic, one);
	if (port % 2)
		return one->imr;
	return one->read_isr ? one->isr : requests(one);
}
