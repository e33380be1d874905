/* SPDX-License-Identifier: GPL-2.0-only */
/* A register machine by computed goto: sieves primes, adds Fibonacci's numbers by recursion, and sorts. */
#include "program.h"

enum op { LOAD, ADD, SUB, MUL, LESS, GET, SET, JUMP, UNLESS, CALL, RETURN, MOVE, STOP };

struct instruction {
	uint8_t op, a, b, c;
	int32_t value;
};

enum { MEMORY = 200, FRAME = 8, DEPTH = 40 };

static int64_t memory[MEMORY], registers[FRAME * DEPTH];

static int64_t run(const struct instruction *code, unsigned at, uint64_t *executed)
{
	static const void *const labels[] = {
		[LOAD] = &&load, [ADD] = &&add, [SUB] = &&sub, [MUL] = &&mul, [LESS] = &&less, [GET] = &&get,
		[SET] = &&set, [JUMP] = &&jump, [UNLESS] = &&unless, [CALL] = &&call, [RETURN] = &&ret, [MOVE] = &&move,
		[STOP] = &&stop,
	};
	unsigned back[DEPTH], depth = 0;
	int64_t *r = registers;
	const struct instruction *i;

#define NEXT                                    \
	do {                                    \
		i = &code[at++];                \
		++*executed;                    \
		goto *labels[i->op];            \
	} while (0)

	NEXT;
load:
	r[i->a] = i->value;
	NEXT;
move:
	r[i->a] = r[i->b];
	NEXT;
add:
	r[i->a] = r[i->b] + r[i->c];
	NEXT;
sub:
	r[i->a] = r[i->b] - r[i->c];
	NEXT;
mul:
	r[i->a] = r[i->b] * r[i->c];
	NEXT;
less:
	r[i->a] = r[i->b] < r[i->c];
	NEXT;
get:
	r[i->a] = memory[(uint64_t)r[i->b] % MEMORY];
	NEXT;
set:
	memory[(uint64_t)r[i->b] % MEMORY] = r[i->a];
	NEXT;
jump:
	at = (unsigned)i->value;
	NEXT;
unless:
	at = r[i->a] ? at : (unsigned)i->value;
	NEXT;
call: /* its register 0 is our a, and gets what it returns */
	back[depth++] = at;
	at = (unsigned)i->value;
	r[FRAME] = r[i->a];
	r += FRAME;
	NEXT;
ret:
	at = back[--depth];
	r -= FRAME;
	r[code[at - 1].a] = r[FRAME + i->a];
	NEXT;
stop:
	return r[i->a];
}

/* 0: two; 1: limit; 2: n; 3: multiple; 4: condition; 5: one; 6: sum */
static const struct instruction sieve[] = {
	{ LOAD, 0, 0, 0, 2 },  { LOAD, 1, 0, 0, MEMORY }, { LOAD, 5, 0, 0, 1 }, { MOVE, 2, 0, 0, 0 },
	{ LESS, 4, 2, 1, 0 },  { UNLESS, 4, 0, 0, 18 },	  { GET, 4, 2, 0, 0 },	{ UNLESS, 4, 0, 0, 10 },
	{ ADD, 2, 2, 5, 0 },   { JUMP, 0, 0, 0, 4 },	  { ADD, 6, 6, 2, 0 },	{ ADD, 3, 2, 2, 0 },
	{ LESS, 4, 3, 1, 0 },  { UNLESS, 4, 0, 0, 8 },	  { SET, 5, 3, 0, 0 },	{ ADD, 3, 3, 2, 0 },
	{ JUMP, 0, 0, 0, 12 }, { STOP, 6, 0, 0, 0 },	  { STOP, 6, 0, 0, 0 },
};

static const struct instruction fibonacci[] = {
	{ LOAD, 0, 0, 0, 11 }, { CALL, 0, 0, 0, 3 }, { STOP, 0, 0, 0, 0 },  { LOAD, 1, 0, 0, 2 },
	{ LESS, 2, 0, 1, 0 },  { UNLESS, 2, 0, 0, 7 }, { RETURN, 0, 0, 0, 0 }, { LOAD, 2, 0, 0, 1 },
	{ SUB, 3, 0, 2, 0 },   { SUB, 4, 0, 1, 0 },  { CALL, 3, 0, 0, 3 },  { CALL, 4, 0, 0, 3 },
	{ ADD, 0, 3, 4, 0 },   { RETURN, 0, 0, 0, 0 },
};

/* Bubbles of 40 numbers at 0: 0: i; 1: last; 2, 3: two of them; 4: condition; 5: one; 6: i + 1 */
static const struct instruction bubbles[] = {
	{ LOAD, 1, 0, 0, 24 }, { LOAD, 5, 0, 0, 1 },  { LOAD, 0, 0, 0, 0 },   { ADD, 6, 0, 5, 0 },
	{ LESS, 4, 6, 1, 0 },  { UNLESS, 4, 0, 0, 14 }, { GET, 2, 0, 0, 0 },	{ GET, 3, 6, 0, 0 },
	{ LESS, 4, 3, 2, 0 },  { UNLESS, 4, 0, 0, 12 }, { SET, 3, 0, 0, 0 },	{ SET, 2, 6, 0, 0 },
	{ MOVE, 0, 6, 0, 0 },  { JUMP, 0, 0, 0, 3 },  { SUB, 1, 1, 5, 0 },    { LESS, 4, 5, 1, 0 },
	{ UNLESS, 4, 0, 0, 18 }, { JUMP, 0, 0, 0, 2 }, { STOP, 1, 0, 0, 0 },
};

void program(void)
{
	struct random random = { 97 };
	uint64_t executed = 0;

	check(run(sieve, 0, &executed) == 4227, "primes");
	check(run(fibonacci, 0, &executed) == 89, "Fibonacci");
	for (unsigned i = 0; i < 24; i++)
		memory[i] = (int64_t)random_next(&random) >> 20;
	run(bubbles, 0, &executed);
	for (unsigned i = 1; i < 24; i++)
		check(memory[i - 1] <= memory[i], "order");
	print_number(executed);
	print_hex(digest(memory, sizeof(memory)));
}
