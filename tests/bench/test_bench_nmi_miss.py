# SPDX-License-Identifier: GPL-2.0-only
"""The NMI-miss sweep: what it makes of a trace, when it calls a run broken, where it looks, and what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest

from emulator.bench.groups.erlang import offered_by_holder, predict
from emulator.bench.groups.nmi_miss import findings, groups
from emulator.bench.groups.nmi_point import Outcome, Point, check_conserved, chunks_for, measure_point
from emulator.bench.groups.nmi_sweep import DESIGNS, NMIS, SPACINGS, SYNCS, TRAFFIC, Swept, idle_key, run_sweep, sweep
from emulator.bench.groups.nmi_trace import Seen, watch
from emulator.bench.measuring.case import Absent, Cut, Effort, Failed, Findings, Group, Violated
from emulator.bench.measuring.measure import measure_group
from emulator.bench.measuring.result import Document, parse_document
from emulator.bench.reporting.html import document_html
from emulator.bench.reporting.page import document_page
from emulator.bench.reporting.report import document_csv
from emulator.bench.reporting.table import document_table
from emulator.errors import HostError
from emulator.vm.trace_records import Record

US = 1000


def record(time_us: int, kind: str, a: int = 0, *, event: int = 1, vcpu: int = 0) -> Record:
    return Record(time_us * US, kind, vcpu, event, a, 0, vcpu)


#: Two overflows that are synced together, one that misses meanwhile, and is delivered when the event is disabled.
TRACE = [
    record(100, "raise", 1),
    record(100, "nmi", 1),
    record(110, "raise", 1),
    record(110, "nmi", 1),
    record(120, "sync", 1),
    record(130, "raise", 3),
    record(130, "nmi", 3),
    record(130, "miss"),
    record(170, "deliver", 2),
    record(180, "synced", 2),
    record(185, "entry", 1),
    record(300, "hold"),
    record(310, "finish", 3),
    record(320, "release"),
    record(330, "entry", 0),
]


def test_a_trace_says_how_long_overflows_waited() -> None:
    seen = watch(TRACE, 1)
    assert (seen.arrivals, seen.misses, seen.missed) == (3, 1, 3)
    assert (seen.raised, seen.delivered, seen.dropped) == (5, 5, 0)
    assert (seen.holds, seen.syncs, seen.gaps) == ([60 * US, 20 * US], [60 * US], [120 * US])
    assert seen.delays.total == 5
    assert seen.delays.sum == (85 + 75 + 3 * 180) * US
    assert (seen.delays.low, seen.delays.high) == (75 * US, 180 * US)
    assert (seen.taken.total, seen.taken.sum, seen.taken.high) == (2, 5, 3)


def test_a_backlog_is_weighted_by_time() -> None:
    seen = watch(TRACE, 1)
    assert seen.course == [(100 * US, 1), (110 * US, 2), (130 * US, 5), (170 * US, 3), (310 * US, 0)]
    assert seen.backlog.sum == (1 * 10 + 2 * 20 + 5 * 40 + 3 * 140) * US
    assert seen.backlog.total == 210 * US
    assert seen.backlog.high == 5


def test_what_is_dropped_reached_nobody() -> None:
    seen = watch([record(1, "raise", 4), record(2, "deliver", 1), record(3, "entry", 1), record(4, "close", 3)], 1)
    assert (seen.raised, seen.delivered, seen.dropped, seen.delays.total) == (4, 1, 3, 1)


def test_vcpus_have_locks_of_their_own() -> None:
    records = [
        *(record(time, kind, vcpu=0) for time, kind in ((0, "sync"), (10, "synced"), (50, "sync"), (70, "synced"))),
        *(record(time, kind, vcpu=1) for time, kind in ((5, "hold"), (6, "release"), (9, "sync"), (40, "synced"))),
    ]
    seen = watch(records, 2)
    assert sorted(seen.holds) == [1 * US, 10 * US, 20 * US, 31 * US]
    assert sorted(seen.gaps) == [3 * US, 40 * US]


GOOD = {"overflows_raised": 5, "overflows_delivered": 5, "overflows_lost": 0, "nmi_misses": 1}


@pytest.mark.parametrize(
    ("change", "guest", "complaint"),
    [
        ({"overflows_raised": 6}, 5, "raised in the host's ledger and in its trace: 6, and 5"),
        ({"overflows_delivered": 4}, 4, "delivered in the host's ledger and in its trace: 4, and 5"),
        ({}, 4, "delivered by the host and found by the guest: 5, and 4"),
        ({}, 6, "delivered by the host and found by the guest: 5, and 6"),
        ({"overflows_lost": -1}, 5, "lost or doubled"),
        ({"nmi_misses": 0}, 5, "missed in the host's statistics and in its trace: 0, and 1"),
    ],
)
def test_a_made_up_loss_is_found(change: Mapping[str, int], guest: int, complaint: str) -> None:
    printed = [{"overflows": str(guest - 2)}, {"overflows": "2"}]
    with pytest.raises(Violated, match=complaint):
        check_conserved(watch(TRACE, 1), {**GOOD, **change}, printed, "here")


def test_what_adds_up_is_no_loss() -> None:
    check_conserved(watch(TRACE, 1), GOOD, [{"overflows": "5"}], "here")
    check_conserved(watch(TRACE, 1), GOOD, None, "here")


def test_the_sweep_covers_every_axis() -> None:
    points = sweep(quick=False)
    assert len(points) >= 200
    assert len(set(points)) == len({point.name for point in points}) == len(points)
    for axis, values in (
        ("spacing", SPACINGS),
        ("nmi", NMIS),
        ("sync", SYNCS),
        ("design", DESIGNS),
        ("traffic", TRAFFIC),
    ):
        assert {getattr(point, axis) for point in points} == set(values)
    assert all(len({getattr(point, axis) for point in points}) >= 4 for axis in ("rate", "hold_us", "vcpus", "events"))
    assert set(sweep(quick=True)) <= set(points)
    assert Point() in points


def test_a_period_is_shared_among_the_events() -> None:
    assert Point(rate=1000, events=4).period_ns == 4_000_000
    assert Point(rate=0).period_ns > 10**18
    assert [chunks_for(Point(vcpus=vcpus), 1000) for vcpus in (1, 2, 4, 8)] == [1000, 1000, 500, 250]


def made_up(point: Point, misses: int, **more: object) -> Outcome:
    """1000 NMIs at a lock that is held a third of the time."""
    seen = Seen(arrivals=1000, misses=misses, missed=misses, raised=1000, delivered=1000)
    seen.holds = seen.syncs = [500 * US] * 200
    seen.gaps = [1000 * US] * 200
    seen.delays.add(700 * US, 1000)
    seen.taken.add(2, 500)
    seen.backlog.add(1, 10_000)
    seen.course = [(0, 1), (5000, 0), (9000, 1)]
    prediction = predict(offered_by_holder(seen.holds, seen.gaps, seed=1), arrivals=1000, misses=misses)
    fields: dict[str, object] = {"injected": 600, "seconds": 0.5, "finished": True, **more}
    return Outcome(point, seen, prediction=prediction, **fields)  # type: ignore[arg-type]


def swept(*outcomes: Outcome) -> Swept:
    keys = {idle_key(one.point) for one in outcomes}
    return Swept({one.point: one for one in outcomes}, idle={key: [0.3, 0.1, 0.2] for key in keys})


def said(*outcomes: Outcome) -> str:
    return "\n".join(findings(swept(*outcomes)).remarks)


def test_the_prediction_is_the_share_of_the_time_that_the_lock_is_held() -> None:
    prediction = made_up(Point(), 333).prediction
    assert prediction.predicted.value == pytest.approx(1 / 3)
    assert prediction.agrees
    assert not made_up(Point(), 500).prediction.agrees


def test_where_they_part_it_says_so() -> None:
    assert "meet at 1 of 1 points" in said(made_up(Point(), 333))
    text = said(made_up(Point(), 333), made_up(Point(hold_us=100), 600))
    assert "meet at 1 of 2 points" in text
    assert "more than predicted at poisson 1000/s, hold 100 us" in text
    text = said(made_up(Point(spacing="periodic"), 0))
    assert "hold shorter than the period: 0.0% miss in the median, where 33.3% are predicted" in text
    assert "meet at 0 of 1 points" in text


def test_late_nmis_are_told_apart() -> None:
    outcome = made_up(Point(), 600)
    outcome.seen.raised, outcome.seen.missed = 2000, 660
    text = said(outcome)
    assert "meet at 0 of 1 points: the timer thread gets the processor too late there, less so while the lock" in text
    assert "stands for 1.10 and 3.35 overflows" in text


def test_a_guest_that_starves_has_no_speed() -> None:
    outcome = made_up(Point(nmi="deferred", hold_us=1000), 333, finished=False)
    found = findings(swept(outcome))
    assert "at 1 points, all with deferred, the guest does not get its work done" in "\n".join(found.remarks)
    (row,) = found.points
    assert row["finished"] == 0
    assert "speed_lost" not in row


def test_a_row_has_the_cost() -> None:
    (row,) = findings(swept(made_up(Point(vcpus=2), 333))).points
    assert row["cost"] == pytest.approx((0.5 - 0.2) * 2 / 1000 * 1e6)
    assert row["speed_lost"] == pytest.approx(0.6)
    assert row["coalesced"] == pytest.approx(0.4)
    assert (row["delay_p50"], row["backlog_max"], row["vcpus"]) == (pytest.approx(700, rel=0.02), 1, 2)


def document(found: Findings) -> Document:
    group = Group(name="g", about="about", contenders=(), study=lambda progress: found)
    return Document(["nmi-miss"], "2010-06-21", 10, False, 7, MACHINE, [measure_group(group, rounds=3)], [])


MACHINE = {
    **dict.fromkeys(("cores", "memory_mib"), 2),
    **dict.fromkeys(("model", "commit", "kernel", "python", "unicorn", "pvperf", "governor"), "x"),
    "virtual": False,
}


def test_findings_are_in_every_report() -> None:
    outcomes = [made_up(Point(nmi=nmi, hold_us=hold), 333) for nmi in NMIS for hold in (500, 1000)]
    kept = document(findings(swept(*outcomes)))
    (group,) = kept.groups
    assert parse_document(json.loads(kept.as_json()), "it").as_json() == kept.as_json()
    assert {panel.title.partition(",")[0] for panel in group.panels} >= {
        "Misses against hold time",
        "Backlog over time",
    }
    html = document_html(kept)
    for text in (html, document_table(kept), document_csv(kept)):
        assert all(outcome.point.name in text for outcome in outcomes)
    for text in (html, document_page(kept)):
        assert "none was lost, and none came twice" in text
    assert html.count("<svg") == len(group.panels)
    courses = [panel for panel in group.panels if panel.title.startswith("Backlog over time, ")]
    assert [[series.name for series in panel.series] for panel in courses] == [[nmi] for nmi in NMIS]


def test_progress_names_the_group() -> None:
    told: list[tuple[str, float]] = []

    def study(progress: object) -> Findings:
        progress("here", 0.5)  # type: ignore[operator]
        return Findings()

    measure_group(
        Group(name="g", about="", contenders=(), study=study),
        rounds=2,
        progress=lambda what, share: told.append((what, share)),
    )
    assert told == [("g: here", 0.5)]


def test_the_suite_has_a_study() -> None:
    assert [bool(group.study) for group in groups(Effort(quick=True))] == [False, True]


@pytest.mark.parametrize(
    "point",
    [
        Point(),
        Point(spacing="periodic", nmi="deferred", sync="every-exit", vcpus=2, events=4),
        Point(nmi="lockless", traffic="own"),
        Point(traffic="other"),
        *(Point(design=design) for design in DESIGNS[1:]),
    ],
    ids=lambda point: point.name,
)
def test_a_point_is_measured(point: Point) -> None:
    """That it ends here at all says that host, trace and guest agree."""
    point = replace(point, rate=5000, hold_us=50)  # enough to see in little work
    outcome = measure_point(point, chunks=500, seed=3)
    seen = outcome.seen
    assert outcome.finished
    assert seen.raised == seen.delivered + seen.dropped == seen.delays.total + seen.dropped
    assert min(seen.syncs) >= point.hold_us * US
    assert (seen.misses == 0) or point.has_trylock


def test_a_sweep_is_run_from_end_to_end() -> None:
    points = [Point(nmi=nmi) for nmi in NMIS]
    told: list[float] = []
    found = findings(run_sweep(points, chunks=1000, seed=1, progress=lambda _, share: told.append(share)))
    assert told == [0, 1 / 3, 2 / 3]
    assert {row["nmi"] for row in found.points} | {word for word in NMIS if word in " ".join(found.remarks)} == set(
        NMIS
    )


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (Failed("guest g was not done after 120 s"), "failed"),
        (HostError("the host process is gone"), "failed"),
        (Violated("5 overflows were raised"), "broken"),
        (Absent("too few overflows came"), "absent"),
    ],
)
def test_a_point_that_fails_costs_no_other(error: Exception, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [Point(nmi=nmi, hold_us=hold) for nmi in NMIS for hold in (500, 1000)]

    def measured(point: Point, *, chunks: int, seed: int) -> Outcome:
        if point == points[3]:
            raise error
        return made_up(point, 333)

    monkeypatch.setattr("emulator.bench.groups.nmi_sweep.measure_point", measured)
    monkeypatch.setattr("emulator.bench.groups.nmi_sweep.idle_seconds", lambda point, chunks, seed: 0.2)
    seen = run_sweep(points, chunks=1, seed=1, progress=lambda what, share: None)
    assert set(seen.outcomes) == set(points) - {points[3]}
    assert [len(getattr(seen, name)) for name in ("failed", "broken", "absent")] == [
        int(kept == name) for name in ("failed", "broken", "absent")
    ]
    found = findings(seen)
    assert len(found.points) == 5
    assert str(error) in " ".join([*found.failed, *found.broken, *found.remarks])


def test_an_interrupted_sweep_has_the_points_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Point] = []

    def measured(point: Point, *, chunks: int, seed: int) -> Outcome:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(point)
        return made_up(point, 333)

    monkeypatch.setattr("emulator.bench.groups.nmi_sweep.measure_point", measured)
    monkeypatch.setattr("emulator.bench.groups.nmi_sweep.idle_seconds", lambda point, chunks, seed: 0.2)
    _, group = groups(Effort(quick=True))
    with pytest.raises(Cut) as cut:
        measure_group(group, rounds=1)
    assert isinstance(cut.value.cause, KeyboardInterrupt)
    assert len(cut.value.found.points) == 3


def test_what_is_infinite_is_kept_as_nothing() -> None:
    """A share of no more than one NMI has no interval."""
    kept = document(findings(swept(made_up(Point(), 333))))
    kept.groups[0].points[0]["cost"] = math.inf
    again = parse_document(json.loads(kept.as_json()), "it")
    assert again.groups[0].points[0]["cost"] is None
    assert again.as_json() == kept.as_json()


def test_a_thousand_clocks_miss_no_more_than_the_lock_is_held() -> None:
    """So many are all in order, and none of them keeps another one from its lock: as theory has it."""
    outcome = measure_point(Point(events=1000, hold_us=200), chunks=600, seed=1)
    seen = outcome.seen
    assert seen.raised == seen.delivered + seen.dropped
    assert outcome.finished
    # A wide margin: on a busy machine, few NMIs say little.
    assert abs(outcome.prediction.measured.value - outcome.prediction.predicted.value) < 0.2
