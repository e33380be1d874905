# SPDX-License-Identifier: GPL-2.0-only
"""What an operation of the host core costs does not depend on how many events there are: in steps, and not in time."""

import csv
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping

import pytest

from tests.core.test_core import FLAGS, NATIVE, TESTS

FEW, MANY = 100, 10_000
CORE = [*sorted((NATIVE / "core").glob("*/*.c")), NATIVE / "abi/handover.c"]
TIMEOUT_SECONDS = 300
#: The whole group's work, which is done in the one call that ends it.
AT_ONCE = {("group", "CLOSE")}

#: Steps of all calls, of the longest one, and calls: in the order in which they were made.
Steps = Mapping[tuple[str, str, int], list[tuple[int, int, int]]]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """What tests/native/core/steps_test.c says, built with the compiler's counters in the core alone."""
    folder = tmp_path_factory.mktemp("steps")
    compiler = shutil.which("cc") or "gcc"
    flags = [*FLAGS, "-O1"]
    counted = [compiler, *flags, "-fsanitize-coverage=trace-pc", "-c", *map(str, CORE)]
    subprocess.run(counted, cwd=folder, check=True, timeout=TIMEOUT_SECONDS)
    program = [compiler, *flags, str(TESTS / "steps_test.c"), str(TESTS / "core_fake.c")]
    objects = map(str, sorted(folder.glob("*.o")))
    subprocess.run([*program, *objects, "-o", "steps_test"], cwd=folder, check=True, timeout=TIMEOUT_SECONDS)
    result = subprocess.run(
        [folder / "steps_test", str(FEW), str(MANY)],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    told = defaultdict(list)
    for kind, events, operation, *figures in csv.reader(result.stdout.splitlines()):
        told[kind, operation, int(events)].append((int(figures[0]), int(figures[1]), int(figures[2])))
    return told


def test_no_operation_takes_more_steps_where_there_are_more_events(steps: Steps) -> None:
    named = {(kind, operation) for kind, operation, _ in steps}
    assert len(named) == 9 * 11
    grew = []
    for kind, operation in sorted(named):
        for few, many in zip(steps[kind, operation, FEW], steps[kind, operation, MANY], strict=True):
            assert few[0] > 0
            mean = many[0] / many[2] / (few[0] / few[2])
            most = many[1] / few[1] if few[1] and (kind, operation) not in AT_ONCE else 0
            if mean > 1.5 or most > 2:
                grew.append((kind, operation, mean, most))
    assert not grew
