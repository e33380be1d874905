# SPDX-License-Identifier: GPL-2.0-only
"""Debian's packages, by apt: as any user, with a cache of its own, and nothing is installed.

apt checks each file against the archive's signature, goes on with one of which a part is there, and keeps those that
are whole.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from emulator.errors import HostError, Unsupported
from emulator.places import environment, find_program

# Of the kernel's packages, those that are fetched although nobody named them; others want a whole system below them.
_OF_KERNEL = re.compile(r"linux-(image|headers|kbuild)-[\w.+-]+")
# A line of --print-uris: where it is, its name, its size, its hash.
_URI = re.compile(r"^'[^']*' (\S+\.deb) (\d+) ", re.MULTILINE)
# Manuals, and the modules of the kernel's package, which are most of it.
_UNWANTED = re.compile(r"(\./)?(usr/share/(doc|man|locale|lintian|bug|info)/|lib/modules/[^/]+/kernel/)")
_INSTALL = ("-qq", "--yes", "--no-install-recommends", "install")


class Archive:
    """What apt knows of Debian's packages, and `directory`, where those go that are fetched."""

    def __init__(self, directory: Path) -> None:
        """Unsupported where there is no apt."""
        if not find_program("apt-get"):
            raise Unsupported("Debian's kernel comes by apt-get, and this system has none: see docs/linux.md")
        self.directory = directory
        self._own = directory.parent / "apt"
        self._none = self._own / "none"
        for path in (
            directory / "partial",
            self._none / "partial",
            self._own / "cache",
            self._own / "lists" / "partial",
        ):
            path.mkdir(parents=True, exist_ok=True)
        (self._own / "status").touch()
        self._lists: tuple[str, ...] = ()  # the system's own

    def update(self) -> None:
        """Fetches lists of what there is, for itself: the system's may be old, or not there."""
        self._lists = ("-o", f"Dir::State::Lists={self._own / 'lists'}")
        self._run("apt-get", "-qq", "update")

    def versions(self, names: Iterable[str]) -> dict[str, str]:
        """The version of each of the kernel's packages `names`, and of those of the kernel's that they need."""
        found: dict[str, str] = {}
        pending = set(names)
        while pending:
            said = self._run("apt-cache", "show", "--no-all-versions", *sorted(pending))
            needed: set[str] = set()
            for package in said.split("\n\n"):
                fields = dict(_fields(package))
                if "Package" in fields:
                    found[fields["Package"]] = fields["Version"]
                    needed.update(each[0] for each in _OF_KERNEL.finditer(fields.get("Depends", "")))
            if lost := pending - found.keys():
                raise HostError(f"apt knows no package {min(lost)}: are Debian's archives among its sources?")
            pending = needed - found.keys()
        return found

    def files(self, kernel: dict[str, str], programs: Sequence[str]) -> dict[str, int]:
        """What has to be fetched: these versions of packages alone, and `programs` with all that they need, as on a
        machine where nothing is installed. Names of files, and their sizes in bytes.
        """
        nowhere = ("-o", f"Dir::Cache::Archives={self._none}")  # what is there already is listed, too
        listed = self._run("apt-get", *nowhere, "-qq", "--print-uris", "download", *_exactly(kernel), here=self._none)
        listed += self._run("apt-get", *nowhere, "--print-uris", *_INSTALL, *programs)
        return {found[1]: int(found[2]) for found in _URI.finditer(listed)}

    def download(self, kernel: dict[str, str], programs: Sequence[str]) -> None:
        """Into `directory`."""
        self._run("apt-get", "-qq", "download", *_exactly(kernel))
        self._run("apt-get", "--download-only", *_INSTALL, *programs)

    def _run(self, *command: str, here: Path | None = None) -> str:
        options = {
            "Dir::Cache": self._own / "cache",
            "Dir::Cache::Archives": self.directory,
            "Dir::Cache::pkgcache": "packages.bin",  # containers often have none
            "Dir::Cache::srcpkgcache": "sources.bin",
            "Dir::State::Status": self._own / "status",
            "Debug::NoLocking": 1,
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Keep-Downloaded-Packages": 1,
            **({"APT::Sandbox::User": "root"} if os.geteuid() == 0 else {}),
        }
        program = find_program(command[0])
        assert program
        words = [program, *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]
        words += [*self._lists, *command[1:]]
        done = subprocess.run(
            words, cwd=here or self.directory, env=environment(LC_ALL="C"), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise HostError(f"{' '.join(command[:3])} ... failed", details=done.stderr.strip())
        return done.stdout


def _exactly(versions: dict[str, str]) -> list[str]:
    return [f"{name}={version}" for name, version in versions.items()]


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """Of a package's description: those that are a line each."""
    for line in text.splitlines():
        name, colon, value = line.partition(": ")
        if colon and not line.startswith(" "):
            yield name, value


def unpack(packages: Iterable[Path], tree: Path) -> None:
    """Puts what is in them below `tree`, but for what nobody reads, and the kernel's own modules."""
    program = find_program("dpkg-deb")
    if not program:
        raise Unsupported("Debian's packages are unpacked by dpkg-deb, and this system has none")
    for package in packages:
        with subprocess.Popen([program, "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as unpacking:
            try:
                with tarfile.open(fileobj=unpacking.stdout, mode="r|") as archive:
                    # Links that begin with a slash are as they should be. Debian's own Python 3.11 knows of no filters.
                    archive.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
                    for member in archive:
                        if not _UNWANTED.match(member.name):
                            archive.extract(member, tree)
            except tarfile.TarError as error:
                raise HostError(f"{package.name} cannot be unpacked: {error}") from None
        if unpacking.returncode:
            raise HostError(f"{package.name} cannot be unpacked by dpkg-deb (status {unpacking.returncode})")
