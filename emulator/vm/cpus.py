# SPDX-License-Identifier: GPL-2.0-only
"""The guest's processor: its models, and whether the host's can be one. What a model has, the engine says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emulator.errors import Unsupported

#: By name, as enum pv_cpu; the first is the default.
MODELS = {
    "default": "PV_CPU_DEFAULT",
    "x86-64": "PV_CPU_X86_64",
    "x86-64-v2": "PV_CPU_X86_64_V2",
    "x86-64-v3": "PV_CPU_X86_64_V3",
    "max": "PV_CPU_MAX",
}


def model_number(lib: Any, name: str) -> int:
    """Of enum pv_cpu."""
    return int(getattr(lib, MODELS[name]))


def check_model(name: str) -> None:
    """Unsupported, with what is missing, if no vCPU can be that processor here. The default one always can."""
    if name == "default":
        return
    from emulator.native import load_engine

    core = load_engine()
    if why := missing(name, core.lib.engine_host_features()):
        raise Unsupported(f"cpu {name!r} is not possible here: {why}")


def missing(name: str, host: int) -> str:
    """A sentence, if a host with these features, as the engine counts them, cannot be that processor."""
    from emulator.native import load_engine

    core = load_engine()
    features, why = core.ffi.new("uint64_t *"), core.ffi.new("char[256]")
    if not core.lib.engine_cpu_choose(model_number(core.lib, name), host, features, why, len(why)):
        return ""
    return str(core.ffi.string(why).decode())


def host_level() -> tuple[str, tuple[str, ...]]:
    """The highest level whose features the host has all, and all that it has, as Linux names them."""
    from emulator.native import load_engine

    lib = load_engine().lib
    host = lib.engine_host_features()
    levels = [name for name in MODELS if name.startswith("x86-64")]
    reached = [name for name in levels if not lib.engine_cpu_features(model_number(lib, name), host) & ~host]
    return reached[-1] if reached else levels[0], tuple(_names(host))


def _names(features: int) -> Iterator[str]:
    from emulator.native import load_engine

    core = load_engine()
    for bit in range(64):
        name = core.lib.engine_feature_name(bit)
        if name == core.ffi.NULL:
            return
        if features >> bit & 1 and (text := core.ffi.string(name).decode()):
            yield text
