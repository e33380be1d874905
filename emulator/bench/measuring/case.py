# SPDX-License-Identifier: GPL-2.0-only
"""Benchmarks as data: what is measured, against what, and how it is drawn. `measure.py` runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.bench.measuring.panel import Panel
from emulator.errors import PvperfError


class Absent(Exception):
    """What a contender needs is not there; the text is the reason that the report gives."""


class Violated(PvperfError):
    """A benchmark run broke a law that it relies on, such as conservation: a failure, and no result."""


class Failed(PvperfError):
    """A run came to nothing: it took too long, a peer failed, the host did. No law was broken, and nothing measured."""

    exit_status = 7


@dataclass(frozen=True, kw_only=True)
class Case:
    """One figure, measured once a round.

    Attributes:
        name: unique in its group.
        unit: of the figure, such as "us" or "M/s".
        higher_is_better: of speeds; times and sizes are better low.
        peer: not ours: measured to compare with, and never judged.
        reference: the case of the same group whose change between two runs is the machine's, not ours.
        labels: what plots select and sort by: {"op": "read", "events": 64}.
    """

    name: str
    unit: str
    higher_is_better: bool = False
    peer: bool = False
    reference: str = ""
    labels: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True)
class Contender:
    """Takes its turn in every round: one run gives a value for each of its cases, in their order.

    `run` may raise Absent; then the cases are reported as absent, with the reason. Whatever else it raises, they have
    the values of the rounds before, and the reason why there are no more.
    """

    cases: tuple[Case, ...]
    run: Callable[[], Sequence[float]]


def single(case: Case, run: Callable[[], float]) -> Contender:
    """A contender of one case."""
    return Contender((case,), lambda: (run(),))


@dataclass(frozen=True)
class Ratio:
    """`top` / `bottom`, pair by pair of the same round. `target` is "<= 1.5" or ">= 10", or nothing."""

    name: str
    top: str
    bottom: str
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Cases with the label `x` drawn against it: a line for each value of the label `series`.

    `where` are labels that the cases must have. Without `x` the ratios of the group are drawn.
    """

    title: str
    x: str = ""
    series: str = ""
    where: Mapping[str, str | int] = field(default_factory=dict)
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a study found: plots, sentences, and a row of parameters and figures for each point where it looked."""

    panels: Sequence[Panel] = ()
    remarks: Sequence[str] = ()
    points: Sequence[Mapping[str, str | int | float]] = ()
    broken: Sequence[str] = ()  # laws that did not hold
    failed: Sequence[str] = ()  # where it looked, and could not see


class Cut(BaseException):
    """A study, or a group, that `cause` ended before its time; `found` is what there is until then."""

    def __init__(self, found: Any, cause: BaseException) -> None:
        super().__init__(found, cause)
        self.found, self.cause = found, cause


#: Is told how far it is: what is measured, and the share (0 to 1) of the group that is done.
Told = Callable[[str, float], None]
#: May raise Cut. Says how far it is, meanwhile. Its figures have intervals of their own, so that it needs no rounds.
Study = Callable[[Told], Findings]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Contenders that are interleaved with each other, and so can be compared; and a study, which is run once."""

    name: str
    about: str
    contenders: Sequence[Contender]
    ratios: Sequence[Ratio] = ()
    plots: Sequence[Plot] = ()
    study: Study | None = None


@dataclass(frozen=True)
class Effort:
    """How much a suite may measure: everything, or a look in seconds."""

    quick: bool = False

    def pick(self, full: int, quick: int) -> int:
        """An amount of work for this effort."""
        return quick if self.quick else full
