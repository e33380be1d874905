/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/devices/cmos.h"

static const int64_t ns_per_second = 1000000000, seconds_per_day = 86400;

/* 1 June 2026, 00:00 UTC. */
static const int64_t first_date = 1780272000;

enum {
	SECONDS = 0,
	SECONDS_ALARM = 1,
	MINUTES = 2,
	MINUTES_ALARM = 3,
	HOURS = 4,
	HOURS_ALARM = 5,
	WEEKDAY = 6, /* 1 is Sunday */
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	A = 10,
	B = 11,
	C = 12,
	D = 13,
	CENTURY = 0x32,

	A_RATE = 0xf,
	A_UPDATING = 1 << 7,
	A_NORMAL = 0x26, /* 32,768 Hz, and 1,024 interrupts a second if they are wanted */
	B_24_HOURS = 1 << 1,
	B_BINARY = 1 << 2,
	B_SET = 1 << 7, /* the clock stands still, to be set */
	FLAG_UPDATED = 1 << 4,
	FLAG_ALARM = 1 << 5,
	FLAG_PERIODIC = 1 << 6,
	FLAGS = FLAG_UPDATED | FLAG_ALARM | FLAG_PERIODIC, /* in B: which of them interrupt */
	C_INTERRUPT = 1 << 7,
	D_VALID = 1 << 7,
	PM = 1 << 7,
	ANY = 0xc0, /* in an alarm's byte: it fits all */

	CRYSTAL_HZ = 32768,
	UPDATE_NS = (244 + 1984) * 1000, /* before a second begins: when the time must not be read */
};

struct date {
	int64_t year;
	int month, day, weekday; /* from 1 */
};

/* Years begin in March here, so that the day that leap years have is the last one. */
static struct date date_of(int64_t day_from_1970)
{
	int64_t day = day_from_1970 + 719468, era = day / 146097, of_era = day % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	return (struct date){
		.year = era * 400 + year + (month >= 10),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(of_year - (153 * month + 2) / 5 + 1),
		.weekday = (int)((day_from_1970 + 4) % 7 + 1),
	};
}

static int64_t day_of(int64_t year, int64_t month, int64_t day)
{
	int64_t era, of_era, of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	year -= month <= 2;
	era = year / 400;
	of_era = year % 400;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static uint8_t encode(const struct pv_cmos *cmos, int value)
{
	return (uint8_t)(cmos->bytes[B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static int decode(const struct pv_cmos *cmos, uint8_t value)
{
	return cmos->bytes[B] & B_BINARY ? value : (value >> 4) * 10 + (value & 0xf);
}

static uint8_t encode_hour(const struct pv_cmos *cmos, int hour)
{
	if (cmos->bytes[B] & B_24_HOURS)
		return encode(cmos, hour);
	return encode(cmos, (hour + 11) % 12 + 1) | (hour >= 12 ? PM : 0);
}

static int decode_hour(const struct pv_cmos *cmos, uint8_t value)
{
	if (cmos->bytes[B] & B_24_HOURS)
		return decode(cmos, value);
	return decode(cmos, value & (uint8_t)~PM) % 12 + (value & PM ? 12 : 0);
}

static int64_t second_at(const struct pv_cmos *cmos, uint64_t now)
{
	return cmos->epoch + (int64_t)(now / (uint64_t)ns_per_second);
}

static void store_time(struct pv_cmos *cmos, uint64_t now)
{
	int64_t second = second_at(cmos, now), of_day = second % seconds_per_day;
	struct date date = date_of(second / seconds_per_day);

	cmos->bytes[SECONDS] = encode(cmos, (int)(of_day % 60));
	cmos->bytes[MINUTES] = encode(cmos, (int)(of_day / 60 % 60));
	cmos->bytes[HOURS] = encode_hour(cmos, (int)(of_day / 3600));
	cmos->bytes[WEEKDAY] = (uint8_t)date.weekday;
	cmos->bytes[DAY] = encode(cmos, date.day);
	cmos->bytes[MONTH] = encode(cmos, date.month);
	cmos->bytes[YEAR] = encode(cmos, (int)(date.year % 100));
	cmos->bytes[CENTURY] = encode(cmos, (int)(date.year / 100));
}

/* The time is what the bytes say, never before 1970. Its seconds begin with those of the guest's clock. */
static void take_time(struct pv_cmos *cmos, uint64_t now)
{
	int year = decode(cmos, cmos->bytes[CENTURY]) * 100 + decode(cmos, cmos->bytes[YEAR]);
	int64_t day = day_of(year, decode(cmos, cmos->bytes[MONTH]), decode(cmos, cmos->bytes[DAY]));
	int64_t second = day * seconds_per_day + decode_hour(cmos, cmos->bytes[HOURS]) * 3600 +
			 decode(cmos, cmos->bytes[MINUTES]) * 60 + decode(cmos, cmos->bytes[SECONDS]);

	if (second < 0)
		second = 0;
	cmos->epoch = second - (int64_t)(now / (uint64_t)ns_per_second);
}

static bool alarm_fits(const struct pv_cmos *cmos, int64_t second)
{
	int64_t of_day = second % seconds_per_day;
	uint8_t seconds = cmos->bytes[SECONDS_ALARM], minutes = cmos->bytes[MINUTES_ALARM];
	uint8_t hours = cmos->bytes[HOURS_ALARM];

	return ((seconds & ANY) == ANY || decode(cmos, seconds) == of_day % 60) &&
	       ((minutes & ANY) == ANY || decode(cmos, minutes) == of_day / 60 % 60) &&
	       ((hours & ANY) == ANY || decode_hour(cmos, hours) == of_day / 3600);
}

static bool alarm_was(const struct pv_cmos *cmos, int64_t before, int64_t last)
{
	int64_t end = last - before > seconds_per_day ? before + seconds_per_day : last;

	for (int64_t second = before + 1; second <= end; second++)
		if (alarm_fits(cmos, second))
			return true;
	return false;
}

/* Of the periodic flag; 0: never. */
static uint64_t hertz(const struct pv_cmos *cmos)
{
	unsigned rate = cmos->bytes[A] & A_RATE;

	if (!rate)
		return 0;
	return CRYSTAL_HZ >> (rate < 3 ? rate + 6 : rate - 1);
}

static uint64_t periods(uint64_t hz, uint64_t now)
{
	return (uint64_t)((unsigned __int128)now * hz / (uint64_t)ns_per_second);
}

static void see(struct pv_cmos *cmos, uint64_t now)
{
	int64_t before = second_at(cmos, cmos->seen), second = second_at(cmos, now);

	if (periods(hertz(cmos), now) != periods(hertz(cmos), cmos->seen))
		cmos->bytes[C] |= FLAG_PERIODIC;
	if (second != before && !(cmos->bytes[B] & B_SET)) {
		cmos->bytes[C] |= FLAG_UPDATED;
		if (!(cmos->bytes[C] & FLAG_ALARM) && alarm_was(cmos, before, second))
			cmos->bytes[C] |= FLAG_ALARM;
	}
	cmos->seen = now;
}

void cmos_reset(struct pv_cmos *cmos)
{
	*cmos = (struct pv_cmos){ .epoch = first_date };
	cmos->bytes[A] = A_NORMAL;
	cmos->bytes[B] = B_24_HOURS;
	cmos->bytes[D] = D_VALID;
}

bool cmos_interrupt(struct pv_cmos *cmos, uint64_t now)
{
	see(cmos, now);
	return cmos->bytes[C] & cmos->bytes[B] & FLAGS;
}

uint64_t cmos_due(const struct pv_cmos *cmos)
{
	uint8_t waits = cmos->bytes[B] & (uint8_t)~cmos->bytes[C] & FLAGS;
	uint64_t hz = hertz(cmos), due = UINT64_MAX, period;

	if ((waits & (FLAG_UPDATED | FLAG_ALARM)) && !(cmos->bytes[B] & B_SET))
		due = (cmos->seen / (uint64_t)ns_per_second + 1) * (uint64_t)ns_per_second;
	if ((waits & FLAG_PERIODIC) && hz) {
		period = periods(hz, cmos->seen) + 1;
		period = (uint64_t)(((unsigned __int128)period * (uint64_t)ns_per_second + hz - 1) / hz);
		if (period < due)
			due = period;
	}
	return due;
}

static bool is_time(unsigned index)
{
	return (index <= YEAR && index != SECONDS_ALARM && index != MINUTES_ALARM && index != HOURS_ALARM) ||
	       index == CENTURY;
}

static bool updating(const struct pv_cmos *cmos, uint64_t now)
{
	return !(cmos->bytes[B] & B_SET) &&
	       now % (uint64_t)ns_per_second >= (uint64_t)ns_per_second - UPDATE_NS;
}

static uint8_t take_flags(struct pv_cmos *cmos)
{
	uint8_t flags = cmos->bytes[C];

	cmos->bytes[C] = 0;
	return flags | (flags & cmos->bytes[B] & FLAGS ? C_INTERRUPT : 0);
}

uint8_t cmos_in(struct pv_cmos *cmos, uint64_t now, unsigned reg)
{
	unsigned index = cmos->index % sizeof(cmos->bytes);

	if (!reg)
		return 0xff;
	see(cmos, now);
	if (is_time(index) && !(cmos->bytes[B] & B_SET))
		store_time(cmos, now);
	if (index == A)
		return cmos->bytes[A] | (updating(cmos, now) ? A_UPDATING : 0);
	return index == C ? take_flags(cmos) : cmos->bytes[index];
}

static void set_b(struct pv_cmos *cmos, uint64_t now, uint8_t value)
{
	uint8_t before = cmos->bytes[B];

	if ((value & B_SET) && !(before & B_SET))
		store_time(cmos, now);
	cmos->bytes[B] = value & B_SET ? value & (uint8_t)~FLAG_UPDATED : value;
	if (!(value & B_SET) && (before & B_SET))
		take_time(cmos, now);
}

void cmos_out(struct pv_cmos *cmos, uint64_t now, unsigned reg, uint8_t value)
{
	unsigned index = cmos->index % sizeof(cmos->bytes);
	bool goes = !(cmos->bytes[B] & B_SET);

	see(cmos, now);
	if (!reg)
		cmos->index = value % sizeof(cmos->bytes); /* bit 7 masks NMIs: not here */
	else if (index == A)
		cmos->bytes[A] = value & (uint8_t)~A_UPDATING;
	else if (index == B)
		set_b(cmos, now, value);
	else if (index != C && index != D) {
		if (is_time(index) && goes)
			store_time(cmos, now);
		cmos->bytes[index] = value;
		if (is_time(index) && goes)
			take_time(cmos, now);
	}
}
