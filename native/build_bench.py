# SPDX-License-Identifier: GPL-2.0-only
"""cffi builder of emulator._bench: the peers that `pvperf bench` measures against. No VM needs it."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_native import FLAGS, INCLUDES, NATIVE, declarations, relative
from cffi import FFI

HEADERS = ["bench/peer.h"]

ffi = FFI()
ffi.cdef(declarations(HEADERS))
ffi.set_source(
    "emulator._bench",
    "".join(f'#include "{name}"\n' for name in HEADERS),
    sources=relative([*NATIVE.glob("bench/*.c"), NATIVE / "core/host/guest_mem.c"]),
    include_dirs=[str(path) for path in INCLUDES],
    extra_compile_args=FLAGS,
)
