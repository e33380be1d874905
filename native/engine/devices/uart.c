/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/devices/uart.h"

enum {
	DATA = 0, /* with DLAB, the divisor's low byte */
	IER = 1,  /* and its high byte */
	IIR = 2,  /* FCR is written here */
	LCR = 3,
	MCR = 4,
	LSR = 5,
	MSR = 6,
	SCR = 7,

	IER_RECEIVED = 1 << 0,
	IER_THRE = 1 << 1,
	IER_LINE = 1 << 2,
	IER_MODEM = 1 << 3,
	IER_KNOWN = 0xf,
	IIR_NONE = 1,
	IIR_MODEM = 0,
	IIR_THRE = 2,
	IIR_RECEIVED = 4,
	IIR_LINE = 6,
	IIR_TIMEOUT = 0xc,
	IIR_FIFO = 0xc0,
	FCR_ENABLE = 1 << 0,
	FCR_CLEAR_RECEIVER = 1 << 1,
	FCR_KEPT = 0xc9,
	LCR_DLAB = 1 << 7,
	MCR_DTR = 1 << 0,
	MCR_RTS = 1 << 1,
	MCR_OUT1 = 1 << 2,
	MCR_OUT2 = 1 << 3, /* in a PC, what lets the interrupt through */
	MCR_LOOP = 1 << 4,
	MCR_KNOWN = 0x1f,
	LSR_DATA = 1 << 0,
	LSR_OVERRUN = 1 << 1,
	LSR_EMPTY = 1 << 5 | 1 << 6,
	MSR_CTS = 1 << 4,
	MSR_DSR = 1 << 5,
	MSR_RI = 1 << 6,
	MSR_DCD = 1 << 7,
	MSR_LINES = 4,                               /* shift from a change to its line */
	MSR_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD, /* somebody is at the other end */

	FIFO = 16,
	DIVISOR_9600 = 12,
};

void uart_reset(struct pv_uart *uart)
{
	*uart = (struct pv_uart){ .dll = DIVISOR_9600 };
}

static unsigned room(const struct pv_uart *uart)
{
	return (uart->fcr & FCR_ENABLE ? FIFO : 1) - uart->count;
}

static void receive(struct pv_uart *uart, uint8_t byte)
{
	uart->fifo[(uart->first + uart->count) % FIFO] = byte;
	uart->count++;
}

void uart_receive(struct pv_uart *uart, struct pv_console_input *input)
{
	uint32_t put = __atomic_load_n(&input->put, __ATOMIC_ACQUIRE), taken = input->taken;

	while (!(uart->mcr & MCR_LOOP) && taken != put && room(uart))
		receive(uart, input->bytes[taken++ % PV_CONSOLE_INPUT]);
	__atomic_store_n(&input->taken, taken, __ATOMIC_RELEASE);
}

/* Without FIFO the byte that is there is overwritten; with it, the one that arrives is lost. */
static void loop_back(struct pv_uart *uart, uint8_t byte)
{
	if (room(uart)) {
		receive(uart, byte);
		return;
	}
	uart->overrun = 1;
	if (!(uart->fcr & FCR_ENABLE))
		uart->fifo[uart->first] = byte;
}

static uint8_t lines(const struct pv_uart *uart)
{
	if (!(uart->mcr & MCR_LOOP))
		return MSR_CONNECTED;
	return (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* Of a ring signal only the end counts. */
static void set_mcr(struct pv_uart *uart, uint8_t value)
{
	uint8_t before = lines(uart), changed;

	uart->mcr = value & MCR_KNOWN;
	changed = before ^ lines(uart);
	if (!(before & MSR_RI))
		changed &= (uint8_t)~MSR_RI;
	uart->msr_delta |= changed >> MSR_LINES;
}

static unsigned trigger(const struct pv_uart *uart)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> 6] : 1;
}

/* By priority. The time-out of what is below the trigger comes at once: nothing else is on its way. */
static uint8_t identify(const struct pv_uart *uart)
{
	if ((uart->ier & IER_LINE) && uart->overrun)
		return IIR_LINE;
	if ((uart->ier & IER_RECEIVED) && uart->count)
		return uart->count >= trigger(uart) ? IIR_RECEIVED : IIR_TIMEOUT;
	if ((uart->ier & IER_THRE) && uart->thre_pending)
		return IIR_THRE;
	if ((uart->ier & IER_MODEM) && uart->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

bool uart_interrupt(const struct pv_uart *uart)
{
	return (uart->mcr & MCR_OUT2) && !(uart->mcr & MCR_LOOP) && identify(uart) != IIR_NONE;
}

static void set_ier(struct pv_uart *uart, uint8_t value)
{
	if ((value & IER_THRE) && !(uart->ier & IER_THRE))
		uart->thre_pending = 1; /* it is empty */
	uart->ier = value & IER_KNOWN;
}

static void set_fcr(struct pv_uart *uart, uint8_t value)
{
	if (((value ^ uart->fcr) & FCR_ENABLE) || (value & FCR_CLEAR_RECEIVER))
		uart->first = uart->count = 0;
	uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static bool transmit(struct pv_uart *uart, uint8_t value)
{
	uart->thre_pending = 1;
	if (!(uart->mcr & MCR_LOOP))
		return true;
	loop_back(uart, value);
	return false;
}

bool uart_out(struct pv_uart *uart, unsigned reg, uint8_t value)
{
	bool divisor = uart->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		if (!divisor)
			return transmit(uart, value);
		uart->dll = value;
		break;
	case IER:
		if (divisor)
			uart->dlm = value;
		else
			set_ier(uart, value);
		break;
	case IIR:
		set_fcr(uart, value);
		break;
	case LCR:
		uart->lcr = value;
		break;
	case MCR:
		set_mcr(uart, value);
		break;
	case SCR:
		uart->scr = value;
		break;
	default:
		break;
	}
	return false;
}

static uint8_t next_received(struct pv_uart *uart)
{
	uint8_t byte = uart->fifo[uart->first % FIFO];

	if (uart->count) {
		uart->first = (uint8_t)((uart->first + 1) % FIFO);
		uart->count--;
	}
	return byte;
}

static uint8_t read_iir(struct pv_uart *uart)
{
	uint8_t value = identify(uart);

	if (value == IIR_THRE)
		uart->thre_pending = 0;
	return value | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t read_lsr(struct pv_uart *uart)
{
	uint8_t value = (uint8_t)(LSR_EMPTY | (uart->count ? LSR_DATA : 0) | (uart->overrun ? LSR_OVERRUN : 0));

	uart->overrun = 0;
	return value;
}

static uint8_t read_msr(struct pv_uart *uart)
{
	uint8_t value = lines(uart) | uart->msr_delta;

	uart->msr_delta = 0;
	return value;
}

uint8_t uart_in(struct pv_uart *uart, unsigned reg)
{
	bool divisor = uart->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		return divisor ? uart->dll : next_received(uart);
	case IER:
		return divisor ? uart->dlm : uart->ier;
	case IIR:
		return read_iir(uart);
	case LCR:
		return uart->lcr;
	case MCR:
		return uart->mcr;
	case LSR:
		return read_lsr(uart);
	case MSR:
		return read_msr(uart);
	default:
		return uart->scr;
	}
}
