/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a PC has its devices. */
#ifndef PV_PORTS_H
#define PV_PORTS_H

enum {
	PORT_PIC_1 = 0x20, /* and 0x21 */
	PORT_PIT = 0x40,   /* to 0x43 */
	PORT_KEYBOARD_DATA = 0x60,
	PORT_SYSTEM_CONTROL = 0x61,
	PORT_KEYBOARD = 0x64,
	PORT_CMOS = 0x70, /* and 0x71 */
	PORT_PIC_2 = 0xa0, /* and 0xa1 */
	PORT_COM1 = 0x3f8, /* to 0x3ff */
	PORT_ELCR = 0x4d0, /* and 0x4d1 */
	PORT_RESET_CONTROL = 0xcf9,

	IRQ_PIT = 0,
	IRQ_COM1 = 4,
	IRQ_CMOS = 8,
};

#endif
