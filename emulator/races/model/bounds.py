# SPDX-License-Identifier: GPL-2.0-only
"""What is modelled: the designs, the defects that can be planted in them, and how much of each is searched."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from emulator.errors import UsageError
from emulator.terminal.counted import counted

DESIGNS = ("per-vm", "per-vcpu", "no-refcount")
POLICIES = ("deferred", "lockless")
MOST_VCPUS = MOST_IDS = 3


@dataclass(frozen=True)
class Bounds:
    """vCPUs, ids (each opened once), calls of each vCPU, NMIs in all, open events at a time, a vCPU's queue."""

    vcpus: int = 2
    ids: int = 2
    ops: int = 2
    nmis: int = 2
    limit: int = 2
    capacity: int = 1

    def __str__(self) -> str:
        return (
            f"{counted(self.vcpus, 'vCPU')} of {counted(self.ops, 'call')} each, {counted(self.ids, 'event')}, "
            f"{counted(self.nmis, 'NMI')}, "
            f"a limit of {self.limit}, queues of {self.capacity}"
        )


@dataclass(frozen=True)
class Model:
    """One transition system. Raises UsageError for what cannot be one."""

    design: str = "per-vm"
    nmi: str = "deferred"
    defect: str = ""
    bounds: Bounds = Bounds()

    def __post_init__(self) -> None:
        _known("design", self.design, DESIGNS)
        _known("NMI policy", self.nmi, POLICIES)
        if self.defect:
            _known("defect", self.defect, DEFECTS)
        for field in fields(Bounds):
            value = getattr(self.bounds, field.name)
            most = MOST_VCPUS if field.name in ("vcpus", "ids") else 9
            if not (0 if field.name == "nmis" else 1) <= value <= most:
                raise UsageError(
                    f"{value} {field.name} cannot be modelled: {0 if field.name == 'nmis' else 1} to {most} can be"
                )

    def definitions(self) -> list[str]:
        """What Spin is given with -D."""
        words = [f"{field.name.upper()}={getattr(self.bounds, field.name)}" for field in fields(Bounds)]
        flags = [
            self.design if self.design != "per-vm" else "",
            self.nmi if self.nmi == "lockless" else "",
            self.defect,
        ]
        return words + [flag.replace("-", "_").upper() for flag in flags if flag]


@dataclass(frozen=True)
class Defect:
    """One that can be planted, and what it violates in the default design."""

    about: str
    oracle: str
    bounds: Bounds = Bounds()


DEFECTS = {
    "no-reference": Defect("who finds an event takes no reference to it", "O1 memory"),
    "check-then-increment": Defect("the limit is read, and counted up a step later", "O3 limit", Bounds(limit=1)),
    "read-modify-write": Defect("overflows are read, and zeroed a step later", "O5 conservation"),
    "stranded-miss": Defect("an NMI that misses the lock is forgotten", "O6 nothing stranded"),
    "raw-pointer": Defect("the queue has events without a reference, and CLOSE leaves them in it", "O1 memory"),
    "kept-mutex": Defect(
        "CLOSE does not let go of the event_mutex of the vCPU that it stopped", "O10 progress", Bounds(ops=3, nmis=1)
    ),
    "late-nmi": Defect("an NMI that is owed comes, though its event was closed meanwhile", "O11 NMIs", Bounds(ops=3)),
    "closed-leader": Defect("an event joins a leader that was closed since it was found", "O8 linearizability"),
    "full-drops": Defect("an overflow that finds the queue full is forgotten", "O6 nothing stranded"),
}


def modelled(design: str, nmi: str, defect: str, sizes: dict[str, int | None]) -> Model:
    """The model with these sizes, and for what is None those that the defect takes."""
    if defect:
        _known("defect", defect, DEFECTS)
    bounds = DEFECTS[defect].bounds if defect else Bounds()
    return Model(design, nmi, defect, replace(bounds, **{name: n for name, n in sizes.items() if n is not None}))


def _known(kind: str, name: str, names: tuple[str, ...] | dict[str, Defect]) -> None:
    if name not in names:
        raise UsageError(f"there is no {kind} '{name}' in the model; there are {', '.join(names)}")
