# SPDX-License-Identifier: GPL-2.0-only
"""The guest's processor: models that can be had here, and what is said of those that cannot."""

from __future__ import annotations

import pytest

from emulator import VirtualMachine
from emulator.doctor.platform import check_processor
from emulator.errors import Unsupported, UsageError
from emulator.native import load_engine
from emulator.vm import cpus


def feature_bits(*names: str) -> int:
    core = load_engine()
    found, bit = 0, 0
    while (name := core.lib.engine_feature_name(bit)) != core.ffi.NULL:
        found |= (core.ffi.string(name).decode() in names) << bit
        bit += 1
    assert found.bit_count() == len(names)
    return found


def test_a_model_that_there_is_not() -> None:
    with pytest.raises(UsageError, match=r"cpu 'i486' is not known: it is one of default, x86-64, .*, max"):
        VirtualMachine(cpu="i486")


@pytest.mark.parametrize(("name", "lacks"), [("x86-64-v2", ("sse4_2",)), ("x86-64-v3", ("avx2", "fma"))])
def test_a_host_that_lacks_something(name: str, lacks: tuple[str, ...]) -> None:
    everything = (1 << 64) - 1
    assert cpus.missing(name, everything) == ""
    why = cpus.missing(name, everything & ~feature_bits(*lacks))
    assert why.startswith("the host's processor has not what this one needs: ")
    assert sorted(why.split(": ")[1].split()) == sorted(lacks)


def test_models_that_any_host_can_be() -> None:
    assert [cpus.missing(name, 0) for name in ("x86-64", "max", "default")] == ["", "", ""]


def test_a_host_without_a_feature_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, host: int) -> str:
        return real(name, host & ~feature_bits("ssse3"))

    real = cpus.missing
    monkeypatch.setattr(cpus, "missing", missing)
    with VirtualMachine(cpu="x86-64-v2") as vm, pytest.raises(Unsupported, match=r"'x86-64-v2' is not .*needs: ssse3$"):
        vm.run("hello")


def test_doctor_names_what_the_host_has() -> None:
    finding = check_processor()
    level, _, names = finding.text.partition(": ")
    with open("/proc/cpuinfo") as file:
        flags = next(line for line in file if line.startswith("flags")).split()
    assert finding.state == "ok"
    assert level in ("x86-64", "x86-64-v2", "x86-64-v3")
    assert set(names.split()) <= set(flags)
    assert {"pni", "ssse3", "avx2", "bmi2", "fsgsbase"} & set(flags) <= set(names.split())
