/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two 8259A ("8259A Programmable Interrupt Controller", Intel 1988) as a PC has them, with the edge/level registers of
 * its chipsets. Interrupt sources 0 to 15 are levels: an input that falls takes its request back.
 */
#ifndef PV_PIC_H
#define PV_PIC_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/platform.h"

enum {
	PIC_SOURCES = 16,
	PIC_CASCADE = 2, /* the first one's input at which the second is */
};

/* All masked, until they are initialised. */
void pic_reset(struct pv_pic pic[2]);
void pic_set(struct pv_pic pic[2], unsigned source, bool level);
uint8_t pic_in(struct pv_pic pic[2], uint16_t port);
void pic_out(struct pv_pic pic[2], uint16_t port, uint8_t value);
/* INT of the first one. */
bool pic_interrupt(const struct pv_pic pic[2]);
/* INTA: the vector, of a spurious interrupt (7 of either) if the request has gone. */
uint8_t pic_acknowledge(struct pv_pic pic[2]);

#endif
