/* SPDX-License-Identifier: GPL-2.0-only */
/* A mark-and-sweep collector under a small Lisp: cells come from a heap that is full again and again, and lists stay right. */
#include "program.h"

enum { CELLS = 256, ROOTS = 16 };

enum tag { FREE, NUMBER, PAIR, CLOSURE };

struct cell {
	uint8_t tag, marked;
	union {
		int64_t number;
		struct {
			struct cell *head, *tail;
		};
	};
};

static struct cell heap[CELLS], *free_list, *roots[ROOTS];
static unsigned roots_n, collections, freed;

static void mark(struct cell *cell)
{
	for (; cell && !cell->marked; cell = cell->tail) {
		cell->marked = 1;
		if (cell->tag == NUMBER)
			return;
		mark(cell->head);
	}
}

static void collect(void)
{
	collections++;
	for (unsigned i = 0; i < roots_n; i++)
		mark(roots[i]);
	free_list = NULL;
	for (unsigned i = 0; i < CELLS; i++) {
		if (!heap[i].marked) {
			freed += heap[i].tag != FREE;
			heap[i].tag = FREE;
			heap[i].tail = free_list;
			free_list = &heap[i];
		}
		heap[i].marked = 0;
	}
}

static struct cell *allocate(enum tag tag)
{
	struct cell *cell;

	if (!free_list)
		collect();
	cell = free_list;
	check(cell != NULL, "the heap is full");
	free_list = cell->tail;
	cell->tag = (uint8_t)tag;
	cell->head = cell->tail = NULL;
	return cell;
}

static struct cell *number(int64_t value)
{
	struct cell *cell = allocate(NUMBER);

	cell->number = value;
	return cell;
}

/* What it is made of is kept alive meanwhile. */
static struct cell *pair(struct cell *head, struct cell *tail)
{
	struct cell *cell;

	roots[roots_n++] = head;
	roots[roots_n++] = tail;
	cell = allocate(PAIR);
	roots_n -= 2;
	cell->head = head;
	cell->tail = tail;
	return cell;
}

static struct cell *range(int64_t from, int64_t to)
{
	struct cell *list = NULL;

	for (; to > from; to--) {
		struct cell *head;

		roots[roots_n++] = list;
		head = number(to - 1);
		roots_n--;
		list = pair(head, list);
	}
	return list;
}

/* f of each, in order; the list so far hangs on a root. */
static struct cell *map(int64_t (*f)(int64_t), struct cell *list)
{
	struct cell *first = NULL, *last = NULL;
	unsigned base = roots_n;

	roots[roots_n++] = list;
	roots[roots_n++] = NULL;
	for (; list; list = list->tail) {
		struct cell *next = pair(number(f(list->head->number)), NULL);

		if (last)
			last->tail = next;
		else
			roots[base + 1] = first = next;
		last = next;
	}
	roots_n = base;
	return first;
}

static struct cell *reverse(struct cell *list)
{
	struct cell *out = NULL;

	roots[roots_n++] = list;
	for (; list; list = list->tail)
		out = pair(list->head, out);
	roots_n--;
	return out;
}

static int64_t sum(const struct cell *list)
{
	int64_t all = 0;

	for (int64_t i = 1; list; list = list->tail, i++)
		all += i * list->head->number;
	return all;
}

static int64_t square(int64_t x)
{
	return x * x;
}

static int64_t times_three(int64_t x)
{
	return 3 * x + 1;
}

void program(void)
{
	int64_t (*const functions[])(int64_t) = { square, times_three };
	struct random random = { 103 };
	uint64_t all = 0;

	roots_n = 0;
	for (unsigned i = 0; i < 60; i++) {
		int64_t n = 3 + random_below(&random, 25), expected = 0;
		struct cell *list = map(functions[i % 2], range(0, n));

		for (int64_t k = 0; k < n; k++)
			expected += (n - k) * functions[i % 2](k);
		list = reverse(list);
		check(sum(list) == expected, "a list");
		all = all * 31 + (uint64_t)sum(list);
	}
	collect();
	check(freed > CELLS, "something was freed");
	print_number(collections);
	print_number(freed);
	print_hex(all);
}
