/* SPDX-License-Identifier: GPL-2.0-only */
/* A Forth: words are compiled from text into threads of addresses, and run on two stacks. */
#include "program.h"

enum { CELLS = 600, STACK = 64, NAMES = 60 };

typedef int64_t cell;

struct word {
	char name[12];
	bool immediate;
	void (*code)(void); /* NULL: a thread */
	cell *thread;
};

static struct word words[NAMES];
static unsigned words_n;
static cell cells[CELLS], stack[STACK], returns[STACK], *here = cells, *sp = stack, *rp = returns, *ip;
static const char *source;
static bool compiling;

#define BINARY(name, expression)                     \
	static void name(void)                       \
	{                                            \
		cell b = *--sp, a = *--sp;           \
		*sp++ = (cell)(expression);          \
	}

BINARY(plus, a + b)
BINARY(minus, a - b)
BINARY(times, a * b)
BINARY(divide, a / b)
BINARY(modulo, a % b)
BINARY(less, -(a < b))
BINARY(equal, -(a == b))
BINARY(both, a & b)
BINARY(exclusive, a ^ b)

static void dup(void)
{
	*sp = sp[-1];
	sp++;
}

static void drop(void)
{
	sp--;
}

static void swap(void)
{
	cell top = sp[-1];

	sp[-1] = sp[-2];
	sp[-2] = top;
}

static void over(void)
{
	*sp = sp[-2];
	sp++;
}

static void rotate(void)
{
	cell third = sp[-3];

	sp[-3] = sp[-2];
	sp[-2] = sp[-1];
	sp[-1] = third;
}

static void to_return(void)
{
	*rp++ = *--sp;
}

static void from_return(void)
{
	*sp++ = *--rp;
}

static void fetch(void)
{
	sp[-1] = cells[sp[-1] % CELLS];
}

static void store(void)
{
	sp -= 2;
	cells[sp[1] % CELLS] = sp[0];
}

static void literal(void)
{
	*sp++ = *ip++;
}

static void branch(void)
{
	ip = cells + *ip;
}

static void branch_zero(void)
{
	ip = *--sp ? ip + 1 : cells + *ip;
}

static void leave(void)
{
	ip = (cell *)*--rp;
}

static uint64_t executed;

static void execute(const struct word *word)
{
	cell *const bottom = rp;

	if (word->code) {
		word->code();
		return;
	}
	*rp++ = 0;
	for (ip = word->thread; ip;) {
		const struct word *next = (const struct word *)*ip++;

		executed++;
		if (next->code) {
			next->code();
		} else {
			*rp++ = (cell)ip;
			ip = next->thread;
		}
	}
	rp = bottom;
}

static bool token(char *to)
{
	unsigned n = 0;

	while (*source == ' ')
		source++;
	for (; *source && *source != ' ' && n < 11; source++)
		to[n++] = *source;
	to[n] = 0;
	return n;
}

static struct word *find(const char *name)
{
	for (unsigned i = words_n; i--;)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

static struct word *define(const char *name, void (*code)(void), bool immediate)
{
	struct word *word = &words[words_n++];

	for (unsigned i = 0; name[i]; i++)
		word->name[i] = name[i];
	word->code = code;
	word->immediate = immediate;
	return word;
}

static void comma(const char *name)
{
	*here++ = (cell)find(name);
}

static void colon(void)
{
	char name[12];

	token(name);
	define(name, NULL, false)->thread = here;
	compiling = true;
}

static void semicolon(void)
{
	comma("exit");
	compiling = false;
}

static void begin(void)
{
	*sp++ = here - cells;
}

static void until(void)
{
	comma("0branch");
	*here++ = *--sp;
}

static void if_(void)
{
	comma("0branch");
	*sp++ = here++ - cells;
}

static void else_(void)
{
	comma("branch");
	cells[sp[-1]] = here + 1 - cells;
	sp[-1] = here++ - cells;
}

static void then(void)
{
	cells[*--sp] = here - cells;
}

static void recurse(void)
{
	*here++ = (cell)&words[words_n - 1];
}

static void interpret(const char *text)
{
	char name[12];

	for (source = text; token(name);) {
		struct word *word = find(name);
		cell value = 0;

		if (word && (!compiling || word->immediate)) {
			execute(word);
			continue;
		}
		if (word) {
			*here++ = (cell)word;
			continue;
		}
		for (const char *c = name; *c; c++)
			value = value * 10 + (*c - '0');
		if (compiling) {
			comma("lit");
			*here++ = value;
		} else {
			*sp++ = value;
		}
	}
}

void program(void)
{
	static const struct {
		const char *name;
		void (*code)(void);
		bool immediate;
	} first[] = {
		{ "+", plus, false },	     { "-", minus, false },	  { "*", times, false },
		{ "/", divide, false },	     { "mod", modulo, false },	  { "<", less, false },
		{ "=", equal, false },	     { "and", both, false },	  { "xor", exclusive, false },
		{ "dup", dup, false },	     { "drop", drop, false },	  { "swap", swap, false },
		{ "over", over, false },     { "rot", rotate, false },	  { ">r", to_return, false },
		{ "r>", from_return, false }, { "@", fetch, false },	  { "!", store, false },
		{ "lit", literal, false },   { "branch", branch, false }, { "0branch", branch_zero, false },
		{ "exit", leave, false },    { ":", colon, false },	  { ";", semicolon, true },
		{ "begin", begin, true },    { "until", until, true },	  { "if", if_, true },
		{ "else", else_, true },     { "then", then, true },	  { "recurse", recurse, true },
	};

	for (unsigned i = 0; i < LENGTH(first); i++)
		define(first[i].name, first[i].code, first[i].immediate);
	interpret(": gcd begin swap over mod dup 0 = until drop ; : square dup * ;");
	interpret(": fib dup 2 < if else dup 1 - recurse swap 2 - recurse + then ;");
	interpret(": collatz 0 swap begin dup 2 mod if 3 * 1 + else 2 / then swap 1 + swap dup 1 = until drop ;");
	interpret(": sum 0 swap begin swap over square + swap 1 - dup 0 = until drop ;");
	interpret("1071 462 gcd 10 fib 27 collatz 50 sum");
	check(sp - stack == 4, "four results");
	check(sp[-4] == 21 && sp[-3] == 55 && sp[-2] == 111 && sp[-1] == 42925, "gcd, fib, collatz, sum");
	print_number(executed);
	print_hex(digest(stack, 32));
}
