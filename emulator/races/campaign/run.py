# SPDX-License-Identifier: GPL-2.0-only
"""Runs what a journal lacks of its plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, Protocol

from emulator.races.campaign.job import Canary, CanaryDone, Job, Shrink, code, run_job
from emulator.races.campaign.journal import Journal
from emulator.races.campaign.plan import Plan
from emulator.races.campaign.summary import canaries_for, groups
from emulator.races.campaign.vm import Vm, vms_of

#: How long to look with the explorer for what a VM violated.
_SEARCH_SECONDS = 10.0


class Workers(Protocol):
    """Who does the jobs: processes of this machine, or a Dask cluster."""

    def as_done(self, jobs: Iterable[Callable[[], Any]]) -> Iterator[Any]: ...


Progress = Callable[[Any], None]


def run(journal: Journal, plan: Plan, workers: Workers, *, seconds: float | None, progress: Progress) -> None:
    """Runs blocks, then VMs, then shrinks what was found first of each kind; starts nothing after so many seconds
    but to shrink. Whatever ends this, what was done is in the journal."""
    ends = time.monotonic() + seconds if seconds else float("inf")
    canaries: list[Canary] = journal.missing_canaries(canaries_for(plan))
    jobs: Iterable[Job[Any]] = chain(canaries, journal.missing_blocks(plan))
    for done in workers.as_done(_calls(_until(ends, jobs))):
        journal.add_canary(done) if isinstance(done, CanaryDone) else journal.add_block(done)
        progress(done)
    for vm in _until(ends, journal.missing_vms(vms_of(plan))):
        booted = vm.run(seconds=0 if _has_case(journal, vm) else _SEARCH_SECONDS)
        journal.add_vm(booted)
        progress(booted)
    for shrunk in workers.as_done(_calls(_to_shrink(journal, plan))):
        journal.add_shrunk(shrunk)
        progress(shrunk)


def _until(ends: float, jobs: Iterable[Any]) -> Iterator[Any]:
    for job in jobs:
        if time.monotonic() >= ends:
            return
        yield job


def _calls(jobs: Iterable[Job[Any]]) -> Iterator[Callable[[], Any]]:
    wanted = code()
    return (partial(run_job, job, wanted) for job in jobs)


def _to_shrink(journal: Journal, plan: Plan) -> list[Shrink]:
    """The first of the failures that look alike, where it is not shrunk yet."""
    done = set(journal.rows("SELECT design, nmi, sync, scenario, number FROM shrunk"))
    first = [(group.key, group.number) for group in groups(journal).values()]
    return [Shrink(journal.place(plan, key, number)) for key, number in first if (*key, number) not in done]


def _has_case(journal: Journal, vm: Vm) -> bool:
    """Is there a case already of what VMs violate here?"""
    query = "SELECT count(*) FROM vm WHERE design = ? AND scenario = ? AND replay IS NOT NULL"
    return bool(journal.rows(query, vm.setup.design, vm.scenario.name)[0][0])
