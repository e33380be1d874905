/* SPDX-License-Identifier: GPL-2.0-only */
/* The UART, by the sequences of Linux's 8250 driver (drivers/tty/serial/8250/8250_port.c) and the data sheet's. */
#include "platform_test.h"

enum { DATA = 0x3f8, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { IRQ4 = 0x34, EOI4 = 0x64 };

static int uart_irq(void)
{
	int vector = interrupted();

	if (vector >= 0)
		out(0x20, EOI4);
	return vector;
}

/* autoconfig(): is anything there, is it an 8250, what is its FIFO? */
static void linux_finds_a_16550a(void)
{
	uint8_t mcr, lcr;

	power_on();
	out(IER, 0);
	CHECK_EQ(in(IER) & 0xf, 0);
	out(IER, 0xf);
	CHECK_EQ(in(IER), 0xf);
	out(IER, 0);
	mcr = in(MCR);
	lcr = in(LCR);
	out(MCR, 0x1a);
	CHECK_EQ(in(MSR) & 0xf0, 0x90);
	out(MCR, mcr);
	out(LCR, 0xbf);
	out(IIR, 0); /* EFR, if it had one */
	out(LCR, 0);
	out(IIR, 1);
	CHECK_EQ(in(IIR) >> 6, 3);
	/* autoconfig_16550a(): not a 16650, 16650V2, NS16550A, 16750 or XScale */
	out(LCR, 0x80);
	CHECK(in(IIR));
	out(LCR, 0xbf);
	CHECK(in(IIR));
	out(LCR, 0xe0);
	CHECK_EQ((in(IIR) ^ mcr) & 0x10, 0);
	out(LCR, 0);
	out(MCR, mcr ^ 0x10);
	out(LCR, 0xe0);
	CHECK_EQ((in(IIR) ^ mcr) & 0x10, 0);
	out(LCR, 0);
	out(MCR, mcr);
	out(IIR, 0x21);
	CHECK_EQ(in(IIR) >> 5, 6);
	out(LCR, 0x80);
	out(IIR, 0x21);
	CHECK_EQ(in(IIR) >> 5, 6);
	out(IIR, 1);
	out(LCR, 0);
	out(IER, 0x40);
	CHECK_EQ(in(IER), 0);
	out(LCR, lcr);
	out(SCR, 0x5a);
	CHECK_EQ(in(SCR), 0x5a);
}

/* size_fifo(), which tells a 16550A from one with 64 bytes. */
static void fifo_has_16_bytes(void)
{
	unsigned count;

	power_on();
	out(LCR, 0);
	out(IIR, 7);
	out(MCR, 0x10);
	out(LCR, 0x80);
	CHECK_EQ(in(DATA), 12);
	out(DATA, 1);
	out(IER, 0);
	CHECK_EQ(in(DATA), 1);
	out(LCR, 3);
	for (unsigned i = 0; i < 256; i++)
		CHECK_EQ(out(DATA, (uint8_t)i), DEVICES_NONE);
	CHECK_EQ(in(LSR), 0x63); /* overrun, once */
	CHECK_EQ(in(LSR), 0x61);
	for (count = 0; (in(LSR) & 1) && count < 256; count++)
		CHECK_EQ(in(DATA), count);
	CHECK_EQ(count, 16);
	CHECK_EQ(in(LSR), 0x60);
}

static void without_fifo_the_last_stays(void)
{
	power_on();
	out(MCR, 0x10);
	out(DATA, 'a');
	out(DATA, 'b');
	CHECK_EQ(in(LSR), 0x63);
	CHECK_EQ(in(DATA), 'b');
	CHECK_EQ(in(LSR), 0x60);
	out(DATA, 'c');
	out(IIR, 1); /* changing it clears it */
	CHECK_EQ(in(LSR), 0x60);
}

/* serial8250_THRE_test(): else the driver falls back to a timer. */
static void transmitter_interrupts_again(void)
{
	power_on();
	out(IER, 2);
	CHECK_EQ(in(IIR), 2);
	CHECK_EQ(in(IIR), 1);
	out(IER, 0);
	out(IER, 2);
	CHECK_EQ(in(IIR), 2);
	CHECK_EQ(in(IIR), 1);
	out(IER, 2); /* it was on: no edge */
	CHECK_EQ(in(IIR), 1);
	CHECK_EQ(out(DATA, 'x'), DEVICES_CONSOLE);
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(in(IIR), 2);
	CHECK_EQ(in(IIR), 1);
}

static void each_byte_interrupts(void)
{
	power_on();
	pic_init(1);
	out(IER, 2);
	CHECK(!devices_interrupt(pc)); /* OUT2 is low */
	out(MCR, 8);
	CHECK_EQ(uart_irq(), IRQ4);
	CHECK_EQ(uart_irq(), -1);
	out(DATA, 'a'); /* IIR was not read: the pin was high all the time but for the byte's */
	CHECK_EQ(uart_irq(), IRQ4);
	CHECK_EQ(in(IIR), 2);
	CHECK_EQ(uart_irq(), -1);
	out(DATA, 'b');
	CHECK_EQ(in(IIR), 2); /* polled: the request has gone */
	CHECK_EQ(uart_irq(), -1);
	out(DATA, 'c');
	out(IER, 0);
	CHECK_EQ(uart_irq(), -1);
}

static void input_interrupts(void)
{
	power_on();
	pic_init(1);
	out(IIR, 0xc1); /* 14 bytes */
	out(MCR, 8);
	out(IER, 3);
	CHECK_EQ(uart_irq(), IRQ4);
	CHECK_EQ(in(IIR), 0xc2);
	type("0123456789abc");
	CHECK_EQ(uart_irq(), IRQ4);
	CHECK_EQ(in(IIR), 0xcc);
	CHECK_EQ(in(IIR), 0xcc);
	type("d");
	CHECK_EQ(in(IIR), 0xc4);
	out(DATA, '!'); /* what is received comes first */
	CHECK_EQ(in(IIR), 0xc4);
	for (const char *expected = "0123456789abcd"; *expected; expected++) {
		CHECK_EQ(in(LSR) & 1, 1);
		CHECK_EQ(in(DATA), *expected);
	}
	CHECK_EQ(in(IIR), 0xc2);
	CHECK_EQ(in(IIR), 0xc1);
	CHECK_EQ(in(LSR), 0x60);
	CHECK_EQ(uart_irq(), -1);
}

/* Nothing that is typed is lost, however long nobody reads it. */
static void input_waits_for_room(void)
{
	char text[101] = { 0 };
	unsigned got = 0;

	power_on();
	for (unsigned i = 0; i < 100; i++)
		text[i] = (char)(' ' + i % 90);
	type(text);
	CHECK_EQ(pc->input.taken, 1);
	out(IIR, 1); /* this loses what was in it, as with any 16550A */
	CHECK_EQ(pc->input.taken, 17);
	out(MCR, 0x10);
	out(DATA, '?');
	CHECK_EQ(in(LSR), 0x63);
	out(IIR, 3);
	CHECK_EQ(in(LSR), 0x60); /* looped back: the line is cut off */
	out(MCR, 0);
	for (got = 17; in(LSR) & 1; got++)
		CHECK_EQ(in(DATA), text[got]);
	CHECK_EQ(got, 100);
	CHECK_EQ(pc->input.taken, 100);
}

static void line_and_modem_interrupts(void)
{
	power_on();
	CHECK_EQ(in(MSR), 0xb0);
	out(IER, 0xf);
	in(IIR);
	CHECK_EQ(in(IIR), 1);
	out(MCR, 0x10); /* all lines fall; RI was low */
	CHECK_EQ(in(IIR), 0);
	CHECK_EQ(in(MSR), 0x0b);
	CHECK_EQ(in(IIR), 1);
	out(MCR, 0x1f);
	CHECK_EQ(in(MSR), 0xfb); /* the beginning of a ring is no change */
	out(MCR, 0x1b);
	CHECK_EQ(in(MSR), 0xb4);
	out(DATA, 'a');
	out(DATA, 'b');
	CHECK_EQ(in(IIR), 6);
	CHECK_EQ(in(LSR), 0x63);
	CHECK_EQ(in(IIR), 4);
	in(DATA);
	CHECK_EQ(in(IIR), 2);
	CHECK_EQ(in(IIR), 1);
}

const struct named_test uart_tests[] = {
	{ "linux_finds_a_16550a", linux_finds_a_16550a, false },
	{ "fifo_has_16_bytes", fifo_has_16_bytes, false },
	{ "without_fifo_the_last_stays", without_fifo_the_last_stays, false },
	{ "transmitter_interrupts_again", transmitter_interrupts_again, false },
	{ "each_byte_interrupts", each_byte_interrupts, false },
	{ "input_interrupts", input_interrupts, false },
	{ "input_waits_for_room", input_waits_for_room, false },
	{ "line_and_modem_interrupts", line_and_modem_interrupts, false },
	{ 0 },
};
