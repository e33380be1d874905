# SPDX-License-Identifier: GPL-2.0-only
"""pvperf: an emulator, in real processes, of the paravirtual perf interface posted for KVM in June 2010.

    with VirtualMachine(smp=2) as vm:
        result = vm.run("matmul", events=parse_events("instructions,branches"))

Everything named here is loaded when it is first used, so that the command line starts fast. This file imports nothing:
`python -m emulator` loads it while the current directory is still in sys.path.
"""

TYPE_CHECKING = False  # as in typing, whose import would be a tenth of what `pvperf --help` takes
if TYPE_CHECKING:
    from emulator.errors import (
        AllHalted,
        GuestError,
        GuestShutdown,
        HostDied,
        HostError,
        HostPanic,
        OutOfMemory,
        PvperfError,
        Unsupported,
        UsageError,
        VcpuDied,
    )
    from emulator.events import Event, parse_events
    from emulator.machine import MachineConfig, VirtualMachine
    from emulator.result import Count, Result

__version__ = "0.1.0"

__all__ = [
    "AllHalted",
    "Count",
    "Event",
    "GuestError",
    "GuestShutdown",
    "HostDied",
    "HostError",
    "HostPanic",
    "MachineConfig",
    "OutOfMemory",
    "PvperfError",
    "Result",
    "Unsupported",
    "UsageError",
    "VcpuDied",
    "VirtualMachine",
    "parse_events",
]

_HOMES = {
    "Event": "events",
    "parse_events": "events",
    "Count": "result",
    "MachineConfig": "machine",
    "Result": "result",
    "VirtualMachine": "machine",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    except ImportError as error:
        from emulator.errors import Unsupported, missing

        raise Unsupported(missing(error)) from None
    except OSError as error:
        from emulator.errors import HostError, explain

        raise HostError(f"cannot load pvperf: {explain(error)}") from None
