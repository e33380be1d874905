# SPDX-License-Identifier: GPL-2.0-only
"""pvperf campaign: the same journal whoever does the work and however often it is ended; failures found once each."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
from commands import PVPERF
from processes import children

from emulator.cli import campaign_command, main
from emulator.errors import HostError, UsageError
from emulator.races.campaign import job, run
from emulator.races.campaign.dask_workers import DaskWorkers, identity, refuse_others
from emulator.races.campaign.job import Block, CodeDiffers, Place, code, run_job
from emulator.races.campaign.plan import Plan
from emulator.races.campaign.signature import normalised, signature
from emulator.races.explore.canaries import Caught
from emulator.races.explore.case import read_case
from emulator.races.explore.crew import Crew
from emulator.races.explore.machine import Setup
from emulator.races.explore.scenarios import SCENARIOS
from emulator.races.explore.search import Found
from emulator.races.explore.shrink import same
from emulator.vm.process import fork_worker

#: Five blocks, and canaries first: long enough to be killed in.
LONG = ("close-nmi", "--design", "per-vm", "--nmi", "trylock", "--seed", "3", "--seeds", "500", "--schedules", "1000")
SHORT = ("--nmi", "trylock", "--seed", "1", "--schedules", "500")
BROKEN = ("close-enable", "dup-open", "errno", "--design", "posted,no-refcount", "--seeds", "6", *SHORT)
#: What takes so long hangs, however busy the machine is.
_WAIT_SECONDS = 500.0


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """What the journal has, also while a campaign is writing it."""
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that must be the same each time: no times."""
    blocks = (
        "design, nmi, sync, scenario, first, count, schedules, steps, nmis, nmi_misses, contended, disagreed, digest"
    )
    what = {"block": blocks, "plan": "*", "failure": "*", "canary": "*", "shrunk": "*"}
    return {table: sorted(rows(path, f"SELECT {columns} FROM {table}")) for table, columns in what.items()}  # type: ignore[type-var]


def start(path: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*PVPERF, "campaign", str(path), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_blocks(path: Path, n: int, running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()
        try:
            if rows(path, "SELECT count(*) FROM block")[0][0] >= n:  # type: ignore[operator]
                return
        except sqlite3.OperationalError:
            pass  # it is not there yet
        time.sleep(0.01)
    pytest.fail(f"there are no {n} blocks after {_WAIT_SECONDS:.0f} s")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of LONG."""
    path = tmp_path_factory.mktemp("reference") / "journal"
    assert main(["campaign", str(path), *LONG, "--workers", "1"]) == 0
    return path


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes of BROKEN."""
    path = tmp_path_factory.mktemp("broken") / "journal"
    assert main(["campaign", str(path), *BROKEN, "--workers", "1"]) == 1
    return path


def test_two_workers_write_what_one_writes(reference: Path, tmp_path: Path) -> None:
    assert main(["campaign", str(tmp_path / "two"), *LONG, "--workers", "2"]) == 0
    assert content(tmp_path / "two") == content(reference)
    assert len(content(reference)["block"]) == 5


def test_other_seeds_have_other_digests() -> None:
    blocks = [Block(Setup(), SCENARIOS["churn"], seed, first, 2, 50) for seed, first in ((1, 0), (2, 0), (1, 2))]
    assert len({block.run().digest for block in blocks}) == 3
    assert blocks[0].run().digest == blocks[0].run().digest


@pytest.mark.parametrize("killed", ["front end", "worker"])
def test_a_kill_loses_at_most_what_was_not_done(killed: str, reference: Path, tmp_path: Path) -> None:
    """kill -9: a worker is replaced, and after the front end the same command goes on."""
    path = tmp_path / "journal"
    running = start(path, *LONG, "--workers", "2")
    wait_for_blocks(path, 1, running)
    victims = children(running.pid)
    assert len(victims) == 2
    os.kill(running.pid if killed == "front end" else victims[0], signal.SIGKILL)
    told, complaints = running.communicate(timeout=_WAIT_SECONDS)
    if killed == "front end":
        assert running.returncode == -signal.SIGKILL
        before = set(rows(path, "SELECT first, ended FROM block"))
        assert 1 <= len(before) < 5
        assert main(["campaign", str(path)]) == 0
        assert before < set(rows(path, "SELECT first, ended FROM block")), "what was done is not done again"
    else:
        assert running.returncode == 0, (told, complaints)
    assert content(path) == content(reference)


def test_ctrl_c_leaves_a_summary_and_a_journal_to_go_on_with(reference: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    running = start(path, *LONG, "--workers", "2")
    wait_for_blocks(path, 1, running)
    running.send_signal(signal.SIGINT)
    told, complaints = running.communicate(timeout=_WAIT_SECONDS)
    assert running.returncode == -signal.SIGINT
    assert "verdict: inconclusive" in told
    assert "blocks are still to be done" in told
    assert "Traceback" not in complaints
    assert main(["campaign", str(path)]) == 0
    assert content(path) == content(reference)


def test_a_time_limit_is_a_place_to_go_on_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["campaign", str(tmp_path / "journal"), "close-enable", "--design", "per-vm", *SHORT, "--seeds", "4"]
    assert main([*arguments, "--duration", "1ms"]) == 7
    assert "still to be done" in capsys.readouterr().out
    assert main(arguments) == 0


def test_two_campaigns_do_not_share_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    running = start(path, *LONG, "--workers", "2")
    wait_for_blocks(path, 1, running)
    other = subprocess.run([*PVPERF, "campaign", str(path)], capture_output=True, text=True, check=False)
    assert main(["campaign", str(path), "--report"]) == 7, "a look at it is allowed"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=_WAIT_SECONDS)
    assert (other.returncode, other.stderr) == (2, f"pvperf: another campaign is using {path}\n")


def test_a_campaign_is_extended(tmp_path: Path) -> None:
    """More seeds and more designs: what was done stays, and the end is that of a campaign that was begun so."""
    small, large = ["close-enable", "--design", "per-vm", *SHORT], ["--design", "per-vm,posted", "--seeds", "300"]
    assert main(["campaign", str(tmp_path / "grown"), *small, "--seeds", "201"]) == 0
    before = rows(tmp_path / "grown", "SELECT first, count, ended FROM block ORDER BY first")
    assert [row[:2] for row in before] == [(0, 200), (200, 1)]
    assert main(["campaign", str(tmp_path / "grown"), *large]) == 0
    after = rows(tmp_path / "grown", "SELECT first, count, ended FROM block WHERE design = 'per-vm' ORDER BY first")
    assert after[0] == before[0]
    assert after[1][:2] == (200, 100)
    assert main(["campaign", str(tmp_path / "begun"), "close-enable", *SHORT, *large]) == 0
    assert content(tmp_path / "grown") == content(tmp_path / "begun")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--schedules", "400"], "was begun with schedules 500, and 400 does not extend that: begin another journal"),
        (["--seed", "2"], "was begun with seed 1, and 2 does not extend that"),
        (["--seeds", "1"], "was begun with seeds 2, and 1 does not extend that"),
        (["--design", "posted"], "was begun with designs per-vm, and posted does not extend that"),
        (["churn"], "was begun with scenarios close-enable, and churn does not extend that"),
        (["--twice"], "was begun with twice False, and True does not extend that"),
    ],
)
def test_another_campaign_is_refused(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "journal"
    main(["campaign", str(path), "close-enable", "--design", "per-vm", *SHORT, "--seeds", "2", "--duration", "1ms"])
    before = content(path)
    assert main(["campaign", str(path), *arguments]) == 2
    assert f"{path} {sentence}" in capsys.readouterr().err
    assert content(path) == before


def test_another_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "journal"
    with monkeypatch.context() as older:
        for module in (campaign_command, job, run):
            older.setattr(module, "code", lambda: "0.0 older")
        assert main(["campaign", str(path), "close-enable", "--design", "per-vm", *SHORT, "--seeds", "2"]) == 0
    capsys.readouterr()
    assert main(["campaign", str(path), "--seeds", "4"]) == 2
    assert f"{path} is of the code '0.0 older', and this is '{code()}'" in capsys.readouterr().err
    assert main(["campaign", str(path), "--report"]) == 0
    assert capsys.readouterr().out.startswith(f"of the code '0.0 older', and this is '{code()}'\n")
    with pytest.raises(CodeDiffers, match="a worker runs the code"):
        run_job(Block(Setup(), SCENARIOS["churn"], 1, 0, 1, 1), "0.0 older")


def test_a_scenario_of_ones_own_must_stay_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, mine = tmp_path / "journal", tmp_path / "mine.txt"
    mine.write_text("vcpu 0: open 1; close 1\nvcpu 1: enable 1\n")
    assert main(["campaign", str(path), str(mine), "--design", "per-vm", *SHORT, "--seeds", "2"]) == 0
    mine.write_text("vcpu 0: open 1; close 1\nvcpu 1: read 1\n")
    assert main(["campaign", str(path), "--seeds", "4"]) == 2
    assert f"{mine} is not what it was when {path} was begun" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["close-enabel"], "did you mean close-enable"),
        (["--design", "best"], "design 'best' is not known"),
        (["--seeds", "0"], "a campaign without seeds and without VMs does nothing"),
        (["--seeds", "-1"], "whole numbers from 0"),
        (["--seed", str(1 << 63)], "less than 2^63"),
        (["--schedules", "10001"], "a seed has at most 10000 schedules"),
        (["--report"], "there is no journal"),
        (["--design", ","], "a name is missing"),
        (["--workers", "2", "--dask", "tcp://127.0.0.1:1"], "not allowed with"),
    ],
)
def test_usage(arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["campaign", str(tmp_path / "journal"), *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "nothing is left of what was never begun"


def test_failures_are_told_once_each_and_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "journal"
    assert main(["campaign", str(path), *BROKEN, "--json"]) == 1
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failures = [each for each in said if each["type"] == "failure"]
    assert said[-1]["verdict"] == "violated"
    assert {each["design"] for each in failures} == {"posted", "no-refcount"}
    assert sum(each["seeds"] for each in failures) == rows(path, "SELECT count(*) FROM failure")[0][0]
    assert sum(each["seeds"] for each in failures) > 2 * len(failures)
    files = [Path(each["replay"]) for each in failures]
    assert sorted(files) == sorted((tmp_path / "journal.replays").iterdir())
    for each, file in zip(failures, files, strict=True):
        case = read_case(file)
        assert same(case, case.replay()[0])
        assert main(["replay", str(file)]) == 1
        assert case.program.length == each["length"] <= 4
        assert signature(case.setup.design, case.oracle, case.text, each["operations"]) == each["signature"]
    oracles = {each["oracle"] for each in failures if each["design"] == "posted"}
    assert oracles == {"O3 limit", "O8 linearizability"}


def test_failures_are_the_same_with_any_number_of_workers(broken: Path, tmp_path: Path) -> None:
    assert main(["campaign", str(tmp_path / "2"), *BROKEN, "--workers", "2"]) == 1
    assert content(broken) == content(tmp_path / "2")
    assert content(broken)["shrunk"]


def test_a_signature_has_no_numbers() -> None:
    assert normalised("vCPU 1 at event.c:180 frees 0x7f00ab") == "vCPU # at event.c:# frees #"
    assert signature("posted", "O1", "event 1", "close") == signature("posted", "O1", "event 22", "close")
    assert len({signature(d, o, "event 1", op) for d in ("a", "b") for o in ("O1", "O2") for op in ("x", "y")}) == 8


def test_every_seed_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "churn",
        "--design",
        "per-vm",
        "--nmi",
        "trylock",
        "--seed",
        "1",
        "--seeds",
        "1000",
        "--schedules",
        "1",
    ]
    assert main(["campaign", str(tmp_path / "journal"), *arguments, "--twice"]) in (0, 7)
    assert "1,000 schedules of 1,000 seeds, each run twice" in capsys.readouterr().out
    assert rows(tmp_path / "journal", "SELECT sum(disagreed) FROM block") == [(0,)]


def test_a_seed_that_goes_another_way_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    search, runs = Place.search, []

    def unsteady(place: Place) -> Found:
        found = search(place)
        runs.append(place.number)
        found.totals.digest += runs.count(place.number) == 2 and place.number == 1
        return found

    monkeypatch.setattr(Place, "search", unsteady)
    arguments = ["close-nmi", "--design", "per-vm", *SHORT, "--seeds", "3", "--workers", "1"]
    assert main(["campaign", str(tmp_path / "twice"), *arguments, "--twice"]) == 7
    assert runs == [0, 0, 1, 1, 2, 2]
    assert "  1 seed that was run twice did not end the same" in capsys.readouterr().out


def test_a_canary_that_is_not_found_leaves_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    catch = job.canaries.catch

    def blind(name: str, setup: Setup, *, seed: int, seconds: float) -> Caught:
        caught = catch(name, setup, seed=seed, seconds=seconds)
        return replace(caught, case=None) if name == "limit_off_by_one" else caught

    monkeypatch.setattr(job.canaries, "catch", blind)
    arguments = ["close-enable", "--design", "per-vm", *SHORT, "--seeds", "3", "--workers", "1"]
    assert main(["campaign", str(tmp_path / "journal"), *arguments]) == 7
    assert "  per-vm/trylock/entry: canary limit_off_by_one was not found" in capsys.readouterr().out


def test_the_default_is_every_sound_design_policy_and_scenario() -> None:
    blocks = list(replace(Plan(seed=1), seeds=10).blocks())
    assert len(blocks) == 2 * 3 * len(SCENARIOS)
    assert {block.count * block.schedules for block in blocks} == {100_000}
    assert sum(block.count * block.schedules for block in Plan(seed=1).blocks()) > 10**8


def test_whole_vms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the seeds, or without any; what one violates becomes a case of the same kind."""
    path = tmp_path / "journal"
    arguments = ["failing-write", "halt-kick", "--design", "per-vm,posted", *SHORT, "--seeds", "0", "--stress", "2"]
    assert main(["campaign", str(path), *arguments, "--smp", "2"]) == 1
    told = capsys.readouterr().out
    assert "4 VMs of 2 vCPUs" in told
    found = rows(path, "SELECT design, scenario, number, oracle FROM vm ORDER BY design, number")
    assert [row[:3] for row in found] == [(d, "failing-write", n) for d in ("per-vm", "posted") for n in (0, 1)]
    assert [row[3] for row in found] == ["", "", "O5 conservation", "O5 conservation"]
    (file,) = (tmp_path / "journal.replays").iterdir()
    assert main(["replay", str(file)]) == 1
    assert main(["campaign", str(path)]) == 1
    assert len(rows(path, "SELECT * FROM vm")) == 4


def test_a_job_that_ends_every_worker_is_no_accident() -> None:
    with Crew(2) as crew:
        assert sorted(crew.as_done([partial(int, "1"), partial(int, "2"), partial(int, "3")])) == [1, 2, 3]
        with pytest.raises(HostError, match="3 times"):
            list(crew.as_done([partial(os._exit, 9)]))
        assert sorted(crew.as_done(partial(int, str(n)) for n in range(5))) == [0, 1, 2, 3, 4]


def test_a_crew_that_cannot_begin_leaves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = Crew._start, list[Any]()

    def fail_at_last(crew: Crew) -> Any:
        if len(started) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        start(crew)
        started.append(crew._workers[-1][0].pid)

    monkeypatch.setattr(Crew, "_start", fail_at_last)
    with pytest.raises(OSError, match="Too many"), Crew(3):
        pass
    assert len(started) == 2
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_ends_without_a_word(signum: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever the command does by that signal."""

    def complain(*_: object) -> NoReturn:
        raise AssertionError("a worker did what the command does")

    before = signal.signal(signum, complain)
    try:
        worker = fork_worker(_kill_itself, (signum,))
        worker.join()
    finally:
        signal.signal(signum, before)
    assert worker.exitcode == -signum
    assert capfd.readouterr() == ("", "")


def _kill_itself(signum: int) -> None:
    os.kill(os.getpid(), signum)


CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster("127.0.0.1:0", n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process."""
    script = tmp_path_factory.mktemp("cluster") / "cluster.py"
    script.write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        yield running.stdout.readline().strip()
        running.communicate(timeout=_WAIT_SECONDS)


@pytest.mark.parametrize(
    ("arguments", "wanted", "status"), [(LONG, "reference", 0), (BROKEN, "broken", 1)], ids=["sound", "broken"]
)
def test_a_dask_cluster_writes_what_one_process_writes(
    arguments: tuple[str, ...], wanted: str, status: int, cluster: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "there"
    running = start(path, *arguments, "--dask", cluster)
    told, complaints = running.communicate(timeout=_WAIT_SECONDS)
    assert running.returncode == status, (told, complaints)
    assert told.startswith(f"campaign: Dask at {cluster}: 2 workers, 2 threads, seed ")
    assert content(path) == content(request.getfixturevalue(wanted))


def test_where_nothing_listens_nobody_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed", reason="the package distributed is not installed")
    for address in ("tcp://127.0.0.1:1", "127.0.0.1:1", "tcp://127.0.0.1:99999"):
        assert main(["campaign", str(tmp_path / "journal"), "--dask", address]) == 2
        assert capsys.readouterr().err.startswith(f"pvperf: no Dask scheduler answers at {address}: ")


class Scheduled:
    """A client of a cluster on which one thread works, that counts what it is asked."""

    def __init__(self) -> None:
        self.loop, self.asked = None, 0

    def nthreads(self) -> dict[str, int]:
        self.asked += 1
        return {"tcp://a:1": 1}

    def submit(self, job: Callable[[], object], pure: bool) -> Callable[[], object]:
        return job


class Completed(list[Callable[[], object]]):
    """Futures that are done when they are asked for."""

    def count(self, *_: object) -> int:
        return len(self)

    def add(self, job: Callable[[], object]) -> None:
        self.append(job)

    def __iter__(self) -> Iterator[tuple[object, object]]:  # type: ignore[override]
        while len(self):
            job = self.pop(0)
            yield job, job()


def test_the_scheduler_is_not_asked_for_each_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is as long in coming as the machine is busy, and nothing was sent ahead meanwhile."""
    pytest.importorskip("distributed", reason="the package distributed is not installed")
    workers = DaskWorkers("tcp://127.0.0.1:1")
    workers._client = client = Scheduled()
    monkeypatch.setattr(workers._distributed, "as_completed", lambda loop, with_results: Completed())
    monkeypatch.setattr("emulator.races.campaign.dask_workers.time.monotonic", lambda: 100.0)
    assert list(workers.as_done(partial(int, str(n)) for n in range(50))) == list(range(50))
    assert client.asked == 1


def test_workers_of_another_version_are_refused() -> None:
    ours = identity()
    refuse_others({"tcp://a:1": (ours["python"], ours["code"])})
    with pytest.raises(UsageError, match=r"the worker tcp://b:1 runs the code '9\.9 x'"):
        refuse_others({"tcp://a:1": (ours["python"], ours["code"]), "tcp://b:1": (ours["python"], "9.9 x")})
    with pytest.raises(UsageError, match=r"the worker tcp://b:1 runs Python 3\.0"):
        refuse_others({"tcp://b:1": ("3.0", ours["code"])})


def test_dask_must_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["campaign", str(tmp_path / "journal"), "--dask", "tcp://127.0.0.1:1"]) == 2
    assert capsys.readouterr().err == "pvperf: --dask needs the package distributed: pip install 'pvperf[dask]'\n"
