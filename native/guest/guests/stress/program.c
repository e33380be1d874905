/* SPDX-License-Identifier: GPL-2.0-only */
#include "stress.h"

uint64_t random_next(struct player *player)
{
	player->random ^= player->random << 13;
	player->random ^= player->random >> 7;
	player->random ^= player->random << 17;
	return player->random * 0x2545f4914f6cdd1d >> 11;
}

static uint32_t number(const char **text)
{
	uint32_t n = 0;

	while (**text >= '0' && **text <= '9')
		n = n * 10 + (uint32_t)(*(*text)++ - '0');
	return n;
}

static uint32_t number_behind(const char **text, char mark)
{
	if (**text != mark)
		return 0;
	++*text;
	return number(text);
}

static struct op parse_op(const char **text)
{
	struct op op = { .kind = *(*text)++ };

	if (op.kind == 'r') {
		op.value = number(text);
		return op;
	}
	op.id = number(text);
	op.leader = number_behind(text, '.');
	op.value = number_behind(text, ':');
	return op;
}

static bool fits(const struct op *op)
{
	if (!is_one_of(op->kind, "oOljbcedvpkhr") || op->leader >= IDS)
		return false;
	return op->kind == 'k' || op->id < IDS;
}

static bool parse_ops(struct player *player, unsigned program, const char **text)
{
	while (**text && **text != '/') {
		struct op *op = &player->ops[program][player->lengths[program]];

		if (player->lengths[program]++ == OPS)
			return false;
		*op = parse_op(text);
		if (!fits(op))
			return false;
		*text += **text == ',';
	}
	return true;
}

bool program_parse(struct player *player, const char *text)
{
	while (*text && player->programs < PROGRAMS) {
		if (!parse_ops(player, player->programs++, &text))
			return false;
		text += *text == '/';
	}
	return !*text;
}
