# SPDX-License-Identifier: GPL-2.0-only
"""pvperf's own parts: modules, the two extensions, the guests, and whether locked operations are atomic in truth."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from emulator.doctor.finding import Finding
from emulator.errors import Unsupported, UsageError

_PACKAGES = ("unicorn", "cffi", "multiprocess", "posix_ipc", "pyelftools")
# Of the others only a library is loaded, or a part by the C extensions.
_IMPORTED = ("multiprocess", "posix_ipc")
_ITERATIONS = 100_000


def check_modules() -> Finding:
    """The versions that are installed."""
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("modules", "bad", f"not installed: {', '.join(missing)}; pip install {' '.join(missing)}")
    for name in _IMPORTED:
        import_module(name)
    return Finding("modules", "ok", ", ".join(found))


def check_core() -> Finding:
    """The host core can be loaded."""
    from emulator.native import load_core

    core = load_core()
    return Finding("host core", "ok", f"loaded; guest ABI version {core.lib.KVM_PV_PERF_ABI_VERSION}")


def check_engine() -> Finding:
    """The engine can be loaded, with the Unicorn that it knows."""
    from emulator.native import UNICORN_VERSION, load_engine

    load_engine()
    return Finding("engine", "ok", f"loaded with Unicorn {'.'.join(map(str, UNICORN_VERSION))}")


def check_guests() -> Finding:
    """The bundled guests were built."""
    from emulator.guest.bundled import BUNDLED

    names = list(BUNDLED)
    return Finding("guests", "ok" if names else "bad", ", ".join(names) or "none: reinstall with a C compiler at hand")


def check_linux() -> Finding:
    """Debian's kernel, which `pvperf linux` boots: whether it was fetched, and can be unpacked."""
    from emulator.debian import places
    from emulator.guest.linux.kernel import unpacked

    try:
        kernel = places.fetched(places.KERNEL)
    except UsageError as error:
        return Finding("Linux", "note", str(error))
    try:
        unpacked(kernel)
    except Unsupported as error:
        return Finding("Linux", "note", str(error))
    return Finding("Linux", "ok", f"{kernel.resolve().name}, in {places.directory()}")


def _lost(atomics: str, *, patience_s: float) -> tuple[int, str, int]:
    """The exit status of `locks` on two vCPUs; what was lost, in its words; operations that left translated code."""
    from emulator.vm.machine import Machine

    with Machine(smp=2, atomics=atomics) as vm:
        result = vm.run("locks", [f"iterations={_ITERATIONS}"], timeout=patience_s)
    if result.ended != "exit":
        return -1, f"a lock was lost, and the vCPUs still waited for it after {patience_s:g} s", 0
    lines = result.console.decode(errors="replace").splitlines()
    line = next((line for line in lines if "LOST" in line), "")
    return result.status, line, result.statistics["locked_trapped"]


def check_atomics() -> Finding:
    """Two vCPUs in two processes lose no locked operation."""
    status, line, left = _lost("host", patience_s=60)
    if status:
        return Finding("atomics", "bad", f"two vCPUs lost locked operations: {line}")
    where = f"{left} of them left translated code, which is slower" if left else "all within translated code"
    return Finding("atomics", "ok", f"two vCPUs, {_ITERATIONS} of each locked operation: nothing lost, {where}")


def check_control() -> Finding:
    """The same without the host's atomics: the check before this one is worth something if this one loses."""
    status, line, _ = _lost("none", patience_s=3)
    if status == 0:
        text = "even without host atomics nothing was lost: the check above shows little here (a single core?)"
        return Finding("atomics control", "note", text)
    return Finding("atomics control", "ok", f"without host atomics: {line}")
