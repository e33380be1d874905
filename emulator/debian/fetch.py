# SPDX-License-Identifier: GPL-2.0-only
"""Fetches Debian's cloud kernel, its headers, busybox and perf, and makes what `pvperf linux` boots.

All of it goes below one directory of the user's cache. What is there already is not fetched again, and what was made
appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from emulator.debian import initramfs, places
from emulator.debian.apt import Archive, unpack
from emulator.errors import HostError, cannot
from emulator.files import write_whole
from emulator.guest.build import GuestBuildError
from emulator.guest.linux.driver import build_driver

_KERNEL = ("linux-image-cloud-amd64", "linux-headers-cloud-amd64")
_PROGRAMS = ("busybox-static", "linux-perf", "ncurses-base")


def fetch(say: Callable[[str], None]) -> Path:
    """Fetches and makes all of it, and returns the directory. `say` gets a sentence about each step.

    Unsupported where there is no apt, HostError if it fails, or something cannot be made.
    """
    base = places.directory()
    try:
        base.mkdir(parents=True, exist_ok=True)
        with _alone(base):
            packages = _fetch_packages(base / "packages", say)
            tree = _unpack(base, packages, say)
            _make(base, tree, say)
    except OSError as error:
        raise cannot(f"write below {base}", error) from None
    except GuestBuildError as error:
        raise HostError(f"a program for the guest cannot be built: {error}", details=error.details) from None
    return base


@contextlib.contextmanager
def _alone(base: Path) -> Iterator[None]:
    """One at a time."""
    with open(base / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch_packages(directory: Path, say: Callable[[str], None]) -> list[Path]:
    archive = Archive(directory)
    say(f"asking apt for {', '.join((*_KERNEL, *_PROGRAMS))}, and what they need")
    try:
        return _download(archive, say)
    except HostError:
        say("what this system knows of packages is too old: fetching Debian's lists")
        archive.update()
        return _download(archive, say)


def _download(archive: Archive, say: Callable[[str], None]) -> list[Path]:
    kernel = archive.versions(_KERNEL)
    files = archive.files(kernel, _PROGRAMS)
    missing = {name: size for name, size in files.items() if not (archive.directory / name).exists()}
    if missing:
        say(f"fetching {len(missing)} packages, {sum(missing.values()) / 1e6:.1f} MB: {', '.join(sorted(missing))}")
        archive.download(kernel, _PROGRAMS)
    return [archive.directory / name for name in sorted(files)]


def _unpack(base: Path, packages: list[Path], say: Callable[[str], None]) -> Path:
    """The tree of these packages: unpacked anew if others were."""
    tree, stamp = base / "tree", "\n".join(path.name for path in packages)
    written = tree / ".packages"
    if written.exists() and written.read_text() == stamp:
        return tree
    say(f"unpacking {len(packages)} packages")
    fresh = base / "tree.new"
    for old in (fresh, tree):
        if old.exists():
            shutil.rmtree(old)
    fresh.mkdir()
    unpack(packages, fresh)
    for makefile in fresh.glob("usr/src/linux-headers-*/Makefile"):  # which names another one from the root on
        text = makefile.read_text()
        if text.startswith("include /usr/src/"):
            makefile.write_text(text.replace("include /usr/src/", f"include {tree}/usr/src/"))
    (fresh / ".packages").write_text(stamp)
    fresh.rename(tree)
    return tree


def _make(base: Path, tree: Path, say: Callable[[str], None]) -> None:
    headers = _only(tree, "usr/src/linux-headers-*-cloud-amd64")
    driver = _build_driver(headers, say)
    for name, content in (
        (places.SMALL, initramfs.small(tree, driver)),
        (places.FULL, initramfs.full(tree, driver)),
    ):
        if not (base / name).exists() or (base / name).read_bytes() != content:
            say(f"making {base / name} ({len(content) / 1e6:.1f} MB)")
            write_whole(base / name, content)
    for name, target in ((places.KERNEL, _only(tree, "boot/vmlinuz-*")), (places.HEADERS, headers)):
        fresh = base / f"{name}.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        os.replace(fresh, base / name)
    say(f"{_only(tree, 'boot/vmlinuz-*').name}, {places.SMALL} and {places.FULL} are in {base}")


def _build_driver(headers: Path, say: Callable[[str], None]) -> bytes | None:
    """Without it Linux boots all the same: perf has software events alone then."""
    say("building the guest driver")
    try:
        return build_driver(headers)
    except GuestBuildError as error:
        say(f"going on without the guest driver: {error}{': ' if error.details else ''}{error.details}")
        return None


def _only(tree: Path, pattern: str) -> Path:
    found = sorted(tree.glob(pattern))
    if len(found) != 1:
        raise HostError(f"Debian's packages have {len(found)} of {pattern}, and 1 was expected")
    return found[0]
