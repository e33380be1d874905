# SPDX-License-Identifier: GPL-2.0-only
"""What `pvperf doctor` looks at. A check tries the thing itself, where it can, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

from emulator.doctor.finding import Finding, guarded
from emulator.doctor.limits import check_file_systems, check_limits
from emulator.doctor.platform import (
    check_compiler,
    check_cores,
    check_kvm,
    check_perf,
    check_processor,
    check_python,
    check_split_lock,
)
from emulator.doctor.shared_memory import check_futex, check_leftovers, check_posix, check_space
from emulator.doctor.software import (
    check_atomics,
    check_control,
    check_core,
    check_engine,
    check_guests,
    check_linux,
    check_modules,
)

_CHECKS = (
    check_python,
    check_compiler,
    check_cores,
    check_processor,
    check_modules,
    check_core,
    check_engine,
    check_guests,
    check_linux,
    check_limits,
    check_file_systems,
    check_space,
    check_posix,
    check_leftovers,
    check_futex,
    check_split_lock,
    check_atomics,
    check_control,
    check_perf,
    check_kvm,
)


def run_checks() -> Iterator[Finding]:
    """Every check in turn; one that fails in an unforeseen way is a finding too."""
    for check in _CHECKS:
        yield guarded(check)
