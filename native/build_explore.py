# SPDX-License-Identifier: GPL-2.0-only
"""cffi builders of emulator._explore and emulator._races: the host core on fibers, under the explorer's scheduler."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_native import FLAGS, INCLUDES, NATIVE, declarations, relative
from cffi import FFI

#: What of the core runs on threads; native/explore has its own of these.
THREADED = {"host_thread.c", "panic.c", "sync_real.c", "trace.c"}
CORE = [path for path in NATIVE.glob("core/*/*.c") if path.name not in THREADED]

SOURCES = sorted([*CORE, *NATIVE.glob("explore/*/*.c")])


def build_name() -> str:
    """What a replay file says of the code that it was recorded on."""
    digest = hashlib.sha256()
    for path in sorted([*SOURCES, *NATIVE.glob("abi/*.h"), *NATIVE.glob("core/*/*.h"), *NATIVE.glob("explore/*/*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def builder(module: str, macros: dict[str, str]) -> FFI:
    """The extension `module`, compiled with `macros`."""
    ffi = FFI()
    ffi.cdef(declarations(["explore/play/explore.h"]))
    ffi.set_source(
        module,
        '#include "explore/play/explore.h"\n',
        sources=relative(SOURCES),
        include_dirs=[str(path) for path in INCLUDES],
        define_macros=[*macros.items()],
        extra_compile_args=FLAGS,
    )
    return ffi


_MACROS = {"PV_SYNC_BACKEND": '"explore/fibers/sync_controlled.h"', "EXPLORE_BUILD": f'"{build_name()}"'}
ffi = builder("emulator._explore", _MACROS)
#: The same with the core instrumented; setup.py compiles that part for it.
races = builder("emulator._races", {**_MACROS, "EXPLORE_RACES": "1"})
