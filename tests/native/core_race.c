#include "core_test.h"
const struct core_test race_tests[] = { { NULL, NULL, false } };
