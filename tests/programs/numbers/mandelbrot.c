/* SPDX-License-Identifier: GPL-2.0-only */
/* The Mandelbrot set in characters: doubles one by one, floats four at a time by vectors. */
#include "program.h"

enum { WIDTH = 24, HEIGHT = 8, MOST = 40 };

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t masks __attribute__((vector_size(16)));

static unsigned iterate(double re, double im)
{
	double x = 0, y = 0;
	unsigned n = 0;

	for (; n < MOST && x * x + y * y <= 4; n++) {
		double next = x * x - y * y + re;

		y = 2 * x * y + im;
		x = next;
	}
	return n;
}

static masks iterate_four(lanes re, lanes im)
{
	lanes x = { 0 }, y = { 0 };
	masks n = { 0 };

	for (unsigned i = 0; i < MOST; i++) {
		masks inside = x * x + y * y <= 4.0f;
		lanes next = x * x - y * y + re;

		if (!(inside[0] | inside[1] | inside[2] | inside[3]))
			break;
		n -= inside;
		/* What has left stays where it is. */
		y = (lanes)((masks)(2 * x * y + im) & inside) + (lanes)((masks)y & ~inside);
		x = (lanes)((masks)next & inside) + (lanes)((masks)x & ~inside);
	}
	return n;
}

void program(void)
{
	static char picture[HEIGHT][WIDTH];
	unsigned different = 0, inside = 0;

	for (unsigned j = 0; j < HEIGHT; j++)
		for (unsigned i = 0; i < WIDTH; i += 4) {
			double im = (j + 0.5) / HEIGHT * 1.2;
			lanes re = { 0 };
			masks n;

			for (int k = 0; k < 4; k++)
				re[k] = (float)((i + (unsigned)k + 0.5) / WIDTH * 3 - 2.2);
			n = iterate_four(re, (lanes){ 0 } + (float)im);
			for (int k = 0; k < 4; k++) {
				unsigned exact = iterate((double)re[k], im);

				picture[j][i + (unsigned)k] = " .:-=+*#%@"[exact / 5 % 10];
				different += exact != (unsigned)n[k];
				inside += exact == MOST;
			}
		}
	check(different < WIDTH * HEIGHT / 20, "float and double");
	print_number(inside);
	print_number(different);
	print_hex(digest(picture, sizeof(picture)));
}
