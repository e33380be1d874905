# SPDX-License-Identifier: GPL-2.0-only
"""The explorer: it finds what is planted, always the same way, and finds nothing in the designs that are sound."""

import json
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from emulator import __version__
from emulator.cli import main
from emulator.errors import UsageError
from emulator.races.explore.canaries import canaries_of, catch
from emulator.races.explore.case import Case, read_case
from emulator.races.explore.coverage import Coverage
from emulator.races.explore.crew import Crew
from emulator.races.explore.interleaving import interleaving
from emulator.races.explore.machine import ORACLES, Machine, Setup, Step, build, identity
from emulator.races.explore.machine import canaries as canary_names
from emulator.races.explore.program import IDS, MOST_OPS, Program, parse_op, random_program
from emulator.races.explore.scenarios import SCENARIOS
from emulator.races.explore.search import BLOCK, Block, blocks_of, run_block, search
from emulator.races.explore.shrink import same, shrink
from emulator.races.explore.smaller import STAGES, moved_ops
from emulator.races.explore.specification import Rules, State, apply
from emulator.races.findings.matrix import LARGE
from emulator.terminal.columns import columns

ROOT = Path(__file__).resolve().parents[2]
FIXED = [scenario for scenario in SCENARIOS.values() if scenario.programs]
SOUND = [("per-vm", "trylock"), ("per-vm", "deferred"), ("per-vm", "lockless"), ("per-vcpu", "trylock")]
CLOSE_ENABLE = Program.parse(["open 1; enable 1", "close 1"])
#: Of a program in which vCPU 0 opens and closes, and vCPU 1 reads.
ORDERS = [
    "close 1 of vCPU 0 (1) before read 1 of vCPU 1 (0)",
    "open 1 of vCPU 0 (0) before read 1 of vCPU 1 (0)",
    "read 1 of vCPU 1 (0) before close 1 of vCPU 0 (1)",
    "read 1 of vCPU 1 (0) before open 1 of vCPU 0 (0)",
]
#: docs/findings, and a place for what else is found.
REPLAYS = sorted(path for folder in ("docs/findings", "tests/replays") for path in (ROOT / folder).glob("*.replay"))
PLANTED = Setup(canary="closed_not_looked_at")


def found(setup: Setup, name: str, blocks: int = 6) -> Case | None:
    """The first violation that a scenario shows in its first blocks."""
    cases = (run_block(Block(name, setup, 1, number)).case for number in range(blocks))
    return next((case for case in cases if case), None)


def test_programs_are_text() -> None:
    for number in range(200):
        program = random_program(7, number, vcpus=3, ops=6, ids=3)
        lines = [line.partition(": ")[2] for line in program.lines()]
        assert Program.parse(lines[:3], lines[3] if len(lines) > 3 else "") == program


@pytest.mark.parametrize(
    "text", ["open", "open 8", "open 1 period", "run", "run 40000", "walk 1", "close 1 2", "tick x"]
)
def test_what_is_no_operation_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no operation"):
        parse_op(text)


def test_specification() -> None:
    """The sequential specification, spelled out once by hand."""
    state, one = State(), Rules(limit=1)
    steps = [("open", 1, 0), ("open", 1, -17), ("read", 2, -2), ("open", 2, -28), ("close", 1, 0), ("enable", 1, -2)]
    for kind, event_id, result in steps:
        state, got = apply(state, one, 0, kind, event_id)
        assert got == result, kind
    own = Rules("per-vcpu")
    opened, _ = apply(State(), own, 0, "open", 1)
    assert apply(opened, own, 1, "read", 1)[1] == -2
    assert apply(opened, own, 0, "read", 1)[1] == 0


def test_specification_of_groups() -> None:
    """The same of groups: what leads, runs, and becomes of a group whose leader is closed."""
    state, rules = State(), Rules(limit=3, groups=True, counters=2)
    steps = [
        *(("join", 2, 1, -2), ("lead", 1, 0, 0), ("join", 2, 1, 0), ("join", 2, 1, -22), ("enable", 2, 0, -22)),
        *(("join", 3, 2, -22), ("enable", 1, 0, 0), ("join", 3, 1, -22), ("close", 1, 0, 0), ("enable", 2, 0, 0)),
        *(("lead", 1, 0, 0), ("join", 2, 1, -17), ("join", 3, 1, 0), ("close", 3, 0, 0), ("disable", 1, 0, 0)),
    ]
    for at, (kind, event_id, group, result) in enumerate(steps):
        state, got = apply(state, rules, 0, kind, event_id, group)
        assert got == result, at
    assert apply(State(), Rules("posted", groups=True), 0, "lead", 1)[1] == -22


def test_a_clock_leads_without_a_counter() -> None:
    """The one counter there is is the sibling's."""
    setup, program = Setup(counters=1), Program.parse(["open 1 clock 500; join 2 1; lead 3; join 0 3", "join 4 2"])
    with Machine(setup, program) as machine:
        verdict = machine.run("mix", seed=1, count=500)[1]
    assert verdict.held, verdict.text


def test_the_same_seed_is_the_same_schedule() -> None:
    """10,000 schedules of random programs, run twice: every trace and every end state is the same."""
    for number in range(100):
        setup, program = SCENARIOS["churn"].setup(Setup(), number), SCENARIOS["churn"].program(number, 5)
        digests = set()
        for _ in range(2):
            with Machine(setup, program) as machine:
                totals, verdict = machine.run("mix", seed=number, count=100)
            assert verdict.held, (program.lines(), verdict)
            digests.add((totals.schedules, totals.steps, totals.digest))
        assert len(digests) == 1, program.lines()


def test_other_seeds_are_other_schedules() -> None:
    with Machine(Setup(), CLOSE_ENABLE) as machine:
        digests = {machine.run("random", seed=seed, count=50)[0].digest for seed in range(20)}
    assert len(digests) == 20


@pytest.mark.parametrize("strategy", ["random", "sticky", "pct", "pos", "urw", "mix", "dfs"])
def test_every_strategy_finds_what_is_planted(strategy: str) -> None:
    with Machine(PLANTED, CLOSE_ENABLE) as machine:
        totals, verdict = machine.run(strategy, seed=1, count=10**6, bound=1 if strategy == "dfs" else 0)
    assert verdict.oracle == "O6 nothing stranded", totals


def test_depth_first_search_knows_the_fewest_preemptions() -> None:
    with Machine(PLANTED, CLOSE_ENABLE) as machine:
        totals, verdict = machine.run("dfs", bound=0, count=10**6)
        assert totals.complete
        assert verdict.held
        assert machine.run("dfs", bound=1, count=10**6)[1].preemptions == 1


@pytest.mark.parametrize("canary", ["", "ticket_too_late", "lock_let_go_before_reference"])
def test_points_that_are_left_out_change_no_outcome(canary: str) -> None:
    """An exhaustive search skips points at what one vCPU alone touches: it comes to the same ends as a full one."""
    outcomes, schedules = [], []
    for full in (True, False):
        ends, done, complete = set(), 0, False
        with Machine(Setup(canary=canary), Program.parse(["open 1; enable 1; run 5", "close 1"])) as machine:
            while not complete:
                totals, verdict = machine.run("dfs", bound=1, first=done, count=1, full=full)
                done, complete = done + 1, totals.complete
                if totals.schedules:
                    ends.add((verdict.oracle, verdict.state_hash))
        outcomes.append(ends)
        schedules.append(done)
    assert outcomes[0] == outcomes[1]
    assert schedules[1] < schedules[0]


def _how_long(name: str, design: str, nmi: str) -> pytest.MarkDecorator:
    """Millions of schedules, or fewer. Hundreds of thousands are gone through with one NMI policy, and with the others
    there are two preemptions; and what is trylock's, but for the largest, the check of docs/findings.md searches, too.
    """
    millions, many = {"clock-nmi", "group-move", "halt-nmi"}, {"group-close", "migrate", "nmi-storm", "throttle"}
    elsewhere = nmi == "trylock" and name not in LARGE
    again = nmi != "trylock" and name in many
    return pytest.mark.soak if elsewhere or again or (design == "per-vm" and name in millions) else pytest.mark.slow


def _elsewhere(name: str, design: str, nmi: str) -> Sequence[pytest.MarkDecorator]:
    """The check of docs/findings.md searches as far with the other NMI policies, and further where three preemptions
    are not too many; test_sound_designs_hold_in_every_schedule_with_three_preemptions further, too.
    """
    return [pytest.mark.soak] * (
        nmi != "trylock" or name not in LARGE or _how_long(name, design, nmi) != pytest.mark.soak
    )


@pytest.mark.parametrize(
    ("name", "design", "nmi"),
    [
        pytest.param(scenario.name, design, nmi, marks=_elsewhere(scenario.name, design, nmi))
        for scenario in FIXED
        for design, nmi in SOUND
    ],
)
def test_sound_designs_hold_in_every_schedule_with_two_preemptions(name: str, design: str, nmi: str) -> None:
    for number in range(len(SCENARIOS[name].programs)):
        result = run_block(Block(name, Setup(design=design, nmi=nmi), 0, number, exhaustive=2))
        assert result.case is None, "\n".join(result.case.lines())
        assert result.totals.complete
        assert result.totals.schedules > 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "design", "nmi"),
    [
        pytest.param(scenario.name, design, nmi, marks=_how_long(scenario.name, design, nmi))
        for scenario in FIXED
        for design, nmi in SOUND
    ],
)
def test_sound_designs_hold_in_every_schedule_with_three_preemptions(name: str, design: str, nmi: str) -> None:
    for number in range(len(SCENARIOS[name].programs)):
        result = run_block(Block(name, Setup(design=design, nmi=nmi), 0, number, exhaustive=3))
        assert result.case is None, "\n".join(result.case.lines())
        assert result.totals.complete


@pytest.mark.slow
def test_a_hundred_thousand_seeds_twice() -> None:
    """Every trace and every end state is the same."""
    for number in range(200):
        setup, program = SCENARIOS["churn"].setup(Setup(), number), SCENARIOS["churn"].program(number, 9)
        with Machine(setup, program) as machine:
            digests = {machine.run("mix", seed=number, count=500)[0].digest for _ in range(2)}
        assert len(digests) == 1, program.lines()


@pytest.mark.parametrize("sync", ["entry", "every-exit"])
@pytest.mark.parametrize(("design", "nmi"), SOUND)
def test_sound_designs_hold_under_random_programs(design: str, nmi: str, sync: str) -> None:
    for number in range(2):
        result = run_block(Block("churn", Setup(design=design, nmi=nmi, sync=sync), 11, number))
        assert result.case is None, "\n".join(result.case.lines())
        assert result.agreed


@pytest.mark.parametrize(("design", "nmi"), SOUND)
def test_sound_designs_have_no_data_races(design: str, nmi: str) -> None:
    setup = Setup(design=design, nmi=nmi, races=1)
    for scenario in SCENARIOS.values():
        for number in range(max(1, len(scenario.programs))):
            case = run_block(Block(scenario.name, setup, 13, number, 2000)).case
            assert case is None, "\n".join(case.lines())


def test_a_data_race_is_found_and_replayed() -> None:
    caught = catch("closed_seen_without_lock", Setup(races=1), seed=3, seconds=20)
    assert caught.case is not None
    small = shrink(caught.case)
    assert small.oracle == "O9 data race"
    assert all(same(small, small.replay()[0]) for _ in range(100))
    assert catch("closed_seen_without_lock", Setup(), seed=3, seconds=0.3).case is None


#: What the mail's code does wrong, by its number in design_posted.c, the scenario that shows it, and as few operations
#: and preemptions as that takes.
DEFECTS = {
    1: ("failing-write", "O5 conservation", ["open 1 period 10; enable 1; run 25"], 0),
    2: ("dup-open", "O3 limit", ["open 1; open 1"], 0),
    3: ("open-limit", "O3 limit", ["open 1", "open 2"], 1),
    4: ("no-memory", "O1 memory", ["open 1"], 0),
    5: ("full-queue", "O1 memory", ["open 1 clock 300; open 2 clock 300; enable 1; enable 2"], 0),
    6: ("errno", "O8 linearizability", ["open 1; open 2"], 0),
    7: ("follow-task", "O5 conservation", ["open 1", "enable 1; run 10; disable 1"], 0),
    8: ("breakpoint", "O1 memory", ["open 1 breakpoint"], 0),
    9: ("handler-sync", "O5 conservation", ["open 1 period 10; enable 1; run 15; run 15", "handle"], 1),
}


@pytest.mark.parametrize("number", DEFECTS)
def test_the_defects_of_the_posted_code_are_found(number: int) -> None:
    name, oracle, program, preemptions = DEFECTS[number]
    case = found(Setup(design="posted"), name)
    assert case is not None
    assert case.oracle == oracle
    small = shrink(case, seconds=60)
    assert small.program.vcpus == Program.parse(program).vcpus
    assert small.preemptions == preemptions
    assert found(Setup(), name) is None


def test_scenario_2_is_found_without_references() -> None:
    """It shrinks to what the mail says: one vCPU closes what another one enables."""
    case = found(Setup(design="no-refcount"), "close-enable")
    assert case is not None
    small = shrink(case, seconds=60)
    assert small.oracle in ("O1 memory", "O7 lock order"), small.text  # freed, or freed with its lock held
    assert small.program == Program.parse(["open 1; close 1", "enable 1"])
    assert small.preemptions == 1


def shrunk(program: list[str], **setup: object) -> Case:
    """The smallest case of a program that the explorer finds a violation in."""
    machine, parsed = Setup(**setup), Program.parse(program)  # type: ignore[arg-type]
    with Machine(machine, parsed) as booted:
        return shrink(Case.of(machine, parsed, booted.run("mix", seed=1, count=20000)[1]), seconds=60)


def test_shrinking_lets_one_vcpu_do_what_needs_no_two() -> None:
    small = shrunk(["open 3; close 3", "enable 3"], canary="detached_keeps_reference")
    assert small.program == Program.parse(["open 1; enable 1; close 1"])


def test_shrinking_makes_a_fault_certain_or_takes_it_away() -> None:
    small = shrunk(["open 1; open 1"], design="posted", write_permille=300, trylock_permille=300, fault_seed=7)
    assert small.setup == Setup(design="posted")


def test_what_shrinking_tries_fits_the_machine() -> None:
    """As many operations, events and vCPUs as there can be: every candidate can be run, whatever comes of it."""
    full = "; ".join(f"open {event}" for event in range(IDS)) + "; run 1" * (MOST_OPS - IDS)
    program = Program.parse([full, "run 1; run 1"])
    with Machine(Setup(), program) as machine:
        case = Case.of(Setup(), program, machine.run("mix", count=1)[1])
    tried = 0
    for stage in (*STAGES, moved_ops):
        for setup, candidate in stage(case):
            with Machine(setup, candidate) as machine:
                assert machine.run("mix", count=1)[1].held
            tried += 1
    assert tried > 2 * MOST_OPS


def test_shrinking_blurs_no_events() -> None:
    """Two ids stay two where one would take as many operations; and they are called 1 and 2."""
    small = shrunk(["open 5; open 6", "open 7; close 7"], design="posted", max_events=1)
    assert small.program == Program.parse(["open 1", "open 2"])


@pytest.mark.soak
@pytest.mark.parametrize("nmi", ["trylock", "deferred", "lockless"])
def test_canaries_are_found_shrunk_and_replayed(nmi: str) -> None:
    """With another seed than that of test_every_canary_in_one_table, which has each on a machine that it takes."""
    lengths, preemptions = [], []
    for name in canaries_of(Setup(nmi=nmi)):
        caught = catch(name, Setup(nmi=nmi), seed=3, seconds=20)
        assert caught.case is not None, name
        small = shrink(caught.case)
        assert all(same(small, small.replay()[0]) for _ in range(100)), name
        lengths.append(small.program.length)
        preemptions.append(small.preemptions)
    assert len(lengths) >= 12
    assert statistics.median(lengths) <= 4
    assert statistics.median(preemptions) <= 2


def test_a_search_ends_the_same_on_any_number_of_processes() -> None:
    setup = replace(PLANTED, canary="detached_stays_queued")
    results = []
    for processes in (1, 3):
        with Crew(processes) as crew:
            blocks = blocks_of(SCENARIOS["close-nmi"], setup, 4, schedules=5 * BLOCK, seconds=None)
            results.append(search(crew, blocks))
    assert results[0].case == results[1].case
    assert results[0].totals.schedules == results[1].totals.schedules


@pytest.mark.parametrize("path", REPLAYS, ids=lambda path: path.stem)
def test_defects_that_were_found_stay_mended(path: Path) -> None:
    """Violations of designs that are broken on purpose, and those that the core once had: their programs hold on the
    default design, within the preemptions that they took and more.
    """
    case = read_case(path)
    with Machine(replace(case.setup, design="per-vm"), case.program) as machine:
        totals, verdict = machine.run("dfs", bound=max(2, case.preemptions), count=10**7)
        assert verdict.held, verdict
        assert totals.complete
        assert machine.run("mix", count=2000)[1].held


def planted_case() -> Case:
    with Machine(PLANTED, CLOSE_ENABLE) as machine:
        return Case.of(PLANTED, CLOSE_ENABLE, machine.run("mix", seed=1, count=20000)[1])


def test_a_case_is_a_file(tmp_path: Path) -> None:
    case = planted_case()
    case.write(tmp_path / "case")
    assert read_case(tmp_path / "case") == case
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("pvperf-replay 1", "pvperf-replay 2", "first line"),
        ("switch", "swatch", "is not understood"),
        ("max-events", "max-events x", "is not understood"),
        ("max-events", "max-events -", "is not understood"),
        ("max-events", "max-events 99999999999", "is not understood"),
        ("switch", "switch 99999999999", "is not understood"),
        ("state ", "state x", "is not understood"),
        ("violates", "text", "what is violated"),
        ("vcpu 0: open", "vcpu 0: shut", "is no operation"),
    ],
)
def test_what_is_no_case_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, complaint: str
) -> None:
    path = tmp_path / "case"
    replace_setup = replace(planted_case(), setup=replace(PLANTED, max_events=3))
    replace_setup.write(path)
    path.write_text(path.read_text().replace(old, new))
    assert main(["replay", str(path)]) == 2
    assert complaint in capsys.readouterr().err


def test_replay_shows_the_interleaving(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shrink(planted_case()).write(tmp_path / "case")
    assert main(["replay", "--times", "100", str(tmp_path / "case")]) == 1
    out = capsys.readouterr().out
    assert "100 of 100 replays ended the same" in out
    assert "O6 nothing stranded: event 1 is closed, and still counts on vCPU 0" in out
    assert "-- preempted --" in out
    assert "point perf_op.c" in out
    assert "pv_mutex_lock(event_lock(event));" in out


def test_the_words_of_a_replay_file_are_shown_as_text(tmp_path: Path) -> None:
    case = read_case(ROOT / "docs" / "findings" / "dup-open-posted.replay")
    path = tmp_path / "case"
    path.write_text(re.sub(r"(?m)^(text|build) .*", lambda line: line[1] + " \x1b[31mred\u202e", case.as_text()))
    assert (read_case(path).text, read_case(path).build) == ("\\x1b[31mred\\u202e",) * 2


def test_replay_on_a_sound_core_holds_or_says_where_it_went_another_way(tmp_path: Path) -> None:
    case = shrink(planted_case())
    replace(case, setup=Setup()).write(tmp_path / "mended")
    assert main(["replay", str(tmp_path / "mended")]) in (0, 7)
    first = case.switches[0]
    wrong = (replace(first, step=first.step + 1, source=1 - first.source), *case.switches[1:])
    replace(case, switches=wrong).write(tmp_path / "diverged")
    assert main(["replay", str(tmp_path / "diverged")]) == 7


def test_explore_says_what_it_searched(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "open-limit", "--exhaustive", "2", "--seed", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verdict"] == "held"
    assert document["scenarios"][0]["complete_to_preemptions"] == 2
    assert len(document["canaries"]) >= 12
    assert all(canary["found"] for canary in document["canaries"])


def test_what_was_not_searched_has_not_held(capsys: pytest.CaptureFixture[str]) -> None:
    """Random programs have no end that a bound could reach; asked for all, those that have one are taken."""
    arguments = ["explore", "open-limit", "churn", "--exhaustive", "1", "--seed", "1"]
    assert main(arguments) == 7
    told = capsys.readouterr().out
    assert "  churn           not searched: random programs cannot be searched completely\n" in told
    assert "churn was not searched" in told.splitlines()[-1]
    assert main([*arguments, "--json"]) == 7
    document = json.loads(capsys.readouterr().out)
    assert [each["held"] for each in document["scenarios"]] == [True, False]
    assert all(each.programs or each.name == "churn" for each in SCENARIOS.values())


def test_every_canary_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    """On the machine that is asked for, or on the one that it takes; and the targets for cases as small as these."""
    assert main(["explore", "--canaries", "--seed", "1", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["canary"] for row in rows] == canary_names()
    assert all(row["found"] and row["replayed"] == row["of"] == 100 for row in rows)
    assert statistics.median(row["operations"] for row in rows) <= 4
    assert statistics.median(row["preemptions"] for row in rows) <= 2
    assert {row["nmi"] for row in rows} == {"trylock", "deferred", "lockless"}


def test_a_search_that_saw_one_order_alone_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "close-enable", "--schedules", "2", "--seed", "1"]) == 7
    said = capsys.readouterr().out
    assert re.search(
        r"inconclusive: never seen: close-enable 0: \w+ 1 of vCPU \d \(\d\) before \w+ 1 of vCPU \d \(\d\)", said
    )


def test_which_places_met_in_which_order() -> None:
    """One vCPU reads what the other one closes: whoever comes first. Where they have nothing in common, none met."""
    with Machine(Setup(), Program.parse(["open 1; close 1", "read 1"])) as machine:
        machine.run("dfs", bound=2, count=100_000, cover=True)
        all_of_it = Coverage.of(machine, "it")
        assert all_of_it.orders == all_of_it.wanted == {f"it: {order}" for order in ORDERS}
        machine.run("dfs", bound=0, count=1, cover=True)  # vCPU 0, and then vCPU 1
        some = Coverage.of(machine, "it")
        assert some.orders == {f"it: {order}" for order in ORDERS[:2]}
        assert some.met < all_of_it.met
        machine.run("dfs", bound=2, count=100_000)
        assert Coverage.of(machine, "it").orders == set(), "it was not asked for"
    assert any(first.startswith("table.c:") and second.startswith("table.c:") for first, second in all_of_it.met)
    with Machine(Setup(), Program.parse(["run 10", "run 10"])) as machine:
        machine.run("mix", count=1000, cover=True)
        assert Coverage.of(machine, "it") == Coverage()


def test_explore_leaves_a_case_that_replays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case"
    arguments = ["explore", "close-enable", "--design", "no-refcount", "--schedules", "10000", "-o", str(path)]
    assert main(arguments) == 1
    assert f"pvperf replay {path}" in capsys.readouterr().out
    assert main(["replay", str(path)]) == 1


def test_a_program_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("# scenario 2\nmax-events 1\nvcpu 0: open 1; close 1\nvcpu 1: enable 1\n")
    assert main(["explore", str(path), "--exhaustive", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scenarios"][0]["exhausted"] > 10
    arguments = ["explore", str(path), "--design", "no-refcount", "-o", str(tmp_path / "case")]
    assert main(arguments) == 1
    assert read_case(tmp_path / "case").setup.max_events == 1


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["vcpu 0: open 1", "vcpu 1 close 1"], "line 2: the next vCPU's line begins with 'vcpu 1:'"),
        (["vcpu 0: open 1", "vcpu 0: close 1"], "line 2: the next vCPU's line begins with 'vcpu 1:'"),
        (["vcpu x: open 1"], "line 1: the next vCPU's line begins with 'vcpu 0:'"),
        (["# mine", "vcpu 0: opn 1"], "line 2: 'opn 1' is no operation: there are open ID"),
        (["vcpu 0: open 1", "timer: tock"], "line 2: 'tock' is no operation"),
        (["vcpu 0: open 1", "hello"], "line 2: 'hello' is not understood"),
    ],
)
def test_a_program_with_a_mistake_is_refused_by_its_line(
    lines: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("\n".join(lines))
    assert main(["explore", str(path)]) == 2
    assert f"{path}, {complaint}" in capsys.readouterr().err


def test_a_violation_is_shown_though_its_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    def shrink_and_lose(case: Case, *, seconds: float) -> Case:
        folder.rmdir()
        return shrink(case, seconds=seconds)

    monkeypatch.setattr("emulator.cli.explore_command.shrink", shrink_and_lose)
    arguments = ["explore", "close-enable", "--design", "no-refcount", "--seed", "1", "-o", str(folder / "x")]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert "shrunk from" in said.out
    assert "replay it with" not in said.out
    assert f"cannot write {folder / 'x'}: No such file or directory" in said.err


def test_a_file_that_cannot_be_written_is_known_before_the_search(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", "close-enable", "--design", "no-refcount", "-o", "/proc/nothing-goes-here"]) == 2
    assert capsys.readouterr() == ("", "pvperf: cannot write /proc/nothing-goes-here: No such file or directory\n")


def test_a_replay_that_does_not_come_to_all_its_switches_went_another_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = shrink(planted_case())
    late = replace(case.switches[-1], step=10_000)
    replace(case, switches=(late,), setup=Setup()).write(tmp_path / "late")
    assert main(["replay", str(tmp_path / "late")]) == 7
    assert "; switches made as recorded: 0 of 1" in capsys.readouterr().out


def test_a_replay_names_the_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the file, and where it is another one's; files of before have no version."""
    case, path = shrink(planted_case()), tmp_path / "case"
    for recorded, other in ((identity(), ""), (build(), ""), ("0.0 0123", "0.0 0123"), ("", "which it does not name")):
        replace(case, build=recorded).write(path)
        assert f"\nbuild {recorded}\n" in path.read_text()
        assert main(["replay", str(path)]) == 1
        told = f"pvperf: it was recorded by another build, {other}; this is {identity()}\n"
        assert capsys.readouterr().err == (told if other else "")
    assert case.build == identity() == f"{__version__} {build()}"
    assert main(["replay", str(path), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["build"], said["of_this_build"], said["recorded"]["build"]) == (identity(), False, "")


def test_a_replay_says_what_differs_of_what_looks_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, path = shrink(planted_case()), tmp_path / "case"
    replace(case, state_hash=case.state_hash ^ 1).write(path)
    assert main(["replay", str(path)]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.count(case.text) == 1
    states = f"in another state, {case.state_hash:016x}, than the recorded {case.state_hash ^ 1:016x}"
    assert last.endswith(f"{states}; all that they did, they did at the same places")
    first = replace(case.switches[0], where="open.c:1")
    replace(case, state_hash=1, switches=(first, *case.switches[1:])).write(path)
    assert main(["replay", str(path)]) == 1
    parts = f"at step {first.step} it was at {case.switches[0].where}, and is recorded at open.c:1"
    assert capsys.readouterr().out.splitlines()[-1].endswith(parts)
    replace(case, text="something else").write(path)
    assert main(["replay", str(path)]) == 1
    assert capsys.readouterr().out.endswith(f"; recorded was {case.oracle}: something else\n")


def test_a_replay_of_nothing_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = shrink(planted_case())
    replace(case, program=Program.parse(["", ""]), switches=(), setup=Setup()).write(tmp_path / "nothing")
    assert main(["replay", str(tmp_path / "nothing")]) == 7
    assert "nothing was run: the program has no operations" in capsys.readouterr().out


def test_an_interleaving_is_not_cut_and_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """With three actors, whose text may go on below the heads of the others."""
    case = shrink(planted_case())
    program = Program.parse(["open 1; enable 1", "close 1", "read 1"])
    wide = "unlock a_very_long_name_of_a_file_that_no_column_of_three_has_room_for.c:123 and what it is for"
    log = [Step(fiber, op, "point", wide) for fiber, op in ((0, 0), (1, 0), (2, 0), (0, 1))]
    case = replace(case, program=program, switches=())
    whole = interleaving(case, log)
    assert sum(line.endswith(f"point {wide}") for line in whole) == 4
    assert whole[0].split() == ["step", "vCPU", "0", "vCPU", "1", "vCPU", "2"]
    for width in (60, 80, 100, 200):
        lines = interleaving(case, log, width=width)
        assert max(map(len, lines)) <= width

        text = "".join("".join(lines).split())
        assert text.count("".join(f"point {wide}".split())) == 4
    monkeypatch.setenv("COLUMNS", "70")
    assert columns(1, 0) == 70
    monkeypatch.delenv("COLUMNS")
    assert columns(1, 0) == 0, "pytest has no terminal"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["close-enabel"], "did you mean close-enable"),
        (["--design", "per-cpu"], "design 'per-cpu' is not known"),
        (["--nmi", "tryhard"], "nmi 'tryhard' is not known"),
        (["--schedules", "10", "--duration", "1s"], "not allowed with"),
        (["--canaries", "churn"], "it does not go with scenarios"),
        (["--canaries", "--schedules", "10"], "it does not go with schedules"),
    ],
)
def test_explore_refuses(capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str) -> None:
    assert main(["explore", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_oracles_have_the_numbers_of_the_core() -> None:
    header = (ROOT / "native/explore/play/explore.h").read_text()
    listed = header.partition("enum explore_oracle {")[2].partition("}")[0]
    assert re.findall(r"/\* (O\d+)\b", listed) == [name.split()[0] for name in ORACLES[1:-1]]
    assert len(re.findall(r"^\tEXPLORE_\w+", listed, flags=re.MULTILINE)) == len(ORACLES) + 1


def test_ctrl_c_tells_what_was_searched_until_then() -> None:
    command = [sys.executable, "-m", "emulator", "explore", "follow-task", *["churn"] * 99, "--duration", "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("explore: design per-vm")
        searched = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (-signal.SIGINT, "")
    done = re.search(r"follow-task +held  complete: (\d+) with at most 2 preemptions; sampled: ([\d,]+)", searched)
    assert done
    total = re.search(r"([\d,]+) schedules of", out)
    assert total
    least, counted = sum(int(part.replace(",", "")) for part in done.groups()), int(total[1].replace(",", ""))
    assert counted >= least > 0
    assert out.splitlines()[-1] == "verdict: inconclusive: it was interrupted before all canaries were searched for"
