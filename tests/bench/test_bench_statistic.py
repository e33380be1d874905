# SPDX-License-Identifier: GPL-2.0-only
"""The statistics of the benchmarks, against enumeration, simulation and published values."""

from __future__ import annotations

import itertools
import math
import random
from statistics import median

import pytest

from emulator.bench.groups.erlang import loss, offered_by_arrivals, offered_by_holder, predict
from emulator.bench.groups.histogram import Histogram
from emulator.bench.measuring import statistic
from emulator.bench.measuring.statistic import (
    Estimate,
    bootstrap,
    holm,
    mann_whitney,
    paired_ratios,
    percentiles,
    seed_of,
    signed_rank,
    wilson,
)


def u_statistic(first: list[float], second: list[float]) -> float:
    return sum((a > b) + (a == b) / 2 for a in first for b in second)


@pytest.mark.parametrize("shift", [0.0, 0.8, 2.5])
def test_mann_whitney_is_the_permutation_distribution(shift: float) -> None:
    draw = random.Random(int(shift * 10))
    first = [draw.gauss(0, 1) for _ in range(6)]
    second = [draw.gauss(shift, 1) for _ in range(5)]
    everything = [*first, *second]
    centre = len(first) * len(second) / 2
    seen = abs(u_statistic(first, second) - centre)
    splits = list(itertools.combinations(range(11), 6))
    as_far = 0
    for chosen in splits:
        one = [everything[k] for k in chosen]
        other = [everything[k] for k in range(11) if k not in chosen]
        as_far += abs(u_statistic(one, other) - centre) >= seen - 1e-9
    assert mann_whitney(first, second) == pytest.approx(as_far / len(splits))


def test_mann_whitney_of_ten_rounds_apart_is_the_least_there_is() -> None:
    assert mann_whitney(list(range(10)), list(range(10, 20))) == pytest.approx(2 / math.comb(20, 10))


def test_mann_whitney_of_equal_values_finds_nothing() -> None:
    assert mann_whitney([1.0] * 10, [1.0] * 10) == 1.0


def test_the_normal_approximation_continues_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(3)
    first = [draw.gauss(0, 1) for _ in range(40)]
    second = [draw.gauss(0.5, 1) for _ in range(40)]
    exact = mann_whitney(first, second)
    monkeypatch.setattr(statistic, "_EXACT_LIMIT", 0)
    approximate = mann_whitney(first, second)
    assert exact != approximate
    assert exact == pytest.approx(approximate, rel=0.05)


@pytest.mark.parametrize("n", [8, 9])
def test_signed_rank_is_the_sign_flip_distribution(n: int) -> None:
    draw = random.Random(5)
    differences = [draw.gauss(0.6, 1) for _ in range(n)]
    order = sorted(range(n), key=lambda k: abs(differences[k]))
    middle = (n + 1) // 2
    weight = {index: min(rank + 1, middle) for rank, index in enumerate(order)}
    seen = abs(sum(math.copysign(weight[k], differences[k]) for k in range(n)))
    flips = list(itertools.product((-1, 1), repeat=n))
    as_far = sum(abs(sum(sign * weight[k] for k, sign in enumerate(flip))) >= seen for flip in flips)
    assert signed_rank(differences) == pytest.approx(as_far / len(flips))


def test_signed_rank_of_nothing_and_of_disturbed_rounds() -> None:
    assert signed_rank([0.0] * 5) == 1.0
    steady = [0.05 + k / 1000 for k in range(18)]
    assert signed_rank([*steady, -0.5, -0.6]) < 0.002


def test_holm_against_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_bootstrap_intervals_hold_the_median_as_often_as_they_say() -> None:
    held = 0
    for trial in range(300):
        draw = random.Random(trial)
        values = [draw.lognormvariate(0, 0.3) for _ in range(10)]
        estimate = bootstrap(values, seed=trial, resamples=400)
        held += estimate.low <= 1.0 <= estimate.high
        assert estimate.value == median(values)
    assert 0.90 <= held / 300 <= 1.0


def test_bootstrap_repeats_itself_and_is_exact_for_what_does_not_vary() -> None:
    values = [3.0, 1.0, 2.0, 5.0, 4.0]
    assert bootstrap(values, seed=7) == bootstrap(values, seed=7)
    assert bootstrap([2.0] * 10, seed=1) == Estimate(2.0, 2.0, 2.0)
    assert bootstrap([2.0] * 10, seed=1).half_width == 0
    assert bootstrap([2.0], seed=1).half_width == math.inf
    assert seed_of(1, "a", "b") != seed_of(1, "ab")


def test_ratios_are_paired_by_round() -> None:
    assert paired_ratios([1.0, 10.0, 100.0], [1.0, 5.0, 50.0]) == [1.0, 2.0, 2.0]
    with pytest.raises(ValueError, match="longer"):
        paired_ratios([1.0], [1.0, 2.0])


def test_an_interval_leaves_out_a_fortieth_at_each_end() -> None:
    """Between two values by linear interpolation."""
    assert percentiles(1.0, [5.0, *range(5), *range(6, 11)]) == Estimate(1.0, 0.25, 9.75)
    assert percentiles(7.0, range(4001)) == Estimate(7.0, 100.0, 3900.0)


def test_wilson_against_its_definition() -> None:
    """The ends are where the score test gives exactly the wanted confidence."""
    for hits, trials in ((0, 10), (3, 10), (500, 1000), (10, 10)):
        estimate = wilson(hits, trials)
        for edge in (estimate.low, estimate.high):
            if 0 < edge < 1:
                score = (hits / trials - edge) / math.sqrt(edge * (1 - edge) / trials)
                assert abs(score) == pytest.approx(1.959964, abs=1e-5)
    assert wilson(0, 10).low == 0
    assert wilson(10, 10).high == 1


@pytest.mark.parametrize("servers", [1, 2, 5])
@pytest.mark.parametrize("offered", [0.0, 0.1, 1.0, 7.0])
def test_erlang_against_its_closed_form(offered: float, servers: int) -> None:
    terms = [offered**k / math.factorial(k) for k in range(servers + 1)]
    assert loss(offered, servers) == pytest.approx(terms[-1] / sum(terms))


def test_erlang_of_one_server() -> None:
    assert loss(0.25) == pytest.approx(0.2)


def serve(arrivals: list[float], hold: float) -> int:
    """How many find the server busy, which each holds that does not."""
    free, lost = 0.0, 0
    for at in arrivals:
        if at < free:
            lost += 1
        else:
            free = at + hold
    return lost


def poisson(rate: float, number: int, seed: int) -> list[float]:
    draw = random.Random(seed)
    return list(itertools.accumulate(draw.expovariate(rate) for _ in range(number)))


@pytest.mark.parametrize("hold", [0.1, 0.5, 2.0])
def test_the_prediction_holds_for_independent_arrivals(hold: float) -> None:
    arrivals = poisson(1.0, 20_000, seed=11)
    offered = offered_by_arrivals(len(arrivals), arrivals[-1], [hold] * 100, seed=1)
    prediction = predict(offered, arrivals=len(arrivals), misses=serve(arrivals, hold))
    assert prediction.agrees
    assert prediction.predicted.value == pytest.approx(hold / (1 + hold), rel=0.03)


def test_the_prediction_fails_for_periodic_arrivals() -> None:
    """They never meet their own kind: none is lost, whatever the load."""
    arrivals = [float(k) for k in range(20_000)]
    offered = offered_by_arrivals(len(arrivals), arrivals[-1], [0.5] * 100, seed=1)
    assert serve(arrivals, 0.5) == 0
    assert not predict(offered, arrivals=len(arrivals), misses=0).agrees


def test_a_holder_that_comes_back() -> None:
    """Poisson arrivals find the lock held for the share of time that it is held."""
    draw = random.Random(2)
    holds = [draw.expovariate(1 / 3.0) for _ in range(5000)]
    gaps = [draw.expovariate(1 / 10.0) for _ in range(5000)]
    edges = list(itertools.accumulate(x for pair in zip(holds, gaps, strict=True) for x in pair))
    arrivals = [at for at in poisson(0.2, 20_000, seed=4) if at < edges[-1]]
    misses, k = 0, 0
    for at in arrivals:
        while edges[k] <= at:
            k += 1
        misses += k % 2 == 0
    prediction = predict(offered_by_holder(holds, gaps, seed=1), arrivals=len(arrivals), misses=misses)
    assert prediction.agrees
    assert prediction.predicted.value == pytest.approx(sum(holds) / edges[-1])


def values_seen() -> list[int]:
    draw = random.Random(9)
    return [int(draw.lognormvariate(8, 2)) for _ in range(5000)] + [0, 1, 1, 10**9]


@pytest.mark.parametrize("precision", [3, 7, 12])
def test_histogram_percentiles_against_sorted_values(precision: int) -> None:
    histogram, values = Histogram(precision), sorted(values_seen())
    histogram.update(values)
    for percent in (0, 1, 50, 90, 99, 99.9, 100):
        exact = values[max(0, math.ceil(percent / 100 * len(values) - 1e-6) - 1)]
        got = histogram.percentile(percent)
        assert exact <= got <= exact * (1 + 2.0 ** (1 - precision)) + 1
    assert histogram.percentile(100) == max(values)
    assert histogram.summary()["max"] == max(values)
    assert histogram.mean == pytest.approx(sum(values) / len(values))


def test_histogram_buckets_tile_the_numbers() -> None:
    histogram = Histogram(4)
    expected = 0
    for bucket in range(200):
        least, greatest = histogram.bounds(bucket)
        assert least == expected
        assert histogram.bucket(least) == histogram.bucket(greatest) == bucket
        expected = greatest + 1


def test_histograms_merge_and_are_kept() -> None:
    whole, halves, values = Histogram(), [Histogram(), Histogram()], values_seen()
    whole.update(values)
    for index, value in enumerate(values):
        halves[index % 2].add(value)
    halves[0].merge(halves[1])
    assert halves[0].as_json() == whole.as_json()
    kept = Histogram.from_json(whole.as_json())
    assert (kept.as_json(), kept.total, kept.summary()) == (whole.as_json(), whole.total, whole.summary())
    assert list(whole.steps())[-1][1] == 1.0


def test_histogram_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="negative"):
        Histogram().add(-1)
    with pytest.raises(ValueError, match="nothing was seen"):
        Histogram().percentile(50)
    with pytest.raises(ValueError, match="precisions differ"):
        Histogram(3).merge(Histogram(4))
