# SPDX-License-Identifier: GPL-2.0-only
"""All states of the transition system, breadth first: a violation's trail is as short as any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from emulator.races.model.bounds import Model
from emulator.races.model.system import State, System


@dataclass(frozen=True)
class Searched:
    """What was found: the oracle that is violated, or '', and the steps that lead there."""

    states: int
    complete: bool
    violates: str = ""
    trail: list[str] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return self.complete and not self.violates


def search(model: Model, *, most_states: int, tick: Callable[[int], None] = lambda _: None) -> Searched:
    """Goes through the model's states until one violates an oracle, or there are no more, or too many. `tick` gets how
    many there are, again and again."""
    system = System(model)
    initial = system.initial()
    came_from: dict[State, tuple[State, str] | None] = {initial: None}
    level = [initial]
    while level:
        following = []
        for state in level:
            for step in system.steps(state):
                if step.state is None:
                    trail = [*_trail(came_from, state), step.text]
                    return Searched(len(came_from), False, step.violates, trail)
                if step.state not in came_from:
                    came_from[step.state] = (state, step.text)
                    following.append(step.state)
            tick(len(came_from))
            if len(came_from) > most_states:
                return Searched(len(came_from), False)
        level = following
    return Searched(len(came_from), True)


def _trail(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    steps = []
    while (link := came_from[state]) is not None:
        state, text = link
        steps.append(text)
    return steps[::-1]
