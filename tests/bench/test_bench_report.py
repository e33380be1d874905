# SPDX-License-Identifier: GPL-2.0-only
"""The report: what it draws, that nothing in it comes from elsewhere, and that a real browser opens it."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.bench.measuring.case import Case, Plot, Ratio
from emulator.bench.measuring.machine import Conditions
from emulator.bench.measuring.panel import Panel, Row, Rows, Series
from emulator.bench.measuring.result import CaseResult, Document, GroupResult, load_document
from emulator.bench.reporting import browser, plot
from emulator.bench.reporting.html import document_html
from emulator.bench.reporting.number import number
from emulator.bench.reporting.page import document_page
from emulator.bench.reporting.plot import draw_panel, draw_rows
from emulator.bench.reporting.report import document_csv
from emulator.bench.reporting.table import document_table
from emulator.cli import main
from emulator.errors import HostError, Unsupported

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def case(name: str, values: list[float], **fields: object) -> CaseResult:
    return CaseResult(Case(name=name, unit="us", **fields), values)  # type: ignore[arg-type]


@pytest.fixture
def document() -> Document:
    rounds = [0.98, 1.0, 1.02, 1.01, 0.99]
    cases = [
        case("READ & <co>", [5 * x for x in rounds]),
        case("futex", [4 * x for x in reversed(rounds)], peer=True),
        CaseResult(Case(name="KVM", unit="us", peer=True), [], "no /dev/kvm"),
        *(case(f"at {n}", [n * x for x in rounds], labels={"vCPUs": n, "op": "read"}) for n in (1, 2, 4)),
    ]
    plots = [Plot(title="By vCPUs", x="vCPUs", series="op", log_y=True), Plot(title="Everything")]
    delays = Series(name="trylock", x=[1, 10, 100], y=[0.5, 0.99, 1.0])
    group = GroupResult(
        "made up",
        "figures & text",
        cases,
        [Ratio("READ / futex", "READ & <co>", "futex", "<= 1.5")],
        plots,
        Conditions(1.0, 0.0, 0.0),
        [Panel(title="Delay", x_label="us", y_label="share", series=[delays], log_x=True, steps=True)],
    )
    machine = {"model": "a CPU", "cores": 2, "virtual": True, "memory_mib": 512, "kernel": "6.1", "governor": ""}
    machine |= {"python": "3.11", "unicorn": "2.1.4", "pvperf": "1", "commit": "abc", "load": 0.1}
    return Document(["made up"], "2010-06-21T21:12:00+00:00", 5, False, 1, machine, [group], ["too few rounds: 5"])


def drawings(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)]


def test_the_page_has_every_plot_and_needs_nothing_else(document: Document) -> None:
    page = document_html(document)
    assert [svg.get("aria-label") for svg in drawings(page)] == [
        "By vCPUs",
        "Everything",
        "Everything: ratios, lower is better",
        "Delay",
    ]
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!data:|#)|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert "Not to be trusted: too few rounds: 5." in page
    assert "Left out: KVM: no /dev/kvm." in page
    assert "READ &amp; &lt;co&gt;" in page


def dots(svg: str) -> list[tuple[float, float, ElementTree.Element]]:
    """Where each is, and what it is."""
    found = []
    for path in ElementTree.fromstring(svg).iter(f"{SVG}path"):
        if path.get("aria-roledescription") == "circle":
            x, y = path.get("transform", "").removeprefix("translate(").removesuffix(")").split(",")
            found.append((float(x), float(y), path))
    return found


def test_every_point_lies_where_its_value_is() -> None:
    series = Series(name="s", x=[1, 10, 100], y=[0, 5, 10], low=[0, 4, 9], high=[1, 6, 11])
    points = dots(draw_panel(Panel(title="t", x_label="x", y_label="y", series=[series], log_x=True)))
    assert len(points) == 3
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)
    assert points[0][1] - points[1][1] == pytest.approx(points[1][1] - points[2][1], abs=0.2)
    assert points[0][1] > points[1][1]
    assert points[1][2].findtext(f"{SVG}title") == "s: 10, 5 [4, 6]"


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show() -> None:
    series = Series(name="s", x=[0, 1, 2], y=[1, 0, 5], low=[0, 0, 0], high=[2, 1, 6])
    panel = Panel(title="t", x_label="x", y_label="y", series=[series], log_x=True, log_y=True)
    assert len(dots(draw_panel(panel))) == 1


def test_rows_show_target_and_verdict() -> None:
    rows = [
        Row(name="good", value=1, low=0.9, high=1.1, target=1.5, verdict="met", text="1"),
        Row(name="bad", value=3, low=2.9, high=3.1, target=1.5, verdict="missed", text="3"),
        Row(name="neither", value=2, low=2, high=2, text="2"),
    ]
    svg = draw_rows(Rows(title="t", x_label="x", rows=rows))
    assert [dot.get("fill") for _, _, dot in dots(svg)] == ["var(--met)", "var(--missed)", "var(--c0)"]
    ticks = [
        path for path in ElementTree.fromstring(svg).iter(f"{SVG}path") if path.get("aria-roledescription") == "tick"
    ]
    assert len(ticks) == 2
    assert {text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")} >= {
        "good",
        "bad",
        "neither",
        "1",
        "t",
    }


def test_every_colour_is_one_of_the_page(document: Document) -> None:
    """Or it would be there in the light, and not in the dark."""
    page = document_html(document)
    used = {
        svg.get("aria-label"): set(re.findall(r"var\(--[a-z0-9]+\)", ElementTree.tostring(svg, "unicode")))
        for svg in drawings(page)
    }
    assert all(used.values())
    for colour in set.union(*used.values()):
        assert page.count(f"{colour[4:-1]}: #") == 2
    for svg in drawings(page):
        paints = {each.get(what) for each in svg.iter() for what in ("fill", "stroke")} - {None}
        assert {paint for paint in paints if not str(paint).startswith("var(")} <= {"none", "transparent"}


def test_series_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Series(name="s", x=[1, 2], y=[1])
    with pytest.raises(ValueError, match="differ in length"):
        Series(name="s", x=[1], y=[1], low=[1])


@pytest.mark.parametrize("far", [0.0, 5e-324, 1e-99, 1e99, 1e308, math.nextafter(1, 2), math.inf, math.nan])
@pytest.mark.parametrize("log", [False, True])
def test_values_that_are_far_apart_or_hardly_differ_are_drawn_within_the_plot(far: float, log: bool) -> None:
    for values in ([far], [far, 1.0], [-far, far]):
        line = Series(name="s", x=values, y=values, low=values, high=values)
        rows = [Row(name="r", value=value, low=value, high=value, target=value) for value in values]
        panel = Panel(title="t", x_label="x", y_label="y", series=[line], log_x=log, log_y=log)
        for svg in (draw_panel(panel), draw_rows(Rows(title="t", x_label="x", rows=rows, log_x=log))):
            assert not re.search("NaN|Infinity|undefined", svg)
            assert all(0 <= x <= 720 and 0 <= y <= 400 for x, y, _ in dots(svg))


def test_names_are_text_whatever_is_in_them() -> None:
    name = """<b> & "quotes' \\n</svg>"""
    line, row = Series(name=name, x=[1], y=[1]), Row(name=name, value=1, low=1, high=1, text=name)
    panel = Panel(title=name, x_label=name, y_label=name, series=[line])
    for svg in (draw_panel(panel), draw_rows(Rows(title=name, x_label=name, rows=[row]))):
        root = ElementTree.fromstring(svg)
        assert root.get("aria-label") == name
        assert sum(text.text == name for text in root.iter(f"{SVG}text")) == 4


def test_numbers_are_short() -> None:
    values = (0.0, 0.25, 12.0, 3400.0, 34000.0, 1.2e6, 4e-5)
    assert [number(v) for v in values] == ["0", "0.25", "12", "3400", "34k", "1.2M", "4.00e-05"]


def test_csv_has_every_case_ratio_and_raw_value(document: Document) -> None:
    rows = list(csv.DictReader(io.StringIO(document_csv(document))))
    assert [row["kind"] for row in rows] == ["case", "peer", "peer", "case", "case", "case", "ratio"]
    assert [float(value) for value in rows[0]["values"].split()] == document.groups[0].cases[0].values
    assert rows[2]["absent"] == "no /dev/kvm"
    assert rows[-1]["verdict"] == "met"
    assert float(rows[-1]["low"]) <= float(rows[-1]["median"]) <= float(rows[-1]["high"])


def test_the_terminal_table(document: Document) -> None:
    table = document_table(document)
    assert re.search(r"READ / futex +1\.\d+ x +\[.*\] +target <= 1.5: met", table)
    assert re.search(r"\(KVM\) +- +left out: no /dev/kvm", table)


def test_the_page_of_figures_is_what_its_result_generates() -> None:
    """No figure in docs/performance.md is typed by hand."""
    document = load_document(ROOT / "docs" / "performance.json")
    assert (ROOT / "docs" / "performance.md").read_text() == document_page(document)


def test_the_page_leads_with_what_can_be_trusted(document: Document) -> None:
    """What is in doubt is marked where it stands, and listed at the end; it is not among what is quoted first."""
    page = document_page(load_document(ROOT / "docs" / "performance.json"))
    lead, doubted = page.split("\n## ")[1], page.split("\n## ")[-1]
    assert lead.startswith("What can be trusted\n")
    assert "| hypercall, one core | READ / futex ping-pong |" in lead
    assert doubted.startswith("What cannot be trusted\n\n- ")
    for group, name in re.findall(r"^- ([^:]+): (.*): [^:]+\.$", doubted, flags=re.MULTILINE):
        assert f"| {group} | {name} |" not in lead
        assert f"| {name} * |" in page
    noisy = replace(document, warnings=["load: other processes used 40.0% of the CPU time"])
    assert "**Nothing of this measurement can be trusted:** load: other processes" in document_page(noisy)


chromium = pytest.mark.skipif(
    not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), reason="chromium is not installed"
)


def colours(png: bytes) -> set[int]:
    """Bytes that a picture's scanlines have, filters and all: more than a few only if something was drawn."""
    assert png.startswith(b"\x89PNG")
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        data += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    return set(zlib.decompress(data))


@chromium
def test_a_real_browser_draws_it_light_and_dark(document: Document, tmp_path: Path) -> None:
    pictures = []
    for dark in (False, True):
        target = tmp_path / f"{dark}.png"
        target.write_bytes(browser.screenshot(document_html(document), dark=dark))
        pictures.append(target.read_bytes())
        assert len(colours(pictures[-1])) > 50
    assert pictures[0] != pictures[1]


@chromium
def test_a_real_browser_has_nothing_to_complain_about(document: Document, tmp_path: Path) -> None:
    """It parses every plot, and writes no line to its console."""
    page = tmp_path / "page.html"
    page.write_text(document_html(document))
    command = browser.command("--dump-dom", "--enable-logging=stderr", page.as_uri(), profile=str(tmp_path))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.count("<svg") == 4
    assert "CONSOLE" not in done.stderr


@chromium
def test_a_picture_is_as_long_as_its_page() -> None:
    page = '<!DOCTYPE html><body style="margin: 0"><div style="height: {}px; background: red"></div>'
    assert struct.unpack_from(">II", browser.screenshot(page.format(3000), width=300), 16) == (300, 3000)
    with pytest.raises(HostError, match="the page is 32001 pixels long"):
        browser.screenshot(page.format(32001))


def test_without_a_browser_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unsupported, match="a picture needs a browser"):
        browser.find_chromium()


@pytest.mark.parametrize("wanted", ["--html", "--png"])
def test_without_the_extra_nothing_is_measured_for_plots(
    wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    monkeypatch.setattr("emulator.bench.run.measure_group", lambda *_, **__: pytest.fail("measured"))
    kept = str(ROOT / "docs" / "performance.json")
    for command in (["bench", "boot"], ["bench", "report", kept]):
        assert main([*command, wanted, str(tmp_path / "it"), "--csv", str(tmp_path / "csv")]) == 126
        said = capsys.readouterr()
        assert said.err == "pvperf: plots are drawn by vl-convert-python: pip install 'pvperf[report]'\n"
        assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_there_are_figures(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    kept, figures, page = (tmp_path / name for name in ("it.json", "it.csv", "it.md"))
    kept.write_text(document.as_json())
    assert main(["bench", "report", str(kept), "--csv", str(figures), "--markdown", str(page)]) == 0
    assert figures.read_text() == document_csv(document)
    assert page.read_text() == document_page(document)
    assert "READ / futex" in document_table(document)


def test_a_plot_that_cannot_be_drawn_costs_the_page_alone(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(plot.TICKS, "labelExpr", "no ( expression")
    kept = tmp_path / "it.json"
    kept.write_text(document.as_json())
    assert main(["bench", "report", str(kept), "--html", str(tmp_path / "it.html")]) == 125
    assert capsys.readouterr().err.startswith("pvperf: the plot 'By vCPUs' cannot be drawn: Vega-Lite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it.csv", "it.json"]


def grouped(*ratios: Ratio, plots: tuple[Plot, ...] = (), higher_is_better: bool = False) -> Document:
    """Ours and a peer's; what plots there are is as little as may be."""
    cases = [
        case("ours", [2.0] * 5, higher_is_better=higher_is_better),
        case("also ours", [1.0] * 5, higher_is_better=higher_is_better),
        case("peer", [4.0] * 5, higher_is_better=higher_is_better, peer=True),
    ]
    group = GroupResult("a group, or so", "about", cases, list(ratios), list(plots), Conditions(1.0, 0.0, 0.0))
    return Document(["made up"], "2010-06-21", 5, True, 1, {"cores": 2}, [group], [])


def titles(document: Document) -> list[str]:
    return [str(svg.get("aria-label")) for svg in drawings(document_html(document))]


@pytest.mark.parametrize(
    ("ratio", "higher", "direction"),
    [
        (Ratio("r", "ours", "peer", "<= 1.5"), False, "lower is better"),
        (Ratio("r", "ours", "also ours", ">= 0.8"), True, "higher is better"),
        (Ratio("r", "ours", "peer"), False, "lower is better"),
        (Ratio("r", "peer", "ours"), False, "higher is better"),
        (Ratio("r", "ours", "peer"), True, "higher is better"),
        (Ratio("r", "peer", "ours"), True, "lower is better"),
        (Ratio("r", "ours", "also ours"), False, "of our own figures"),
    ],
)
def test_ratios_of_one_direction_are_in_one_plot(ratio: Ratio, higher: bool, direction: str) -> None:
    other = "lower is better" if direction == "higher is better" else "higher is better"
    against = Ratio("against it", "peer", "also ours", "<= 9" if other == "lower is better" else ">= 9")
    found = titles(grouped(ratio, against, higher_is_better=higher))
    assert sorted(found[1:]) == sorted(f"a group, or so: ratios, {which}" for which in (direction, other))


def test_every_group_has_a_plot() -> None:
    """One that names none has one of its figures; one of which nothing was measured says so."""
    assert titles(grouped()) == ["a group, or so"]
    nothing = grouped()
    nothing.groups[0].cases[:] = [CaseResult(each.case, [], "it is not here") for each in nothing.groups[0].cases]
    assert titles(nothing) == []
    assert "Nothing was measured." in document_html(nothing)
    kept = load_document(ROOT / "docs" / "performance.json")
    parts = document_html(kept).split("<h2 id=")[2:]
    assert len(parts) == len(kept.groups)
    assert all("<svg" in part for part in parts)


def test_the_page_begins_with_a_summary_and_the_contents(document: Document) -> None:
    page = document_html(document)
    summary, contents, group = (page.index(text) for text in ('id="summary"', "<nav>", '<h2 id="made-up">'))
    assert summary < contents < group
    assert "Of 1 targets: 1 met." in page
    assert "; 1 left out, since what they need is not here" in page
    assert page.count('<a href="#made-up">') == 2
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(re.findall(r'id="([^"]+)"', page))


def test_a_quick_look_is_said_on_the_page(document: Document) -> None:
    assert "A quick look: not for quoting." in document_html(grouped())
    assert "quick look" not in document_html(document)


def test_logarithmic_axes_say_so() -> None:
    line = [Series(name="s", x=[1, 10], y=[1, 10])]
    both = draw_panel(Panel(title="t", x_label="us", y_label="%", series=line, log_x=True, log_y=True))
    assert ">us, logarithmic<" in both
    assert ">%, logarithmic<" in both
    assert "logarithmic" not in draw_panel(Panel(title="t", x_label="us", y_label="%", series=line))
    row = [Row(name="r", value=1, low=1, high=1)]
    assert ">x, logarithmic<" in draw_rows(Rows(title="t", x_label="x", rows=row, log_x=True))
