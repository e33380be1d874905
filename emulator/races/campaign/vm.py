# SPDX-License-Identifier: GPL-2.0-only
"""A whole VM of a campaign: real processes play a scenario, as `pvperf stress` has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from emulator.races.campaign.job import Small
from emulator.races.campaign.plan import Plan
from emulator.races.explore.machine import Setup
from emulator.races.explore.scenarios import Scenario, find
from emulator.races.stress.playing import MIX, playable
from emulator.races.stress.scenario_run import Amount, stress
from emulator.races.stress.window import find_case
from emulator.vm.machine import MachineConfig


@dataclass(frozen=True)
class VmDone:
    """What one boot came to. `oracle` is empty if all held."""

    vm: Vm
    rounds: int
    operations: int
    overflows: int
    nmi_misses: int
    oracle: str
    text: str
    seconds: float
    case: Small | None  # as the explorer has it, if it was asked


@dataclass(frozen=True)
class Vm:
    """A boot; `number` counts from the campaign's seed."""

    setup: Setup
    scenario: Scenario
    seed: int
    number: int
    smp: int

    def run(self, *, seconds: float) -> VmDone:
        """Not in a worker: those have no children. `seconds` is how long to look for a case of what is violated."""
        setup = self.setup
        config = MachineConfig(smp=self.smp, design=setup.design, nmi=setup.nmi, sync=setup.sync)
        stressed = stress(self.scenario, config, Amount(ops=1), seed=self.seed + self.number, mix=MIX)
        case = None
        if seconds and stressed.outcome and stressed.playing:
            case = find_case(stressed.playing, stressed.outcome, seconds=seconds)
        return VmDone(
            vm=self,
            rounds=stressed.rounds,
            operations=stressed.guest["done"],
            overflows=stressed.host["overflows_raised"],
            nmi_misses=stressed.host["nmi_misses"],
            oracle=stressed.outcome.oracle if stressed.outcome else "",
            text=stressed.outcome.text if stressed.outcome else "",
            seconds=stressed.seconds,
            case=Small.of(case) if case else None,
        )


def vms_of(plan: Plan) -> Iterator[Vm]:
    """All of a plan. Scenarios that no VM can play are the explorer's alone."""
    scenarios = [scenario for scenario in map(find, plan.scenarios) if playable(scenario)]
    for number in range(plan.stress):
        for setup, scenario in product(plan.setups(), scenarios):
            yield Vm(setup, scenario, plan.seed, number, plan.smp)
