# SPDX-License-Identifier: GPL-2.0-only
"""Builds the guest driver of Linux, pvperf_pmu.ko, against a kernel's headers: a struct pmu over KVM_PERF_OP."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from emulator.errors import explain
from emulator.guest.build import GuestBuildError, native_sources
from emulator.places import run_program

NAME = "pvperf_pmu.ko"


def build_driver(headers: str | Path) -> bytes:
    """The module, for the kernel whose tree for modules `headers` is: such as /lib/modules/VERSION/build.

    Raises:
        GuestBuildError: with make's own words; also if `headers` is no such tree.
    """
    tree = Path(headers).resolve()
    if not (tree / "Makefile").is_file() or not (tree / "Module.symvers").is_file():
        raise GuestBuildError(f"{headers} is no tree of a kernel's headers: it has no Makefile or no Module.symvers")
    native = native_sources()
    try:
        with tempfile.TemporaryDirectory(prefix="pvperf-driver-") as name:
            scratch = Path(name)
            shutil.copytree(native / "guest" / "linux" / "driver", scratch, dirs_exist_ok=True)
            shutil.copy(native / "abi" / "kvm_pv_perf.h", scratch)
            _make(tree, scratch)
            return (scratch / NAME).read_bytes()
    except OSError as error:
        raise GuestBuildError(f"cannot build {NAME}: {explain(error)}", fault="host") from error


def _make(tree: Path, scratch: Path) -> None:
    flags = f"KCFLAGS=-ffile-prefix-map={scratch}={NAME}"  # the same bytes wherever it is built
    done = run_program(["make", "-s", "-C", str(tree), f"M={scratch}", flags, "W=1", "modules"])
    if done.returncode or not (scratch / NAME).is_file():
        raise GuestBuildError(f"make failed on {NAME}", details=done.stderr.strip())
    stripped = run_program(["strip", "--strip-debug", "--remove-section=.comment", str(scratch / NAME)])
    if stripped.returncode:
        raise GuestBuildError(f"strip failed on {NAME}", details=stripped.stderr.strip())
    # pahole would need the kernel's own debugging information, which headers do not have.
    warnings = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("Skipping BTF")]
    sys.stderr.writelines(warnings)
