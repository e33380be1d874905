# SPDX-License-Identifier: GPL-2.0-only
"""The process of one vCPU: guest mode only. Forked by the host, dies with it."""

from __future__ import annotations

import mmap
import os
import signal
from typing import Any

from emulator.errors import explain
from emulator.guest.boot import Agent, Boot
from emulator.native import load_engine
from emulator.vm import shm
from emulator.vm.cpus import model_number
from emulator.vm.platform import platform_bytes, shares_code
from emulator.vm.process import die_with_parent, name_process
from emulator.vm.protocol import Launch

# Exit status of a vCPU process whose engine failed; the run page says why.
ENGINE_FAILED = 70


def main(
    index: int,
    launch: Launch,
    segment: tuple[mmap.mmap, int],
    host: int,
    not_mine: tuple[int, ...],
    gate: int,
    boot: Boot,
) -> None:
    """Runs vCPU `index` until the VM is over, then waits for the host to close `gate`, and leaves the process.

    `not_mine` are the host's descriptors: the front end's channel and the other end of `gate`. `boot` is where the
    host has put what it loaded.
    """
    status = ENGINE_FAILED
    try:
        for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # sent to the whole group: the host ends us
            signal.signal(ignored, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        die_with_parent(host)
        name_process(f"pvperf:vcpu{index}")
        for fd in not_mine:
            os.close(fd)
        status = _run(index, launch, segment, boot)
        if status == 0:
            os.read(gate, 1)
    finally:
        os._exit(status)


def _run(index: int, launch: Launch, segment: tuple[mmap.mmap, int], boot: Boot) -> int:
    core = load_engine()
    ffi, lib = core.ffi, core.lib
    memory, reader = segment
    base = ffi.from_buffer("uint8_t[]", memory, require_writable=True)
    confined = lib.engine_confine(base, launch.vcpus, index, reader)
    shm.forget_segment(reader)
    run = ffi.cast("struct pv_run *", base + (1 + index) * lib.PV_RUN_PAGE_SIZE)
    config = ffi.new("struct pv_engine_config *")
    shared = base + (1 + launch.vcpus) * lib.PV_RUN_PAGE_SIZE
    if launch.linux:
        config.platform = ffi.cast("struct pv_platform *", shared)
        if shares_code(launch):
            config.code_map = ffi.cast("struct pv_code_map *", shared + lib.PV_PLATFORM_BYTES)
        shared += platform_bytes(lib, launch)
        config.paced = launch.paced
    config.ram = shared
    config.ram_size = boot.ram_bytes
    config.agent_bytes = launch.ram_bytes - boot.ram_bytes
    config.run = run
    config.page = ffi.cast("struct pv_vm_page *", base)
    config.vcpu = index
    hooks = {"count": lib.PV_ENGINE_COUNT, "empty": lib.PV_ENGINE_EMPTY_HOOK, "none": lib.PV_ENGINE_NO_HOOK}
    config.hook = hooks[launch.hook]
    locks = {"host": lib.PV_LOCK_IN_BLOCK, "trap": lib.PV_LOCK_TRAPPED, "none": lib.PV_LOCK_LEFT}
    config.lock = locks[launch.atomics]
    config.cpu = model_number(lib, launch.cpu)
    config.stores = {"fast": lib.PV_STORE_FAST, "unicorn": lib.PV_STORE_UNICORN}[launch.stores]
    config.oracle = launch.oracle
    config.l1d, config.llc = tuple(launch.l1d), tuple(launch.llc)
    config.predictor_bits = launch.predictor_bits
    config.core = launch.cores[index % len(launch.cores)] if launch.cores else -1
    config.may_part = launch.may_part
    if boot.agent:
        _place_agent(ffi, lib, config, boot.agent)
    failure = _run_engine(ffi, lib, config) if not confined else b"the vCPU cannot be confined: " + _why(confined)
    if failure and not ffi.string(run.text):
        run.text = failure[: ffi.sizeof(run.text) - 1]
    return ENGINE_FAILED if failure else 0


def _place_agent(ffi: Any, lib: Any, config: Any, agent: Agent) -> None:
    """Tells the engine where this vCPU takes the NMIs of the agent's events; its stack is its own."""
    for field, value in agent.nmi._asdict().items():
        setattr(config.agent_nmi, field, value)
    config.agent_nmi.rdi = config.vcpu
    config.agent_nmi.rsp += config.vcpu * lib.PV_AGENT_STACK_BYTES
    config.agent_frame = agent.frames + config.vcpu * ffi.sizeof("struct pv_agent_frame")


def _run_engine(ffi: Any, lib: Any, config: Any) -> bytes:
    """Why the engine failed, or nothing."""
    engine = ffi.new("struct pv_engine **")
    why = ffi.new("char[256]")
    error = lib.engine_create(config, engine, why, len(why))
    if error:
        return b"the engine cannot be created: " + (
            ffi.string(why) or explain(OSError(-error, os.strerror(-error))).encode()
        )
    error = lib.engine_run(engine[0])
    return b"the engine failed: " + _why(error) if error else b""


def _why(error: int) -> bytes:
    return os.strerror(-error).encode()
