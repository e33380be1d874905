#include "core_test.h"
const struct core_test hostile_tests[] = { { NULL, NULL, false } };
