# SPDX-License-Identifier: GPL-2.0-only
"""The fuzzer of the hypercall surface: its corpus holds, what is broken is found, made small and replayed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emulator.cli import main as command_line
from emulator.errors import PvperfError
from emulator.races.fuzz import __main__ as script
from emulator.races.fuzz.build import CORPUS, NotSupported, build_fuzzer, build_player
from emulator.races.fuzz.case import PIECE, Target, signature, smaller


@pytest.fixture(scope="session")
def player() -> Path:
    return build_player()


@pytest.fixture(scope="session")
def fuzzer(player: Path) -> Path:
    try:
        return build_fuzzer()
    except NotSupported as error:
        pytest.skip(str(error).partition("; it says")[0])


def test_the_corpus_holds_and_plays_the_same_twice(player: Path) -> None:
    inputs = sorted(CORPUS.iterdir())
    assert len(inputs) > 100
    done = Target(player).run_all(inputs)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")[-4000:]
    assert len(done.stdout.splitlines()) == len(inputs)


def test_nothing_is_found_in_what_is_sound(fuzzer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--runs", "3000", "--seed", "1"]) == 0
    assert "all held" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("broken", "start", "shown"),
    [
        (["--design", "no-refcount"], "--empty", "host panic"),
        (["--canary", "limit_off_by_one"], "--empty", "O3 limit"),
        (["--canary", "found_without_reference"], "--empty", "host panic: .* drops event . after .* freed it"),
        (
            ["--canary", "attached_without_reference"],
            "--empty",
            "O2 references|host panic: .* frees event ., which is attached",
        ),
        (["--canary", "failed_write_not_undone"], "", "O5 conservation"),
        (["--canary", "failed_sync_not_queued_again"], "", "O6 stranded"),
        (["--canary", "miss_not_deferred"], "", "O6 stranded"),
    ],
)
def test_what_is_broken_is_found_and_replayed(
    fuzzer: Path, broken: list[str], start: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "found.fuzz"
    search = [*filter(None, [start]), "--runs", "200000", "--seed", "1", "-o", str(output)]
    assert script.main([*broken, *search]) == 1
    assert re.search(shown, capsys.readouterr().out)
    assert output.stat().st_size <= PIECE * 12
    assert script.main([*broken, str(output)]) == 1
    assert re.search(shown, capsys.readouterr().out)
    assert script.main([str(output)]) == 0, "it holds where nothing is broken"


def test_a_case_that_the_explorer_knows_becomes_its_replay_file(
    fuzzer: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which of the design's defects a seed meets first depends on how the compiler has laid out the code."""
    output, replay = tmp_path / "found.fuzz", tmp_path / "found.replay"
    search = ["--design", "posted", "--empty", "--runs", "200000", "-o", str(output)]
    for seed in range(1, 21):
        assert script.main([*search, "--seed", str(seed)]) == 1
        said = capsys.readouterr().out
        if "violation: O3 limit" in said:
            break
    assert f"{replay} is the explorer's case of it, O3 limit: pvperf replay {replay}" in said
    assert command_line(["replay", str(replay)]) == 1
    assert "O3 limit" in capsys.readouterr().out


def test_the_same_seed_is_the_same_search(fuzzer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for _ in range(2):
        assert script.main(["--empty", "--runs", "3000", "--seed", "5"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_a_case_is_made_as_small_as_it_gets() -> None:
    data = bytes(range(1, 9)) + b"".join(bytes([kind] * PIECE) for kind in (1, 2, 3, 4, 5, 6))

    def still(left: bytes) -> bool:
        records = [left[at : at + PIECE] for at in range(PIECE, len(left), PIECE)]
        return left[2] == 3 and [record[0] for record in records if record[0] in (2, 5)] == [2, 5]

    assert smaller(data, still) == bytes([0, 0, 3, 0, 0, 0, 0, 0, 2, *[0] * 7, 5, *[0] * 7])
    assert signature("event 12 at 0xfe40: 3 references") == signature("event 1 at 0x1: 15 references")


def test_wrong_use_is_refused(player: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main([str(tmp_path / "absent.fuzz")]) == 2
    assert script.main(["--canary", "unheard_of"]) == 2
    assert "there is no canary 'unheard_of'" in capsys.readouterr().err
    assert script.main(["--runs", "1", "-o", str(tmp_path / "absent" / "found.fuzz")]) == 2
    assert "cannot write" in capsys.readouterr().err
    short = tmp_path / "short.fuzz"
    short.write_bytes(b"abc")
    assert script.main([str(short)]) == 2
    assert "too short" in capsys.readouterr().err


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert script.main(["--runs", "1"]) == 126
    assert "no-such-compiler is not there" in capsys.readouterr().err
    assert issubclass(NotSupported, PvperfError)
