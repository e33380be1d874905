# SPDX-License-Identifier: GPL-2.0-only
"""What was measured: every raw value, what is computed from them, and the JSON document that keeps them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from emulator.bench.measuring.case import Case, Plot, Ratio
from emulator.bench.measuring.machine import Conditions
from emulator.bench.measuring.panel import Panel
from emulator.bench.measuring.statistic import Estimate, bootstrap, paired_ratios, seed_of
from emulator.errors import UsageError, cannot

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class CaseResult:
    """A case and a value a round, or the reason why there is none, or why there are no more."""

    case: Case
    values: list[float]
    absent: str = ""  # what it needs is not here
    failed: str = ""  # behind the rounds that it has values of

    @property
    def why(self) -> str:
        """Why it has no values, or fewer than rounds; empty if it has all."""
        if self.failed:
            rounds = f"{len(self.values)} round{'' if len(self.values) == 1 else 's'}"
            return f"failed after {rounds}: {self.failed}" if self.values else f"failed: {self.failed}"
        return f"left out: {self.absent}" if self.absent else ""


@dataclass(frozen=True)
class RatioResult:
    """A ratio and its value in each round; `verdict` is "met", "missed", "open" (the interval straddles it) or ""."""

    ratio: Ratio
    values: list[float]
    estimate: Estimate
    verdict: str


@dataclass(frozen=True)
class GroupResult:
    """A group after its rounds, and its study.

    `panels` are plots of data that no case holds, such as distributions; `remarks` say in words what the data says;
    `points` are where a study looked, and what it saw there; `broken` are laws that did not hold, and `failed` is what
    went wrong without a case of its own.
    """

    name: str
    about: str
    cases: list[CaseResult]
    ratios: list[Ratio]
    plots: list[Plot]
    conditions: Conditions
    panels: list[Panel] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    points: list[dict[str, str | int | float]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def case(self, name: str) -> CaseResult:
        """The case of that name; KeyError if there is none."""
        for result in self.cases:
            if result.case.name == name:
                return result
        raise KeyError(name)

    @property
    def has_anything(self) -> bool:
        """Is there a figure, or a law that was broken?"""
        return bool(self.broken or self.points or any(result.values for result in self.cases))

    def estimate(self, result: CaseResult, seed: int) -> Estimate:
        """Median and interval of a case that has values."""
        return bootstrap(result.values, seed=seed_of(seed, self.name, result.case.name))

    def ratio_results(self, seed: int) -> list[RatioResult]:
        """Of those ratios whose both sides were measured, in the rounds in which they were."""
        found = []
        for ratio in self.ratios:
            top, bottom = self.case(ratio.top), self.case(ratio.bottom)
            both = min(len(top.values), len(bottom.values))
            values = paired_ratios(top.values[:both], bottom.values[:both])
            if values:
                estimate = bootstrap(values, seed=seed_of(seed, self.name, ratio.name))
                found.append(RatioResult(ratio, values, estimate, _verdict(ratio.target, estimate)))
        return found


def _verdict(target: str, estimate: Estimate) -> str:
    if not target:
        return ""
    sign, bound = _limit(target)
    inside, outside = (estimate.high <= bound, estimate.low > bound)
    if sign == ">=":
        inside, outside = (estimate.low >= bound, estimate.high < bound)
    return "met" if inside else "missed" if outside else "open"


def _limit(target: str) -> tuple[str, float]:
    """Its sign and its number. ValueError if it has none."""
    sign, _, limit = target.partition(" ")
    if sign not in ("<=", ">=") or not math.isfinite(float(limit)):
        raise ValueError(f"{target[:40]!r} is no target")
    return sign, float(limit)


@dataclass(frozen=True)
class Document:
    """One run of `pvperf bench`."""

    suites: list[str]
    date: str  # ISO 8601, UTC
    rounds: int
    quick: bool
    seed: int
    machine: dict[str, Any]
    groups: list[GroupResult]
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """One JSON object, a line a case, so that two documents can be compared by eye, too."""
        head = {"schema_version": SCHEMA_VERSION, "kind": "pvperf bench"}
        head |= {name: getattr(self, name) for name in ("suites", "date", "rounds", "quick", "seed", "machine")}
        head["warnings"] = self.warnings
        lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        groups = ",\n".join(_group_json(group) for group in self.groups)
        return "\n".join(["{", *lines, ' "groups": [', groups, " ]", "}"]) + "\n"


def _group_json(group: GroupResult) -> str:
    cases = [
        asdict(result.case) | {"values": result.values, "absent": result.absent, "failed": result.failed}
        for result in group.cases
    ]
    lists: dict[str, list[Any]] = {
        "cases": cases,
        "ratios": [asdict(ratio) for ratio in group.ratios],
        "plots": [asdict(plot) for plot in group.plots],
        "panels": [asdict(panel) for panel in group.panels],
        "remarks": group.remarks,
        "points": group.points,
        "broken": group.broken,
        "failed": group.failed,
    }
    head = {"name": group.name, "about": group.about, "conditions": asdict(group.conditions)}
    lines = [f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, values in lists.items():
        inner = ",\n".join(f"    {json.dumps(_plain(value), allow_nan=False)}" for value in values)
        lines.append(f'   "{key}": [\n{inner}\n   ]' if values else f'   "{key}": []')
    return "  {\n" + ",\n".join(lines) + "\n  }"


def _plain(value: Any) -> Any:
    """As JSON can have it: null for what is infinite, or no number."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def load_document(path: str | Path) -> Document:
    """A document from its file. Raises UsageError, in one sentence, for what is none."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise cannot(f"read {path}", error) from None
    return parse_text(text, str(path))


def parse_text(text: str | bytes, name: str) -> Document:
    """A document from its JSON; `name` is for the error."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name} is not JSON{'' if text.strip() else ': it is empty'}") from None
    return parse_document(data, name)


def parse_document(data: Any, name: str) -> Document:
    """A document from its JSON value; `name` is for the error."""
    if not isinstance(data, Mapping) or data.get("kind") != "pvperf bench":
        raise UsageError(f"{name} is not a result of pvperf bench")
    if data.get("schema_version") != SCHEMA_VERSION:
        raise UsageError(f"{name} has schema version {data.get('schema_version')!r}, and this is {SCHEMA_VERSION}")
    try:
        groups = [_parse_group(group) for group in data["groups"]]
        names = ("suites", "date", "rounds", "quick", "seed", "machine")
        document = Document(**{name: data[name] for name in names}, groups=groups, warnings=data["warnings"])
        check_types(document)
        return document
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"{name} is damaged: {error!r}") from None


def _parse_group(data: Mapping[str, Any]) -> GroupResult:
    group = GroupResult(
        data["name"],
        data["about"],
        [_parse_case(dict(case)) for case in data["cases"]],
        [Ratio(**ratio) for ratio in data["ratios"]],
        [Plot(**plot) for plot in data["plots"]],
        Conditions(**data["conditions"]),
        [Panel.from_json(panel) for panel in data["panels"]],
        data.get("remarks", []),
        data.get("points", []),
        data.get("broken", []),
        data.get("failed", []),
    )
    for ratio in group.ratios:
        for name in (ratio.top, ratio.bottom):
            group.case(name)
        if ratio.target:
            _limit(ratio.target)
    return group


def _parse_case(data: dict[str, Any]) -> CaseResult:
    values, absent, failed = data.pop("values"), data.pop("absent"), data.pop("failed", "")
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in values):
        raise ValueError(f"a value of {data['name']} is not a number")
    return CaseResult(Case(**data), [float(value) for value in values], absent, failed)


def check_types(value: Any, wanted: Any = None) -> None:
    """TypeError unless all that dataclasses in the value say of their fields is so."""
    kinds: dict[Any, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}
    if is_dataclass(value) and not isinstance(value, type):
        hints = get_type_hints(type(value))
        for each in fields(value):
            try:
                check_types(getattr(value, each.name), hints[each.name])
            except TypeError as error:
                raise TypeError(f"{each.name}: {error}") from None
    elif get_origin(wanted) in (list, Sequence):
        if not isinstance(value, list | tuple):
            raise TypeError(f"{str(value)[:40]!r} is no list")
        for item in value:
            check_types(item, get_args(wanted)[0])
    elif get_origin(wanted) in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise TypeError(f"{str(value)[:40]!r} is no object")
    elif wanted in kinds and (not isinstance(value, kinds[wanted]) or (isinstance(value, bool) and wanted is not bool)):
        raise TypeError(f"{str(value)[:40]!r} is no {wanted.__name__}")
