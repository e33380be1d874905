/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine_test.h"

static const struct named_test *const suites[] = {
	alarm_tests, nmi_tests, agent_tests, agent_end_tests, exit_tests, place_tests, cost_tests,
};

int main(int argc, char **argv)
{
	return run_tests(suites, sizeof(suites) / sizeof(suites[0]), argc, argv);
}
