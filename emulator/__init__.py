# SPDX-License-Identifier: GPL-2.0-only
"""pvperf: an emulator, in real processes, of the paravirtual perf interface posted for KVM in June 2010.

Count events of a guest. `total()` sums over the vCPUs, and scales where events shared a counter:

    >>> from emulator import VirtualMachine
    >>> with VirtualMachine(smp=2, memory=64 << 20) as vm:
    ...     result = vm.run("user", "rounds=10", events="branches:u,instructions:k")
    >>> result.status, result.ended
    (0, 'exit')
    >>> result.total("branches:u") == sum(count.value for count in result.counts if count.event.name == "branches:u")
    True
    >>> [(count.vcpu, count.event.name) for count in result.counts]
    [(0, 'branches:u'), (0, 'instructions:k'), (1, 'branches:u'), (1, 'instructions:k')]

`result` prints as one line; `print(result.describe())` explains the host's figures, `result.statistics`.

Record where a guest spends them. `output="perf.data"` keeps a file that perf reads:

    >>> with VirtualMachine() as vm:
    ...     recorded = vm.record("hotspots", period=10_000)
    >>> recorded.samples[0].symbol, recorded.samples[0].vcpu
    ('hot', 0)
    >>> print(recorded.report(sort="vcpu,symbol"))  # doctest: +ELLIPSIS
    # pvperf vCPU: ...

What is wrong is said at the call, by a PvperfError: a UsageError where the caller is, a HostError where the host cannot
go on, GuestShutdown, GuestPanicked and AllHalted where the guest cannot, Unsupported where something is missing.

    >>> VirtualMachine(smp=65)
    Traceback (most recent call last):
    emulator.errors.UsageError: number of vCPUs (smp) must be 1 to 64, and 65 is not

VirtualMachine has the rest: run(), record(), stop(), close(). MachineConfig has all settings, Result, Count and
Interval what a run gives, Recorded and Sample what a recording does. Times are nanoseconds where a name ends in _ns,
else seconds; sizes are bytes unless a name ends in _kib. A VM boots anew with each run(), and no process outlives it.

Everything is loaded when it is first used, so that the command line starts fast. This file imports nothing: `python -m
emulator` loads it while the current directory is still in sys.path.
"""

TYPE_CHECKING = False  # as in typing, whose import would be a tenth of what `pvperf --help` takes
if TYPE_CHECKING:
    from emulator.errors import (
        AllHalted,
        GuestError,
        GuestPanicked,
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
    from emulator.recording.machine import VirtualMachine
    from emulator.recording.recorded import Recorded, Sample
    from emulator.vm.interval import Interval
    from emulator.vm.machine import MachineConfig
    from emulator.vm.result import Count, Result

__version__ = "0.1.0"

__all__ = [
    "AllHalted",
    "Count",
    "Event",
    "GuestError",
    "GuestPanicked",
    "GuestShutdown",
    "HostDied",
    "HostError",
    "HostPanic",
    "Interval",
    "MachineConfig",
    "OutOfMemory",
    "PvperfError",
    "Recorded",
    "Result",
    "Sample",
    "Unsupported",
    "UsageError",
    "VcpuDied",
    "VirtualMachine",
    "parse_events",
]

_HOMES = {
    "Event": "events",
    "parse_events": "events",
    "Count": "vm.result",
    "Interval": "vm.interval",
    "MachineConfig": "vm.machine",
    "Recorded": "recording.recorded",
    "Result": "vm.result",
    "Sample": "recording.recorded",
    "VirtualMachine": "recording.machine",
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


def __dir__() -> list[str]:
    """For help(), and for who presses TAB."""
    return sorted({*globals(), *__all__})
