# SPDX-License-Identifier: GPL-2.0-only
"""`pvperf guests`: those that there are, and guests of one's own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import pvperf, sentence


def test_list_of_guests() -> None:
    plain = pvperf("guests").stdout
    assert pvperf("guests", "list").stdout == plain
    made = json.loads(pvperf("guests", "--json").stdout)["guests"]
    assert [line.split()[0] for line in plain.splitlines()] == [one["name"] for one in made]
    assert {"hello", "matmul", "pingpong", "spin", "user"} <= {one["name"] for one in made}
    assert all(one["description"] and Path(one["path"]).is_file() for one in made)


def test_a_guest_of_ones_own(tmp_path: Path) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    source.write_text('#include "guest.h"\nint guest_main(void) { console_printf("mine\\n"); return 7; }\n')
    assert pvperf("guests", "build", source, "-o", program).returncode == 0
    done = pvperf("run", "./mine.elf", cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert (done.returncode, done.stdout) == (7, "mine\n")


@pytest.mark.parametrize("headers", [("<stdatomic.h>", '"guest.h"'), ('"guest.h"', "<stdatomic.h>")])
def test_a_guest_with_the_atomics_of_c(tmp_path: Path, headers: tuple[str, str]) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    text = "static _Atomic int n; int guest_main(void) { return 3 + atomic_fetch_add(&n, 1) + atomic_load(&n); }"
    source.write_text("".join(f"#include {header}\n" for header in headers) + text)
    assert pvperf("guests", "build", source, "-o", program).stderr == ""
    assert pvperf("run", program).returncode == 4


def test_a_guest_with_flags_of_ones_own(tmp_path: Path) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    source.write_text("int guest_main(void) { return NUMBER + 10 * __POPCNT__; }\n")
    flags = '-O3 -march=x86-64-v2 -DNUMBER="(4 + 1)"'
    assert pvperf("guests", "build", source, "-o", program, f"--cflags={flags}").returncode == 0
    assert pvperf("run", program).returncode == 15
    assert "unrecognized" in pvperf("guests", "build", source, "-o", program, "--cflags=-nosuch").stderr
    unclosed = pvperf("guests", "build", source, "-o", program, "--cflags=-DX='")
    assert "is no list of words" in sentence(unclosed, 2)


def test_list_of_guests_by_name_of_the_action() -> None:
    assert pvperf("guests", "list", "--json").stdout == pvperf("guests", "--json").stdout


def test_a_guest_that_does_not_compile(tmp_path: Path) -> None:
    source, program = tmp_path / "mine.c", tmp_path / "mine.elf"
    source.write_text("int guest_main(void) { return nonsense; }\n")
    done = pvperf("guests", "build", source, "-o", program)
    assert done.returncode == 2
    assert "mine.c:1:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not program.exists()
    missing = pvperf("guests", "build", source, "-o", program, "--cc", "no-such-compiler")
    assert "the C compiler 'no-such-compiler' was not found" in sentence(missing, 2)
