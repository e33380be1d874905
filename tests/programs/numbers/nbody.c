/* SPDX-License-Identifier: GPL-2.0-only */
/* Five bodies by leapfrog: energy is kept, as well as it goes. */
#include "program.h"

enum { BODIES = 5, STEPS = 60 };

struct body {
	double at[3], speed[3], mass;
};

static struct body bodies[BODIES];

static void advance(double dt)
{
	for (unsigned i = 0; i < BODIES; i++)
		for (unsigned j = i + 1; j < BODIES; j++) {
			double d[3], squared = 1e-4, pull;

			for (unsigned k = 0; k < 3; k++) {
				d[k] = bodies[i].at[k] - bodies[j].at[k];
				squared += d[k] * d[k];
			}
			pull = dt / (squared * __builtin_sqrt(squared));
			for (unsigned k = 0; k < 3; k++) {
				bodies[i].speed[k] -= d[k] * bodies[j].mass * pull;
				bodies[j].speed[k] += d[k] * bodies[i].mass * pull;
			}
		}
	for (unsigned i = 0; i < BODIES; i++)
		for (unsigned k = 0; k < 3; k++)
			bodies[i].at[k] += dt * bodies[i].speed[k];
}

static double energy(void)
{
	double sum = 0;

	for (unsigned i = 0; i < BODIES; i++) {
		for (unsigned k = 0; k < 3; k++)
			sum += bodies[i].mass * bodies[i].speed[k] * bodies[i].speed[k] / 2;
		for (unsigned j = i + 1; j < BODIES; j++) {
			double squared = 1e-4;

			for (unsigned k = 0; k < 3; k++)
				squared += (bodies[i].at[k] - bodies[j].at[k]) * (bodies[i].at[k] - bodies[j].at[k]);
			sum -= bodies[i].mass * bodies[j].mass / __builtin_sqrt(squared);
		}
	}
	return sum;
}

void program(void)
{
	struct random random = { 67 };
	double before, change;

	for (unsigned i = 0; i < BODIES; i++) {
		bodies[i].mass = i ? 0.01 * random_unit(&random) : 1;
		bodies[i].at[0] = i;
		bodies[i].at[1] = random_unit(&random) - 0.5;
		bodies[i].at[2] = (random_unit(&random) - 0.5) / 4;
		bodies[i].speed[1] = i ? 1 / __builtin_sqrt(i) : 0;
	}
	before = energy();
	for (unsigned i = 0; i < STEPS; i++)
		advance(0.002);
	change = energy() / before - 1;
	check(change < 1e-3 && change > -1e-3, "energy");
	print_hex(digest(bodies, sizeof(bodies)));
}
