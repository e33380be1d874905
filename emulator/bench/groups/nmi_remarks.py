# SPDX-License-Identifier: GPL-2.0-only
"""What the NMI-miss sweep says in words: where prediction and measurement meet, and why not where they do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from emulator.bench.groups.nmi_panels import select
from emulator.bench.groups.nmi_point import STARVED_SECONDS, Outcome
from emulator.bench.groups.nmi_sweep import NMIS, Swept
from emulator.bench.reporting.number import number

#: Above this share of overflows without an NMI of their own, arrivals are no longer what was drawn.
PUNCTUAL = 0.05
_NAMED = 5


def remarks(swept: Swept) -> list[str]:
    """Sentences, each of figures of this run."""
    return list(_all(swept))


def _all(swept: Swept) -> Iterator[str]:
    outcomes = list(swept.outcomes.values())
    yield (
        f"{len(outcomes)} points, {sum(one.seen.raised for one in outcomes):,} overflows: the host's ledger, its trace "
        "and the guest agree on every one; none was lost, and none came twice"
    )
    trying = [one for one in outcomes if one.point.has_trylock]
    yield from _poisson([one for one in trying if one.point.spacing == "poisson"])
    yield from _periodic([one for one in trying if one.point.spacing == "periodic"])
    yield from _policies(swept)
    yield from _starved(outcomes)
    if swept.absent:
        point, reason = next(iter(swept.absent.items()))
        yield f"{len(swept.absent)} points were left out, such as {point.name}: {reason}"


def agreement(outcomes: Sequence[Outcome]) -> str:
    """How many of them."""
    agree = sum(one.prediction.agrees for one in outcomes)
    return f"{agree} of {len(outcomes)} points"


def _poisson(outcomes: Sequence[Outcome]) -> Iterator[str]:
    if not outcomes:
        return
    punctual = [one for one in outcomes if one.late <= PUNCTUAL]
    late = [one for one in outcomes if one.late > PUNCTUAL]
    if punctual:
        yield (
            f"Poisson-spaced overflows that come on time (at most {PUNCTUAL:.0%} of them share an NMI): the intervals "
            f"of the measured and the predicted miss rate meet at {agreement(punctual)}"
        )
    yield from _exceptions(punctual)
    if late:
        yield (
            f"where more than {PUNCTUAL:.0%} of the overflows share an NMI, they meet at {agreement(late)}: the timer "
            f"thread gets the processor too late there{_bunching(late)}"
        )
    yield from _sharing([one for one in punctual if one.point.nmi == "trylock" and one.point.hold_us])


def _sharing(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Erlang's customers hold the server from when they come; ours do from their sync on."""
    if not outcomes:
        return
    bound, measured = median(one.bound for one in outcomes), median(one.prediction.measured.value for one in outcomes)
    why = ": NMIs between an overflow and its sync find the lock free, and share that sync" if measured < bound else ""
    yield (
        f"were the lock held from every NMI on that comes on time, and not from its sync on, {_percent(bound)} would "
        f"miss with trylock in the median, and {_percent(measured)} do{why}"
    )


def _exceptions(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for one in [one for one in outcomes if not one.prediction.agrees][:_NAMED]:
        prediction = one.prediction
        more = "more" if prediction.measured.value > prediction.predicted.value else "less"
        yield (
            f"{more} than predicted at {one.point.name}: {_percent(prediction.measured.value)} of {one.seen.arrivals} "
            f"NMIs, and {_percent(prediction.predicted.value)} were expected; {_percent(one.late)} of the overflows "
            "shared an NMI, so that this alone does not explain it"
        )


def _bunching(outcomes: Sequence[Outcome]) -> str:
    """Does when it is late depend on the lock? Then those that miss stand for more overflows than others, or less."""
    missed, misses = (sum(getattr(one.seen, name) for one in outcomes) for name in ("missed", "misses"))
    raised, arrivals = (sum(getattr(one.seen, name) for one in outcomes) for name in ("raised", "arrivals"))
    if not misses or misses == arrivals:
        return ""
    lost, got = missed / misses, (raised - missed) / (arrivals - misses)
    held, free = ("less", "more") if lost < got else ("more", "less")
    return (
        f", {held} so while the lock is held than while it is free (an NMI stands for {lost:.2f} and {got:.2f} "
        f"overflows), and so the NMIs find it held {free} often than the clock would"
    )


def _periodic(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A vCPU whose clocks have one period sees the lock in the same state each time."""
    for long, what, why in (
        (False, "shorter than", "the next overflow is due when the sync that the last one caused is over"),
        (True, "as long as, or longer than,", "one is always due while the sync is at work"),
    ):
        some = [
            one
            for one in outcomes
            if one.point.events == 1 and one.point.hold_us and (one.point.hold_us * 1000 >= one.point.period_ns) == long
        ]
        if some:
            measured, predicted = (
                median(getattr(one.prediction, which).value for one in some) for which in ("measured", "predicted")
            )
            yield (
                f"periodic overflows of one event, whose period makes the assumption of independence wrong, with a "
                f"hold {what} the period: {_percent(measured)} miss in the median, where {_percent(predicted)} are "
                f"predicted, and the intervals meet at {agreement(some)}: {why}"
            )
    many = [one for one in outcomes if one.point.events > 1]
    if many:
        yield (
            f"periodic overflows of several events, which were started one after another and keep that distance: the "
            f"intervals meet at {agreement(many)}"
        )


def _policies(swept: Swept) -> Iterator[str]:
    for wanted in ({"hold_us": 1000}, {"events": 16}):
        found = {nmi: select(swept, nmi=nmi, **wanted) for nmi in NMIS}
        if not all(found.values()):
            continue
        some = [found[nmi][0] for nmi in NMIS]
        says = ", ".join(
            f"{number(one.seen.delays.percentile(99) / 1e3)} us with {one.point.nmi} (backlog at most "
            f"{one.seen.backlog.high})"
            for one in some
        )
        point = some[0].point
        events = f"{point.events} event{'s' * (point.events > 1)}"
        yield (
            f"with {events} and a hold of {point.hold_us} us, {point.rate:,} overflows/s: 99 % of them reach the guest "
            f"within {says}"
        )


def _starved(outcomes: Sequence[Outcome]) -> Iterator[str]:
    starved = [one for one in outcomes if not one.finished]
    if not starved:
        return
    longer = sum(one.point.hold_us * 1000 * one.point.events >= one.point.period_ns for one in starved)
    policies = " and ".join(dict.fromkeys(one.point.nmi for one in starved))
    yield (
        f"at {len(starved)} points, all with {policies}, the guest does not get its work done within "
        f"{STARVED_SECONDS} s: at {longer} of them a sync takes as long as it is from one overflow to the next, which "
        "brings the vCPU out again for another sync before it has done anything"
    )


def _percent(share: float) -> str:
    return f"{share:.1%}"
