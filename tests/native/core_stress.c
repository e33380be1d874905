#include "core_test.h"
const struct core_test stress_tests[] = { { NULL, NULL, false } };
