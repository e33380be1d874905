# SPDX-License-Identifier: GPL-2.0-only
"""Builds the C extensions and the bundled guests. Everything else is in pyproject.toml."""

from __future__ import annotations

import copy
import os
import platform
import shlex
import shutil
import sys
import sysconfig
from glob import glob
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

from distutils.command.install_data import install_data  # isort: skip - setuptools' own, behind it

ROOT = Path(__file__).resolve().parent


def fail(sentence: str) -> None:
    raise SystemExit(f"pvperf: {sentence}")


def check_platform() -> None:
    """One clear sentence, before anything is built."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        fail(f"needs Linux on x86-64; this is {platform.system()} on {platform.machine()}")
    if sys.version_info < (3, 11):  # noqa: UP036 - somebody may run this file by an older one
        fail(f"needs Python 3.11 or newer; this is {platform.python_version()}")
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if not shutil.which(command[0]):
        fail(f"needs a C compiler, and {command[0]} is not there: install gcc, or name one in CC")
    include = Path(sysconfig.get_path("include"), "Python.h")
    if not include.exists():
        fail(f"needs Python's C headers, and {include} is not there: install python3-dev")


def build_data(package: Path, *, sources: bool) -> None:
    """The guests and the agent; for a wheel also the sources from which users build their own."""
    sys.path.insert(0, str(ROOT))  # the package is not installed yet
    try:
        from emulator.guest.build import GuestBuildError, build_agent, build_bundled
    finally:
        sys.path.remove(str(ROOT))
    data = package / "data"
    try:
        build_bundled(data / "guests")
        build_agent(data / "agent.bin")
    except GuestBuildError as error:
        fail("\n".join(filter(None, [str(error), error.details])))
    for part in ("abi", "guest", "bench") if sources else ():
        shutil.copytree(ROOT / "native" / part, data / "native" / part, dirs_exist_ok=True)


class BuildPy(build_py):
    """Puts the data into the wheel."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            build_data(Path(self.build_lib) / "emulator", sources=True)


class InstallData(install_data):
    """Makes the manual pages from the parser, for share/man, where man(1) finds what is beside a bin/ in PATH."""

    def run(self) -> None:
        sys.path.insert(0, str(ROOT))
        try:
            from emulator.cli.manual.man_command import write_pages
        finally:
            sys.path.remove(str(ROOT))
        folder = Path(self.get_finalized_command("build").build_temp, "man1")
        self.data_files = [("share/man/man1", write_pages(folder))]
        super().run()


class WithData(Distribution):
    """What is used from its sources gets its data, too: setuptools asks for that by a name that is not there."""

    has_data = Distribution.has_data_files


class BuildExt(build_ext):
    """Builds the data beside the sources when the package is used from there; the extensions side by side."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def run(self) -> None:
        super().run()
        if self.inplace or self.editable_mode:
            build_data(ROOT / "emulator", sources=False)

    def build_extension(self, ext: Extension) -> None:
        """Of emulator._races the core alone is instrumented; its hooks are in native/explore/fibers/race.c.

        The same sources are compiled another way for each: objects of two that are built at a time must not meet.
        """
        command = copy.copy(self)
        command.build_temp = os.path.join(self.build_temp, ext.name)
        if ext.name == "emulator._races":
            ext.extra_objects = self.compiler.compile(
                [source for source in ext.sources if "native/core/" in source],
                output_dir=os.path.join(command.build_temp, "races"),
                macros=ext.define_macros,
                include_dirs=ext.include_dirs,
                extra_postargs=[*ext.extra_compile_args, "-fsanitize=thread"],
            )
            ext.sources = [source for source in ext.sources if "native/core/" not in source]
        super(BuildExt, command).build_extension(ext)


check_platform()
setup(
    distclass=WithData,
    cffi_modules=[
        *(f"native/build_{name}.py:ffi" for name in ("core", "engine", "explore", "stress", "bench")),
        "native/build_explore.py:races",
    ],
    # No module for Python: emulator/native.py loads it as a library in front of Unicorn.
    ext_modules=[
        Extension(
            "emulator._interposed",
            sorted(glob("native/engine/interposed/*.c", root_dir=ROOT)),
            depends=glob("native/engine/interposed/*.h", root_dir=ROOT),
            include_dirs=["native"],
            libraries=["dl"],  # of its own before glibc 2.34
            extra_compile_args=["-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-fvisibility=hidden", "-Wall", "-Wextra"],
            py_limited_api=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},  # what cffi compiles keeps to the stable ABI
    data_files=[("share/man/man1", [])],  # by InstallData
    cmdclass={"build_py": BuildPy, "build_ext": BuildExt, "install_data": InstallData},
)
