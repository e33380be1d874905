/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine_test.h"
const struct engine_test agent_tests[] = { { 0 } };
const struct engine_test cost_tests[] = { { 0 } };
