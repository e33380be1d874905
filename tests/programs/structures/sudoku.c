/* SPDX-License-Identifier: GPL-2.0-only */
/* Sudoku by Knuth's dancing links: exact covers of 324 conditions by 729 choices. */
#include "program.h"

enum { COLUMNS = 324, ROWS = 729, NODES = 1 + COLUMNS + 4 * ROWS };

static uint16_t left[NODES], right[NODES], up[NODES], down[NODES], column[NODES], row_of[NODES], size[COLUMNS + 1];
static uint16_t solution[81];
static unsigned nodes, solutions, chosen, steps;
static char answer[82];

static void add_row(unsigned row)
{
	unsigned r = row / 81, c = row / 9 % 9, d = row % 9, first = nodes;
	const unsigned conditions[4] = { 9 * r + c, 81 + 9 * r + d, 162 + 9 * c + d, 243 + 9 * (r / 3 * 3 + c / 3) + d };

	for (unsigned i = 0; i < 4; i++) {
		unsigned head = 1 + conditions[i], node = nodes++;

		column[node] = (uint16_t)head;
		row_of[node] = (uint16_t)row;
		up[node] = up[head];
		down[node] = (uint16_t)head;
		down[up[head]] = (uint16_t)node;
		up[head] = (uint16_t)node;
		left[node] = (uint16_t)(i ? node - 1 : first + 3);
		right[node] = (uint16_t)(i < 3 ? node + 1 : first);
		size[head]++;
	}
}

static void cover(unsigned head)
{
	right[left[head]] = right[head];
	left[right[head]] = left[head];
	for (unsigned i = down[head]; i != head; i = down[i])
		for (unsigned j = right[i]; j != i; j = right[j]) {
			down[up[j]] = down[j];
			up[down[j]] = up[j];
			size[column[j]]--;
		}
}

static void uncover(unsigned head)
{
	for (unsigned i = up[head]; i != head; i = up[i])
		for (unsigned j = left[i]; j != i; j = left[j]) {
			size[column[j]]++;
			down[up[j]] = up[down[j]] = (uint16_t)j;
		}
	right[left[head]] = left[right[head]] = (uint16_t)head;
}

static void search(void)
{
	unsigned head = right[0];

	steps++;
	if (head == 0) {
		solutions++;
		for (unsigned i = 0; i < chosen; i++)
			answer[solution[i] / 9] = (char)('1' + solution[i] % 9);
		return;
	}
	for (unsigned i = head; i; i = right[i])
		head = size[i] < size[head] ? i : head;
	cover(head);
	for (unsigned i = down[head]; i != head; i = down[i]) {
		solution[chosen++] = row_of[i];
		for (unsigned j = right[i]; j != i; j = right[j])
			cover(column[j]);
		search();
		for (unsigned j = left[i]; j != i; j = left[j])
			uncover(column[j]);
		chosen--;
	}
	uncover(head);
}

void program(void)
{
	static const char given[] = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79";
	unsigned sums = 0;

	for (unsigned i = 0; i <= COLUMNS; i++) {
		left[i] = (uint16_t)(i ? i - 1 : COLUMNS);
		right[i] = (uint16_t)(i < COLUMNS ? i + 1 : 0);
		up[i] = down[i] = (uint16_t)i;
	}
	nodes = 1 + COLUMNS;
	/* Only the choices that what is given leaves. */
	for (unsigned row = 0; row < ROWS; row++)
		if (given[row / 9] == '.' || given[row / 9] == (char)('1' + row % 9))
			add_row(row);
	search();
	check(solutions == 1, "one solution");
	for (unsigned i = 0; i < 81; i++) {
		check(given[i] == '.' || given[i] == answer[i], "what was given");
		sums += (unsigned)(answer[i] - '0');
	}
	check(sums == 405, "nine of each");
	print(answer);
	print_number(steps);
}
