# SPDX-License-Identifier: GPL-2.0-only
"""cffi builder of emulator._stress: the host core on real threads that noise disturbs, and the explorer's oracles."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_native import FLAGS, INCLUDES, NATIVE, SHARED, declarations, relative
from cffi import FFI

#: The players take the place of the host's threads.
CORE = [path for path in NATIVE.glob("core/*/*.c") if path.name != "host_thread.c"]
SOURCES = [
    *CORE,
    NATIVE / "abi" / "handover.c",
    *SHARED,
    *NATIVE.glob("stress/*.c"),
]
HEADERS = ["stress/stress.h"]
#: Functions of the explorer that are not here.
NOT_HERE = re.compile(r"^[\w* ]+\bexplore_(?!specification_set)\w+\([^;]*\);$", re.MULTILINE)

ffi = FFI()
ffi.cdef(NOT_HERE.sub("", declarations(HEADERS)))
ffi.set_source(
    "emulator._stress",
    "".join(f'#include "{name}"\n' for name in HEADERS),
    sources=relative(SOURCES),
    include_dirs=[str(path) for path in INCLUDES],
    define_macros=[("PV_SYNC_BACKEND", '"stress/sync_noise.h"')],
    extra_compile_args=FLAGS,
    libraries=["pthread"],
)
