/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/devices/pit.h"

static const uint64_t ns_per_second = 1000000000;

enum {
	MODE_TERMINAL_COUNT = 0,
	MODE_ONE_SHOT = 1, /* that the gate triggers */
	MODE_RATE = 2,
	MODE_SQUARE = 3,
	MODE_STROBE = 4,
	MODE_GATE_STROBE = 5,

	ACCESS_LATCH = 0,
	ACCESS_LOW = 1,
	ACCESS_HIGH = 2,
	ACCESS_BOTH = 3,

	CONTROL = 3,
	READ_BACK = 3, /* in the place of a channel */
	READ_BACK_NO_COUNT = 1 << 5,
	READ_BACK_NO_STATUS = 1 << 4,
	STATUS_OUTPUT = 1 << 7,
	STATUS_NULL_COUNT = 1 << 6,
};

static uint64_t tick_at(uint64_t now)
{
	return (uint64_t)((unsigned __int128)now * PIT_HZ / ns_per_second);
}

/* The first ns at which that tick has been. */
static uint64_t time_of(uint64_t tick)
{
	return (uint64_t)(((unsigned __int128)tick * ns_per_second + PIT_HZ - 1) / PIT_HZ);
}

static bool is_periodic(const struct pv_pit_channel *channel)
{
	return channel->mode == MODE_RATE || channel->mode == MODE_SQUARE;
}

static bool is_triggered(const struct pv_pit_channel *channel)
{
	return channel->mode == MODE_ONE_SHOT || channel->mode == MODE_GATE_STROBE;
}

static uint32_t modulus(const struct pv_pit_channel *channel)
{
	return channel->bcd ? 10000 : 0x10000;
}

/* Ticks of a square wave's first half: it is high for one more if the count is odd. */
static uint32_t high_ticks(uint32_t count)
{
	return (count + 1) / 2;
}

/* Ticks since the count was loaded. */
static uint64_t elapsed(const struct pv_pit_channel *channel, uint64_t tick)
{
	if (!channel->gate && !is_triggered(channel))
		return channel->stopped;
	return tick > channel->started ? tick - channel->started : 0;
}

/* The tick at which the output rises for the first time after `tick`. */
static void find_next(struct pv_pit_channel *channel, uint64_t tick)
{
	uint64_t count = channel->count, at;

	channel->next = UINT64_MAX;
	if (!channel->counting || !channel->gate || is_triggered(channel))
		return;
	if (is_periodic(channel))
		at = channel->started + (elapsed(channel, tick) / count + 1) * count;
	else
		at = channel->started + count + (channel->mode == MODE_STROBE);
	if (at > tick)
		channel->next = time_of(at);
}

static void load(struct pv_pit_channel *channel, uint64_t started)
{
	channel->count = channel->reload;
	channel->started = started;
	channel->stopped = 0;
	channel->counting = 1;
	channel->pending = 0;
}

/* A count that was written while another one is counted down takes its place when that one's (half) period ends. */
static void settle(struct pv_pit_channel *channel, uint64_t tick)
{
	uint64_t at = channel->switch_at;
	bool rises;

	if (!channel->pending || !channel->counting || !is_periodic(channel) || !channel->gate || tick < at)
		return;
	rises = !((at - channel->started) % channel->count);
	load(channel, rises ? at : at - high_ticks(channel->reload));
	if (rises)
		channel->next = time_of(at);
	else
		find_next(channel, at);
}

static uint64_t end_of_period(const struct pv_pit_channel *channel, uint64_t tick)
{
	uint64_t gone = elapsed(channel, tick), phase = gone % channel->count;
	uint64_t first = channel->mode == MODE_SQUARE ? high_ticks(channel->count) : channel->count;

	return channel->started + gone - phase + (phase < first ? first : channel->count);
}

static void write_count(struct pv_pit_channel *channel, uint64_t tick, uint32_t count)
{
	bool waits = is_triggered(channel) || (is_periodic(channel) && channel->counting);

	channel->reload = count ? count : modulus(channel);
	if (!waits) {
		load(channel, tick + 1);
		find_next(channel, tick);
		return;
	}
	if (is_periodic(channel) && channel->gate && !channel->pending) {
		channel->switch_at = end_of_period(channel, tick);
		channel->next = time_of(channel->switch_at);
	}
	channel->pending = 1;
}

static uint32_t from_bcd(uint32_t value)
{
	uint32_t ret = 0;

	for (int shift = 12; shift >= 0; shift -= 4)
		ret = ret * 10 + (value >> shift & 0xf);
	return ret;
}

static uint32_t to_bcd(uint32_t value)
{
	return value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12;
}

static uint16_t value_at(const struct pv_pit_channel *channel, uint64_t tick)
{
	uint64_t gone = elapsed(channel, tick);
	uint32_t count = channel->count, phase, value;

	if (!channel->counting)
		value = count;
	else if (channel->mode == MODE_RATE)
		value = (uint32_t)(count - gone % count);
	else if (channel->mode == MODE_SQUARE) {
		phase = (uint32_t)(gone % count);
		if (phase >= high_ticks(count))
			phase -= high_ticks(count);
		value = (count & ~1u) - 2 * phase;
	} else
		value = (uint32_t)(count + modulus(channel) - gone % modulus(channel));
	value %= modulus(channel);
	return (uint16_t)(channel->bcd ? to_bcd(value) : value);
}

static bool output_at(const struct pv_pit_channel *channel, uint64_t tick)
{
	uint64_t gone = elapsed(channel, tick);

	switch (channel->mode) {
	case MODE_TERMINAL_COUNT:
		return channel->counting && gone >= channel->count;
	case MODE_ONE_SHOT:
		return !channel->counting || tick < channel->started || gone >= channel->count;
	case MODE_RATE:
		return !channel->counting || !channel->gate || gone % channel->count != channel->count - 1;
	case MODE_SQUARE:
		return !channel->counting || !channel->gate || gone % channel->count < high_ticks(channel->count);
	default:
		return !channel->counting || gone != channel->count;
	}
}

bool pit_output(struct pv_pit_channel *channel, uint64_t now)
{
	settle(channel, tick_at(now));
	return output_at(channel, tick_at(now));
}

bool pit_has_risen(struct pv_pit_channel *channel, uint64_t now)
{
	if (now < channel->next)
		return false;
	settle(channel, tick_at(now));
	if (now < channel->next)
		return false;
	find_next(channel, tick_at(now));
	return true;
}

void pit_reset(struct pv_pit_channel pit[PIT_CHANNELS])
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		pit[i] = (struct pv_pit_channel){
			.next = UINT64_MAX, .count = 0x10000, .reload = 0x10000, .access = ACCESS_BOTH, .gate = i < 2,
		};
}

void pit_set_gate(struct pv_pit_channel *channel, uint64_t now, bool high)
{
	uint64_t tick = tick_at(now);

	if (high == channel->gate)
		return;
	settle(channel, tick);
	if (!high)
		channel->stopped = elapsed(channel, tick);
	channel->gate = high;
	if (!high)
		return;
	if (is_triggered(channel) ? channel->pending || channel->counting : channel->counting && is_periodic(channel))
		load(channel, tick + 1);
	else
		channel->started = tick - channel->stopped;
}

static void latch_count(struct pv_pit_channel *channel, uint64_t tick)
{
	if (channel->latched_bytes)
		return;
	channel->latched = value_at(channel, tick);
	channel->latched_bytes = channel->access == ACCESS_BOTH ? 2 : 1;
	channel->read_high = 0;
}

static void latch_status(struct pv_pit_channel *channel, uint64_t tick)
{
	bool null_count = channel->pending || !channel->counting || tick < channel->started;

	if (channel->has_status)
		return;
	channel->has_status = 1;
	channel->status = (uint8_t)((output_at(channel, tick) ? STATUS_OUTPUT : 0) |
				    (null_count ? STATUS_NULL_COUNT : 0) | channel->access << 4 | channel->mode << 1 |
				    channel->bcd);
}

static void set_mode(struct pv_pit_channel *channel, uint8_t value)
{
	uint8_t mode = value >> 1 & 7;

	channel->mode = mode > MODE_GATE_STROBE ? mode - 4 : mode;
	channel->access = value >> 4 & 3;
	channel->bcd = value & 1;
	channel->counting = channel->pending = channel->has_low = channel->read_high = 0;
	channel->latched_bytes = channel->has_status = 0;
	channel->next = UINT64_MAX;
}

static void control(struct pv_pit_channel pit[PIT_CHANNELS], uint64_t tick, uint8_t value)
{
	unsigned selected = value >> 6;

	if (selected != READ_BACK) {
		if ((value >> 4 & 3) == ACCESS_LATCH)
			latch_count(&pit[selected], tick);
		else
			set_mode(&pit[selected], value);
		return;
	}
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		if (!(value >> 1 & 1u << i))
			continue;
		if (!(value & READ_BACK_NO_COUNT))
			latch_count(&pit[i], tick);
		if (!(value & READ_BACK_NO_STATUS))
			latch_status(&pit[i], tick);
	}
}

static void write_byte(struct pv_pit_channel *channel, uint64_t tick, uint8_t value)
{
	uint32_t count;

	if (channel->access == ACCESS_BOTH && !channel->has_low) {
		channel->low = value;
		channel->has_low = 1;
		if (channel->mode == MODE_TERMINAL_COUNT) {
			channel->counting = 0;
			channel->next = UINT64_MAX;
		}
		return;
	}
	count = channel->access == ACCESS_LOW ? value : (uint32_t)value << 8;
	if (channel->access == ACCESS_BOTH)
		count |= channel->low;
	channel->has_low = 0;
	write_count(channel, tick, channel->bcd ? from_bcd(count) : count);
}

void pit_out(struct pv_pit_channel pit[PIT_CHANNELS], uint64_t now, unsigned reg, uint8_t value)
{
	uint64_t tick = tick_at(now);

	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		settle(&pit[i], tick);
	if (reg == CONTROL)
		control(pit, tick, value);
	else
		write_byte(&pit[reg], tick, value);
}

uint8_t pit_in(struct pv_pit_channel pit[PIT_CHANNELS], uint64_t now, unsigned reg)
{
	struct pv_pit_channel *channel = &pit[reg];
	uint16_t value;
	bool high;

	if (reg == CONTROL)
		return 0xff; /* it cannot be read */
	settle(channel, tick_at(now));
	if (channel->has_status) {
		channel->has_status = 0;
		return channel->status;
	}
	value = channel->latched_bytes ? channel->latched : value_at(channel, tick_at(now));
	high = channel->access == ACCESS_HIGH || (channel->access == ACCESS_BOTH && channel->read_high);
	if (channel->access == ACCESS_BOTH)
		channel->read_high ^= 1;
	if (channel->latched_bytes)
		channel->latched_bytes--;
	return (uint8_t)(high ? value >> 8 : value);
}
