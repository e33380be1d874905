# SPDX-License-Identifier: GPL-2.0-only
"""The one door to the C code: loads the extension modules, each when it is first needed.

`load_core()` gives the host core, `load_engine()` guest mode, `load_explore()` the core on fibers, `load_stress()` the
core on threads with noise, `load_bench()` what benchmarks compare with. Each returns a module with `ffi` and `lib`.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from emulator.errors import HostError, OutOfMemory, Unsupported

# What the dynamic linker says.
_NO_MEMORY = ("failed to map", "cannot map", "annot allocate", "cannot create shared object descriptor")

#: The Unicorn that the engine knows from the inside.
UNICORN_VERSION = (2, 1, 4)


def _library(package: str, *below: str) -> ctypes.CDLL:
    """Loads a wheel's library without importing the wheel: the extension then finds it by its soname."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise Unsupported(f"the Python package {package} is not installed: pip install {package}")
    return _load(os.path.join(os.path.dirname(spec.origin), *below), of=package)


def _load(path: str, *, of: str = "pvperf") -> ctypes.CDLL:
    """Its symbols are found before those of what is loaded later."""
    try:
        return ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
    except OSError as error:
        _refuse_for_want(error)
        raise Unsupported(f"cannot load {error}: reinstall {of}") from None


def _extension(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        _refuse_for_want(error)
        raise Unsupported(f"the C extension {name} cannot be loaded ({error}): reinstall pvperf") from None


def _refuse_for_want(error: Exception) -> None:
    """The dynamic linker has no errno: OutOfMemory if it says that it got no memory, HostError if no descriptor."""
    said = str(error)
    if any(words in said for words in _NO_MEMORY):
        raise OutOfMemory(f"no memory to load a library ({said}): raise ulimit -v") from None
    if said.endswith("Error 24"):
        raise HostError(f"too many open files to load a library ({said}): raise ulimit -n") from None


@cache
def load_core() -> Any:
    """The host core: events, locks, VM exits. Raises Unsupported when it is not built."""
    return _extension("emulator._core")


@cache
def load_explore(*, races: bool = False) -> Any:
    """The host core under the explorer's scheduler; with `races` it sees data races, and takes some times as long.

    Raises Unsupported when it is not built.
    """
    return _extension("emulator._races" if races else "emulator._explore")


@cache
def load_stress() -> Any:
    """The host core on threads that noise disturbs. Raises Unsupported when it is not built."""
    return _extension("emulator._stress")


@cache
def load_bench() -> Any:
    """The peers that benchmarks measure against. Raises Unsupported when it is not built."""
    return _extension("emulator._bench")


@cache
def load_engine() -> Any:
    """Guest mode on Unicorn. Raises Unsupported when a library is missing or is not the one that was tested."""
    interposed = find_spec("emulator._interposed")
    if interposed is None or interposed.origin is None:
        raise Unsupported("the C library emulator._interposed is not there: reinstall pvperf")
    _load(interposed.origin)
    unicorn = _library("unicorn", "lib", "libunicorn.so.2")
    combined = int(unicorn.uc_version(None, None))
    version = (combined >> 24 & 0xFF, combined >> 16 & 0xFF, combined >> 8 & 0xFF)
    if version != UNICORN_VERSION:
        wanted = ".".join(map(str, UNICORN_VERSION))
        raise Unsupported(f"Unicorn {'.'.join(map(str, version))} is installed, and the engine needs {wanted}")
    return _extension("emulator._engine")
