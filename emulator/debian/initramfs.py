# SPDX-License-Identifier: GPL-2.0-only
"""The file systems that a kernel starts with, made of an unpacked tree of packages: the same bytes each time."""

from __future__ import annotations

import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from emulator.debian.libraries import inside, needed_files
from emulator.errors import HostError
from emulator.guest.build import find_compiler, native_sources
from emulator.guest.linux.cpio import Entry, archive, directory, file, link
from emulator.places import PACKAGE, run_program

_BUSYBOX = "bin/busybox"
_FOLDERS = ("dev", "proc", "sys", "tmp", "run", "root", "etc", "usr/bin")
_TERMINALS = (
    *("a/ansi", "d/dumb", "l/linux", "s/screen", "s/screen-256color", "t/tmux", "t/tmux-256color", "v/vt100"),
    *("v/vt220", "x/xterm", "x/xterm-256color", "x/xterm-color"),
)


def small(tree: Path, driver: bytes | None = None) -> bytes:
    """busybox, what starts it, and the module that it loads."""
    return archive(_small(tree, driver))


def full(tree: Path, driver: bytes | None = None) -> bytes:
    """perf as well, with all libraries that it needs."""
    return archive([*_small(tree, driver), *_perf(tree)])


def _small(tree: Path, driver: bytes | None) -> Iterator[Entry]:
    yield from map(directory, _FOLDERS)
    yield Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    yield file("init", Path(PACKAGE, "debian", "init").read_bytes(), 0o755)
    yield file("bin/pvperf-exit", _build_exit(), 0o755)
    if driver is not None:
        yield file("pvperf_pmu.ko", driver)
    yield file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    busybox = inside(tree, _BUSYBOX)
    yield file(_BUSYBOX, busybox.read_bytes(), 0o755)
    for name in sorted(_applets(busybox) - {"busybox"}):
        yield link(f"bin/{name}", "busybox")


def _applets(busybox: Path) -> set[str]:
    """It is static: this system runs it, too."""
    try:
        done = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise HostError(f"busybox cannot be asked for what it has: {error}") from None
    return set(done.stdout.split())


def _perf(tree: Path) -> Iterator[Entry]:
    for name, path in sorted(needed_files(tree, "usr/bin/perf").items()):
        yield file(name, path.read_bytes(), 0o755)
    for name in _TERMINALS:
        yield file(f"lib/terminfo/{name}", inside(tree, f"lib/terminfo/{name}").read_bytes())


def _build_exit() -> bytes:
    source = native_sources() / "guest" / "linux" / "pvperf-exit.c"
    with tempfile.TemporaryDirectory(prefix="pvperf-") as scratch:
        program = Path(scratch, "pvperf-exit")
        flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector", "-fcf-protection=none"]
        linking = ["-nostdlib", "-static", "-no-pie", "-fno-pie", "-s", "-Wl,--build-id=none", "-Wl,-z,noexecstack"]
        done = run_program([*find_compiler(), *flags, *linking, str(source), "-o", str(program)])
        if done.returncode:
            raise HostError(f"{source.name} does not compile", details=done.stderr.strip())
        return program.read_bytes()
