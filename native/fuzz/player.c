/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz/player.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/machine.h"
#include "fuzz/point.h"

enum { MOST_ARMED = 4 };

struct armed {
	const struct fuzz_record *record;
	uint32_t left; /* points */
};

static struct player {
	const struct fuzz_input *input;
	uint32_t at;
	unsigned depth;
	bool alone;
	struct armed armed[MOST_ARMED];
	unsigned armed_count;
	struct fuzz_result result;
} player;

bool fuzz_verbose;

void fuzz_note(const char *format, ...)
{
	va_list args;

	if (!fuzz_verbose)
		return;
	printf("%*s", (int)(2 * player.depth), "");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

_Noreturn void fuzz_violation(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "violation: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

void player_begin(const struct fuzz_input *input)
{
	memset(&player, 0, sizeof(player));
	player.input = input;
	player.result.digest = 0xcbf29ce484222325; /* of FNV-1a */
}

void player_disarm(void)
{
	player.armed_count = 0;
}

void player_leave_alone(bool alone)
{
	player.alone = alone;
}

unsigned player_halt(void)
{
	unsigned depth = player.depth;

	player.depth -= depth > 0; /* in the end there is no record */
	return depth;
}

void player_go_on(unsigned depth)
{
	player.depth = depth;
}

unsigned player_depth(void)
{
	return player.depth;
}

void player_mix(uint64_t value)
{
	player.result.digest = (player.result.digest ^ value) * 0x100000001b3;
}

void player_result(struct fuzz_result *ret)
{
	*ret = player.result;
}

static void play(const struct fuzz_record *record)
{
	player.result.performed++;
	machine.calls++;
	player.depth++;
	operation_play(record);
	player.depth--;
}

static void arm(const struct fuzz_record *record, uint32_t points)
{
	if (player.armed_count == MOST_ARMED)
		return;
	player.armed[player.armed_count++] = (struct armed){ .record = record, .left = points };
}

bool player_next(void)
{
	const struct fuzz_record *record;

	if (player.at >= player.input->records)
		return false;
	record = &player.input->record[player.at++];
	if (record_op(record) == FUZZ_AT) {
		if (player.at < player.input->records)
			arm(&player.input->record[player.at++], record->a);
	} else if (operation_possible(record)) {
		play(record);
	}
	return true;
}

static void disarm(unsigned at)
{
	player.armed_count--;
	memmove(&player.armed[at], &player.armed[at + 1], (player.armed_count - at) * sizeof(player.armed[0]));
}

/* What is armed counts points down, and is played at the first one behind that at which it can be. */
void fuzz_point(const char *where)
{
	for (unsigned i = 0; !player.alone && i < player.armed_count; i++) {
		struct armed *armed = &player.armed[i];
		const struct fuzz_record *record = armed->record;

		if (armed->left) {
			armed->left--;
		} else if (operation_possible(record)) {
			disarm(i);
			fuzz_note("meanwhile, as %s is at %s:", pv_self()->name, where);
			player.result.nested++;
			play(record);
			return;
		}
	}
}
