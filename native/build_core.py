# SPDX-License-Identifier: GPL-2.0-only
"""cffi builder of emulator._core: the host core, the event table and the NMI path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_native import FLAGS, INCLUDES, NATIVE, declarations, relative
from cffi import FFI

HEADERS = [
    *("abi/agent.h", "abi/handover.h", "abi/pingpong.h", "abi/platform.h", "abi/code_map.h", "abi/sample.h"),
    *("core/events/attr.h", "core/overflow/sample_ring.h", "core/vm/vm.h"),
]

ffi = FFI()
ffi.cdef(declarations(HEADERS))
ffi.set_source(
    "emulator._core",
    "".join(f'#include "{name}"\n' for name in HEADERS),
    sources=relative([*NATIVE.glob("abi/*.c"), *NATIVE.glob("core/*/*.c")]),
    include_dirs=[str(path) for path in INCLUDES],
    extra_compile_args=FLAGS,
    libraries=["pthread"],
)
