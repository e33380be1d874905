#include "core_test.h"
const struct core_test life_tests[] = { { NULL, NULL, false } };
