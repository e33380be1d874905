# SPDX-License-Identifier: GPL-2.0-only
"""The machine: interpreter, compiler, cores, and the real perf and KVM beside which pvperf may be used."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from emulator.doctor.finding import Finding
from emulator.places import find_program, run_program


def check_python() -> Finding:
    """Linux on x86-64, and which Python."""
    text = f"{platform.python_version()} on {platform.system()} {platform.release()}, {platform.machine()}"
    fits = sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
    return Finding("python", "ok" if fits else "bad", text if fits else f"{text}: Linux on x86-64 is needed")


def check_compiler() -> Finding:
    """Only `guests build` needs one, once pvperf is installed."""
    from emulator.guest.build import GuestBuildError, find_compiler

    try:
        command = find_compiler()
    except GuestBuildError as error:
        return Finding("compiler", "note", f"{error}; without one, pvperf guests build cannot work")
    return Finding("compiler", "ok", _first_line([*command, "--version"]))


def check_processor() -> Finding:
    """What --cpu can be here."""
    from emulator.vm.cpus import host_level

    level, features = host_level()
    return Finding("processor", "ok", f"{level}: {' '.join(features)}")


def check_cores() -> Finding:
    """vCPUs beyond the cores take turns."""
    usable, online = len(os.sched_getaffinity(0)), os.cpu_count() or 0
    return Finding("cores", "ok", f"{usable} of {online}; more vCPUs than that take turns")


def check_split_lock() -> Finding:
    """A locked operation across two cache lines may be slowed down by the kernel on purpose."""
    setting = Path("/proc/sys/kernel/split_lock_mitigate")
    if not setting.exists():
        return Finding("split lock", "ok", "locked operations across cache lines are not slowed down by this kernel")
    if setting.read_text().strip() == "0":
        return Finding("split lock", "ok", "detected and not slowed down (kernel.split_lock_mitigate = 0)")
    text = "a guest's locked operation across cache lines may take 10 ms (kernel.split_lock_mitigate = 1)"
    return Finding("split lock", "note", text)


def check_perf() -> Finding:
    """The real one, to compare with."""
    path = find_program("perf")
    if path is None:
        return Finding("perf", "note", "not installed; nothing here needs it")
    return Finding("perf", "ok", f"{_first_line([path, '--version'])}, {path}")


def check_kvm() -> Finding:
    """For a later --accel kvm."""
    device = "/dev/kvm"
    if not os.path.exists(device):
        return Finding("kvm", "note", f"{device} is not there; nothing in this version needs it")
    if not os.access(device, os.R_OK | os.W_OK):
        return Finding("kvm", "note", f"{device} is there, and this user may not open it")
    return Finding("kvm", "ok", f"{device} can be opened; this version does not use it")


def _first_line(command: list[str]) -> str:
    done = run_program(command, timeout=20)
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0] if lines else f"{command[0]} says nothing"
