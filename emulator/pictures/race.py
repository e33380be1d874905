# SPDX-License-Identifier: GPL-2.0-only
"""An interleaving as a table: a column a vCPU, time downwards."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from emulator.races.findings.cases import shown_by_replay

STYLE = """
.race td { vertical-align: top; white-space: pre; font: 13px/1.45 ui-monospace, monospace; padding: 3px 14px 3px 0; }
.race th { padding: 3px 14px 6px 0; } .race b { color: var(--c0); } .race i { color: var(--faint); font-style: normal; }
.race em, .verdict { color: var(--missed); font-style: normal; font-weight: 600; }
"""


def race(replay: Path) -> str:
    """What `pvperf replay` prints of it."""
    program, _, table = shown_by_replay(replay).partition("step    ")
    heads, *lines, verdict = table.splitlines()
    second = len("step    ") + heads.index("vCPU 1")
    rows: list[tuple[str, tuple[list[str], list[str]]]] = []
    for line in lines:
        text = line[8:].lstrip()
        begin = len(line) - len(text)
        if number := line[:8].strip():
            rows.append((number, ([], [])))
        right = begin >= second
        rows[-1][1][right].append(" " * (begin - (second if right else 8)) + _marked(text))
    cells = "".join(
        f"<tr><td>{number}</td>{''.join(f'<td>{chr(10).join(column)}</td>' for column in columns)}</tr>"
        for number, columns in rows
    )
    head = "".join(f"<th>{name}</th>" for name in ("step", "vCPU 0", "vCPU 1"))
    said = f'<p class="verdict">{escape(verdict)}</p>'
    return f"<p>{escape(program).replace(chr(10), '<br>')}</p><table class='race'><tr>{head}</tr>{cells}</table>{said}"


def _marked(text: str) -> str:
    kind = "b" if text.startswith("[") else "em" if text.startswith("--") else ""
    if not kind and not re.match(r"(point|load|store|lock|unlock|trylock|wait|wake|visible) ", text):
        kind = "i"  # a line of source
    return f"<{kind}>{escape(text)}</{kind}>" if kind else escape(text)
