# SPDX-License-Identifier: GPL-2.0-only
"""A result as the Markdown page docs/performance.md: every figure in it comes from the result."""

from __future__ import annotations

from collections.abc import Mapping

from emulator.bench.measuring.result import Document, GroupResult
from emulator.bench.reporting.number import interval, number
from emulator.bench.reporting.table import VERDICTS
from emulator.bench.reporting.trust import MAX_HALF_WIDTH, doubts, of_everything

_HEAD = """\
# Performance

Written by `scripts/bench` from [performance.json](performance.json), which has every raw value; no figure here is typed
by hand. Each figure is the median of {rounds} interleaved rounds, with its 95 % bootstrap interval; a ratio is taken
pair by pair in each round, so that what slowed the machine slowed both sides. Names in brackets are peers, measured in
the same rounds. `pvperf bench report docs/performance.json --html FILE` draws it.
"""


def document_page(document: Document) -> str:
    """The page, the same for the same document: what can be trusted first."""
    doubted = {group.name: doubts(group, document.seed) for group in document.groups}
    parts = [_HEAD.format(rounds=document.rounds), _machine(document), _trusted(document, doubted)]
    parts += [_group(group, document.seed, doubted[group.name]) for group in document.groups]
    return "\n".join([*parts, _doubted(doubted)])


def _trusted(document: Document, doubted: Mapping[str, Mapping[str, str]]) -> str:
    """The targets that were met or missed without a doubt, unless all is in doubt."""
    lines = ["## What can be trusted", ""]
    if general := of_everything(document.warnings):
        lines += [f"**Nothing of this measurement can be trusted:** {warning}." for warning in general]
        return "\n".join(lines) + "\n"
    figures = sum(len(group.cases) for group in document.groups)
    doubtful = [name for names in doubted.values() for name in names]
    lines += [
        f"Of {figures} figures and their ratios, all but {len(doubtful)} have intervals within +-{MAX_HALF_WIDTH:.0%}",
        "and did not move from one half of the rounds to the other. Those are marked with *, and not to be quoted: the",
        "last section says why.",
        "",
        "The targets that were decided:",
        "",
        "| of | ratio | median | interval | target |",
        "|---|---|---:|---|---|",
    ]
    for group in document.groups:
        for ratio in group.ratio_results(document.seed):
            if ratio.verdict in ("met", "missed") and ratio.ratio.name not in doubted[group.name]:
                figure = f"{number(ratio.estimate.value)} | {interval(ratio.estimate)}"
                says = f"{ratio.ratio.target}: {VERDICTS[ratio.verdict]}"
                lines.append(f"| {group.name} | {ratio.ratio.name} | {figure} | {says} |")
    return "\n".join(lines) + "\n"


def _doubted(doubted: Mapping[str, Mapping[str, str]]) -> str:
    lines = ["## What cannot be trusted", ""]
    lines += [f"- {group}: {name}: {why}." for group, names in doubted.items() for name, why in names.items()]
    return "\n".join([*lines, *([] if lines[2:] else ["Nothing is in doubt."])]) + "\n"


def _machine(document: Document) -> str:
    machine = document.machine
    cores = f"{machine['cores']} cores{' of a virtual machine' if machine['virtual'] else ''}"
    commit = f" at {machine['commit']}" if machine["commit"] else ""
    software = f"Python {machine['python']}, Unicorn {machine['unicorn']}, pvperf {machine['pvperf']}{commit}"
    hardware = f"{machine['model']}, {cores}, {machine['memory_mib']} MiB"
    return f"Measured on {document.date}: {hardware}, Linux {machine['kernel']}, {software}.\n"


def _group(group: GroupResult, seed: int, doubted: Mapping[str, str]) -> str:
    lines = [f"## {group.name}", "", f"{group.about[0].upper()}{group.about[1:]}.", ""]
    ratios = group.ratio_results(seed)
    if ratios:
        lines += ["| ratio | median | interval | target |", "|---|---:|---|---|"]
        for ratio in ratios:
            says = f"{ratio.ratio.target}: {VERDICTS[ratio.verdict]}" if ratio.verdict else ""
            mark = " *" if ratio.ratio.name in doubted else ""
            lines.append(
                f"| {ratio.ratio.name}{mark} | {number(ratio.estimate.value)} | {interval(ratio.estimate)} | {says} |"
            )
        lines.append("")
    if group.cases:
        lines += ["| figure | median | unit | interval |", "|---|---:|---|---|"]
    for result in group.cases:
        name = f"({result.case.name})" if result.case.peer else result.case.name
        if not result.values:
            lines.append(f"| {name} | | | {result.why or 'not measured'} |")
        else:
            estimate = group.estimate(result, seed)
            mark = " *" if result.case.name in doubted else ""
            lines.append(f"| {name}{mark} | {number(estimate.value)} | {result.case.unit} | {interval(estimate)} |")
    if group.points:
        lines.append(f"\n{len(group.points)} points, all of which are in performance.json:\n")
    lines += [f"- {remark[0].upper()}{remark[1:]}." for remark in group.remarks]
    return "\n".join(lines) + "\n"
