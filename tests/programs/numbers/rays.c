/* SPDX-License-Identifier: GPL-2.0-only */
/* A ray tracer: spheres over a chessboard, with shadows and mirrors, in single precision. */
#include "program.h"

enum { WIDTH = 14, HEIGHT = 8, SPHERES = 4, BOUNCES = 3 };

struct vector {
	float x, y, z;
};

struct sphere {
	struct vector center;
	float radius, mirror, grey;
};

static struct sphere spheres[SPHERES];

static struct vector add(struct vector a, struct vector b, float by)
{
	return (struct vector){ a.x + b.x * by, a.y + b.y * by, a.z + b.z * by };
}

static float dot(struct vector a, struct vector b)
{
	return a.x * b.x + a.y * b.y + a.z * b.z;
}

static struct vector unit(struct vector a)
{
	float length = __builtin_sqrtf(dot(a, a));

	return (struct vector){ a.x / length, a.y / length, a.z / length };
}

static const struct sphere *hit(struct vector from, struct vector to, float *distance)
{
	const struct sphere *found = NULL;

	*distance = 1e6f;
	for (unsigned i = 0; i < SPHERES; i++) {
		struct vector d = add(from, spheres[i].center, -1);
		float b = dot(d, to), c = dot(d, d) - spheres[i].radius * spheres[i].radius, root = b * b - c;
		float at;

		if (root < 0)
			continue;
		at = -b - __builtin_sqrtf(root);
		if (at > 1e-3f && at < *distance) {
			*distance = at;
			found = &spheres[i];
		}
	}
	return found;
}

static float trace(struct vector from, struct vector to, unsigned bounces)
{
	static const struct vector light = { 0.48f, 0.8f, -0.36f };
	float distance, ignored, shade;
	const struct sphere *sphere = hit(from, to, &distance);
	struct vector at, normal = { 0, 1, 0 };

	if (!sphere && to.y >= -0.01f)
		return 0.3f + 0.7f * to.y; /* the sky */
	if (!sphere)
		distance = -from.y / to.y;
	at = add(from, to, distance);
	if (sphere)
		normal = unit(add(at, sphere->center, -1));
	shade = dot(normal, light);
	if (shade < 0 || hit(at, light, &ignored))
		shade = 0;
	shade = 0.1f + 0.9f * shade;
	if (!sphere)
		return ((int)__builtin_floorf(at.x) + (int)__builtin_floorf(at.z)) & 1 ? shade : shade * 0.4f;
	if (bounces && sphere->mirror > 0)
		return sphere->mirror * trace(at, add(to, normal, -2 * dot(to, normal)), bounces - 1) +
		       (1 - sphere->mirror) * sphere->grey * shade;
	return sphere->grey * shade;
}

/* floorf is a function where there is no SSE4.1. */
float floorf(float x);
float floorf(float x)
{
	float whole = (float)(int)x;

	return whole > x ? whole - 1 : whole;
}

void program(void)
{
	static char picture[HEIGHT * WIDTH];
	static float values[HEIGHT * WIDTH];
	struct random random = { 71 };

	for (unsigned i = 0; i < SPHERES; i++) {
		spheres[i].radius = 0.4f + (float)random_unit(&random) / 2;
		spheres[i].center = (struct vector){ (float)i - 1.5f, spheres[i].radius, 3 + (float)random_unit(&random) * 2 };
		spheres[i].mirror = (float)(i % 2) * 0.7f;
		spheres[i].grey = 0.3f + (float)random_unit(&random) * 0.7f;
	}
	for (unsigned i = 0; i < HEIGHT * WIDTH; i++) {
		struct vector to = { ((float)(i % WIDTH) + 0.5f) / WIDTH * 2 - 1,
				     0.6f - ((float)(i / WIDTH) + 0.5f) / HEIGHT * 1.2f, 1.2f };
		float grey = trace((struct vector){ 0, 0.8f, -1 }, unit(to), BOUNCES);

		check(grey >= 0 && grey < 1.01f, "grey");
		values[i] = grey;
		picture[i] = " .:-=+*#%@@"[(int)(grey * 10)];
	}
	print_hex(digest(values, sizeof(values)));
	print_hex(digest(picture, sizeof(picture)));
}
