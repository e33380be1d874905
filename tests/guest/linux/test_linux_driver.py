# SPDX-License-Identifier: GPL-2.0-only
"""The guest driver of Linux builds against the headers that are there, without a warning."""

import io
import re
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from headers import need_headers

from emulator.guest.build import GuestBuildError
from emulator.guest.linux.driver import build_driver


def info_of(module: bytes) -> dict[str, str]:
    section = ELFFile(io.BytesIO(module)).get_section_by_name(".modinfo")
    return dict(entry.split("=", 1) for entry in section.data().decode().split("\0") if entry)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trees", [1, pytest.param(None, marks=pytest.mark.soak)], ids=["one", "all"])
def test_it_builds_without_a_warning(trees: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    for headers in need_headers()[:trees]:
        info = info_of(build_driver(headers))
        assert capsys.readouterr().err == ""
        version = headers.resolve().name.removeprefix("linux-headers-")
        assert (info["name"], info["license"]) == ("pvperf_pmu", "GPL")
        assert info["vermagic"].startswith(version + " ")


@pytest.mark.soak  # it is built twice
def test_it_is_the_same_each_time() -> None:
    headers = need_headers()[0]
    assert build_driver(headers) == build_driver(headers)


def test_a_tree_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(GuestBuildError, match=re.escape(f"{tmp_path} is no tree of a kernel's headers")):
        build_driver(tmp_path)


def test_what_make_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "Module.symvers").touch()
    (tmp_path / "Makefile").write_text("modules:\n\t@echo no such thing >&2; exit 3\n")
    with pytest.raises(GuestBuildError, match=r"make failed on pvperf_pmu\.ko") as raised:
        build_driver(tmp_path)
    assert "no such thing" in raised.value.details
