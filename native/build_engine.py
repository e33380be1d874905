# SPDX-License-Identifier: GPL-2.0-only
"""cffi builder of emulator._engine: guest mode, on the library inside the unicorn wheel."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_native import FLAGS, INCLUDES, NATIVE, declarations, package_directory, relative
from cffi import FFI

HEADERS = ["abi/agent.h", "engine/process/confine.h", "engine/run/engine.h", "engine/system/features.h"]
UNICORN = package_directory("unicorn")
INTERPOSED = set(NATIVE.glob("engine/interposed/*.c"))  # a library of their own: setup.py

ffi = FFI()
ffi.cdef(declarations(HEADERS))
ffi.set_source(
    "emulator._engine",
    "".join(f'#include "{name}"\n' for name in HEADERS),
    sources=relative([NATIVE / "abi" / "handover.c", *(set(NATIVE.glob("engine/*/*.c")) - INTERPOSED)]),
    include_dirs=[*map(str, INCLUDES), str(UNICORN / "include")],
    library_dirs=[str(UNICORN / "lib")],
    extra_compile_args=FLAGS,
    # The wheel does not have the unversioned name; emulator/native.py loads it before the module.
    extra_link_args=["-l:libunicorn.so.2"],
)
