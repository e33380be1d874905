# SPDX-License-Identifier: GPL-2.0-only
"""What the cffi builders of the two extension modules share; setup.py names those in cffi_modules.

The declarations that Python sees are the headers themselves, through the C preprocessor:
no struct, number or prototype is written twice.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path

NATIVE = Path(__file__).resolve().parent
#: What of the explorer does not care what its vCPUs run on: the stress has it, too.
SHARED = [
    NATIVE / f"explore/{name}.c"
    for name in (
        *("fibers/no_threads", "fibers/panic_oracle", "judge/linearize", "judge/oracle"),
        *("play/account", "play/boot", "play/guest", "play/guest_record", "play/program", "play/world"),
    )
]
#: Headers are named by their rooms: "core/pmu/pmu.h".
INCLUDES = [NATIVE]
FLAGS = ["-std=c11", "-O2", "-g", "-fvisibility=hidden", "-D_GNU_SOURCE", "-Wall", "-Wextra"]


def compiler() -> list[str]:
    """The C compiler and its own arguments: $CC, else what Python was built with, else cc."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    return command or ["cc"]


def declarations(headers: list[str]) -> str:
    """The text of `headers` as cffi takes it: preprocessed, without the system's headers and assertions."""
    source = "".join(f'#include "{name}"\n' for name in headers)
    with tempfile.TemporaryDirectory() as empty:
        for name in ("stdint.h", "stddef.h", "stdbool.h"):
            Path(empty, name).touch()
        command = [*compiler(), "-E", "-P", "-nostdinc", "-DPV_ABI_TYPES", "-D_Static_assert(...)="]
        command += [f"-I{path}" for path in (*INCLUDES, empty)]
        done = subprocess.run([*command, "-"], input=source, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"pvperf: the C compiler cannot preprocess the headers:\n{done.stderr.strip()}")
    return re.sub(r"^\s*;+\s*$", "", done.stdout, flags=re.MULTILINE)


def relative(paths: list[Path]) -> list[str]:
    """Sources as setuptools wants them: relative to the project."""
    return [str(path.relative_to(NATIVE.parent)) for path in sorted(paths)]


def package_directory(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"pvperf: the Python package {name} is needed to build the engine; pip install {name}")
    return Path(spec.origin).parent
