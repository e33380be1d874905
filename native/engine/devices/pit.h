/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An 8254 ("82C54 CHMOS Programmable Interval Timer", Intel 1994), all modes, binary and BCD. A count is loaded with the
 * tick after it was written, as the chip does it. The gates of channels 0 and 1 are always high.
 */
#ifndef PV_PIT_H
#define PV_PIT_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/platform.h"

enum { PIT_CHANNELS = 3, PIT_HZ = 1193182 };

void pit_reset(struct pv_pit_channel pit[PIT_CHANNELS]);
/* `reg` 0 to 2: a channel, 3: the control word. */
uint8_t pit_in(struct pv_pit_channel pit[PIT_CHANNELS], uint64_t now, unsigned reg);
void pit_out(struct pv_pit_channel pit[PIT_CHANNELS], uint64_t now, unsigned reg, uint8_t value);
void pit_set_gate(struct pv_pit_channel *channel, uint64_t now, bool high);
bool pit_output(struct pv_pit_channel *channel, uint64_t now);
/* Has its output risen at `next` or since? Then `next` goes on; it may also just be when there is something to be done. */
bool pit_has_risen(struct pv_pit_channel *channel, uint64_t now);

#endif
