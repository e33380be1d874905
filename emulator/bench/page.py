# SPDX-License-Identifier: GPL-2.0-only
"""A result as the Markdown page docs/performance.md: every figure in it comes from the result."""

from __future__ import annotations

from emulator.bench.axis import number
from emulator.bench.result import Document, GroupResult
from emulator.bench.table import VERDICTS, interval

_HEAD = """\
# Performance

Written by `scripts/bench` from [performance.json](performance.json), which has every raw value; no figure here is typed
by hand. Each figure is the median of {rounds} interleaved rounds, with its 95 % bootstrap interval; a ratio is taken
pair by pair in each round, so that what slowed the machine slowed both sides. Names in brackets are peers, measured in
the same rounds. `pvperf bench report docs/performance.json --html FILE` draws it.
"""


def document_page(document: Document) -> str:
    """The page, the same for the same document."""
    parts = [_HEAD.format(rounds=document.rounds), _machine(document)]
    parts += [f"**Not to be trusted:** {warning}.\n" for warning in document.warnings]
    parts += [_group(group, document.seed) for group in document.groups]
    return "\n".join(parts)


def _machine(document: Document) -> str:
    machine = document.machine
    cores = f"{machine['cores']} cores{' of a virtual machine' if machine['virtual'] else ''}"
    commit = f" at {machine['commit']}" if machine["commit"] else ""
    software = f"Python {machine['python']}, Unicorn {machine['unicorn']}, pvperf {machine['pvperf']}{commit}"
    hardware = f"{machine['model']}, {cores}, {machine['memory_mib']} MiB"
    return f"Measured on {document.date}: {hardware}, Linux {machine['kernel']}, {software}.\n"


def _group(group: GroupResult, seed: int) -> str:
    lines = [f"## {group.name}", "", f"{group.about[0].upper()}{group.about[1:]}.", ""]
    ratios = group.ratio_results(seed)
    if ratios:
        lines += ["| ratio | median | interval | target |", "|---|---:|---|---|"]
        for ratio in ratios:
            says = f"{ratio.ratio.target}: {VERDICTS[ratio.verdict]}" if ratio.verdict else ""
            lines.append(
                f"| {ratio.ratio.name} | {number(ratio.estimate.value)} | {interval(ratio.estimate)} | {says} |"
            )
        lines.append("")
    if group.cases:
        lines += ["| figure | median | unit | interval |", "|---|---:|---|---|"]
    for result in group.cases:
        name = f"({result.case.name})" if result.case.peer else result.case.name
        if result.absent:
            lines.append(f"| {name} | | | left out: {result.absent} |")
        elif result.values:
            estimate = group.estimate(result, seed)
            lines.append(f"| {name} | {number(estimate.value)} | {result.case.unit} | {interval(estimate)} |")
    if group.points:
        lines.append(f"\n{len(group.points)} points, all of which are in performance.json:\n")
    lines += [f"- {remark[0].upper()}{remark[1:]}." for remark in group.remarks]
    return "\n".join(lines) + "\n"
