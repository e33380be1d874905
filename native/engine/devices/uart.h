/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A 16550A ("PC16550D", National Semiconductor 1995) whose line has no bit rate: what is transmitted is gone at once. What
 * is received waits outside until there is room: no input is lost, but by the loopback mode.
 */
#ifndef PV_UART_H
#define PV_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/platform.h"

void uart_reset(struct pv_uart *uart);
/* Is the interrupt request pin high? */
bool uart_interrupt(const struct pv_uart *uart);
uint8_t uart_in(struct pv_uart *uart, unsigned reg);
/* Is `value` a byte that was transmitted? */
bool uart_out(struct pv_uart *uart, unsigned reg, uint8_t value);
/* Takes what has been put into `input`, as far as there is room. */
void uart_receive(struct pv_uart *uart, struct pv_console_input *input);

#endif
