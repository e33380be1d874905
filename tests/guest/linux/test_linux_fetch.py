# SPDX-License-Identifier: GPL-2.0-only
"""What is fetched of Debian's, by an apt that only says it, and what is made of it."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from emulator.debian import apt, fetch, initramfs, libraries, places
from emulator.errors import HostError, Unsupported, UsageError
from emulator.guest.build import find_compiler
from emulator.guest.linux import cpio

#: Knows a kernel whose metapackage leads to it, and notes what it is asked for. The first lists are too old.
APT_CACHE = """#!/bin/sh
case "$*" in *Lists*) ;; *) [ -e fresh ] || exit 100 ;; esac
case "$*" in *linux-image-cloud*) cat <<'END'
Package: linux-image-cloud-amd64
Version: 6.9-1
Depends: linux-image-6.9-cloud-amd64 (= 6.9-1)

Package: linux-headers-cloud-amd64
Version: 6.9-1
Depends: linux-headers-6.9-cloud-amd64 (= 6.9-1), linux-compiler-gcc-12-x86
END
;; *) cat <<'END'
Package: linux-image-6.9-cloud-amd64
Version: 6.9-1
Description-en: a kernel
 Depends: on nothing, and this line is text

Package: linux-headers-6.9-cloud-amd64
Version: 6.9-1
END
esac
"""
APT_GET = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
*print-uris*download*) echo "'http://x/a_1%3a2_amd64.deb' a_1%3a2_amd64.deb 5 SHA256:00" ;;
*print-uris*) echo "'http://x/b_1_all.deb' b_1_all.deb 7 MD5Sum:00"; echo "N: something else" ;;
*download*) for each in a_1%3a2_amd64 b_1_all; do echo "$each" >"$PACKAGES/$each.deb"; done ;;
esac
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's, with an apt of the tests."""
    for name, text in (("apt-get", APT_GET), ("apt-cache", APT_CACHE)):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PACKAGES", str(places.directory() / "packages"))
    return places.directory()


def test_where_it_is(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache == tmp_path / "pvperf" / "linux"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert places.directory() == Path.home() / ".cache" / "pvperf" / "linux"


def test_what_was_not_fetched_is_said_with_how_to_get_it(cache: Path) -> None:
    with pytest.raises(UsageError, match=r"vmlinuz is not there: get Debian's kernel, .* with pvperf linux --fetch"):
        places.fetched(places.KERNEL)


def test_the_kernel_is_found_by_what_leads_to_it(cache: Path) -> None:
    archive = apt.Archive(cache / "packages")
    with pytest.raises(HostError, match="apt-cache show"):
        archive.versions(["linux-image-cloud-amd64"])
    archive.update()
    found = archive.versions(["linux-image-cloud-amd64", "linux-headers-cloud-amd64"])
    assert found == dict.fromkeys(
        (
            *("linux-image-cloud-amd64", "linux-headers-cloud-amd64"),
            *("linux-image-6.9-cloud-amd64", "linux-headers-6.9-cloud-amd64"),
        ),
        "6.9-1",
    )
    with pytest.raises(HostError, match="apt knows no package other"):
        archive.versions(["other"])


def test_only_what_is_missing_is_fetched(cache: Path, tmp_path: Path) -> None:
    said: list[str] = []
    packages = fetch._fetch_packages(cache / "packages", said.append)
    assert [path.name for path in packages] == ["a_1%3a2_amd64.deb", "b_1_all.deb"]
    assert any("too old: fetching Debian's lists" in each for each in said)
    assert any("fetching 2 packages, 0.0 MB: a_1%3a2_amd64.deb, b_1_all.deb" in each for each in said)
    (tmp_path / "log").unlink()
    said.clear()
    assert fetch._fetch_packages(cache / "packages", said.append) == packages
    asked = (tmp_path / "log").read_text()
    assert not any("fetching 2" in each for each in said)
    assert all("--print-uris" in each or "update" in each for each in asked.splitlines())


def test_without_apt_it_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unsupported, match="Debian's kernel comes by apt-get, and this system has none"):
        fetch.fetch(lambda _: None)


def package(path: Path, files: dict[str, str]) -> Path:
    """A Debian package with these files; a target stands for a link."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, target in files.items():
            member = tarfile.TarInfo(f"./{name}")
            if target:
                member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    members = {"debian-binary": b"2.0\n", "control.tar": tarball(), "data.tar": data.getvalue()}
    header = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n"
    path.write_bytes(
        b"!<arch>\n"
        + b"".join(
            header % (name.encode(), 0, 0, 0, 0o644, len(body)) + body + b"\n" * (len(body) % 2)
            for name, body in members.items()
        )
    )
    return path


def tarball() -> bytes:
    control = b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("./control")
        member.size = len(control)
        archive.addfile(member, io.BytesIO(control))
    return data.getvalue()


def test_unpacking_leaves_out_what_nobody_reads(tmp_path: Path) -> None:
    files = {
        "usr/bin/perf": "",
        "usr/lib/libx.so.1": "libx.so.1.0",
        "lib64/ld.so": "/usr/lib/ld.so",
        "usr/share/doc/perf/README": "",
        "lib/modules/6.9/kernel/x.ko": "",
        "lib/modules/6.9/build": "/usr/src/x",
    }
    apt.unpack([package(tmp_path / "x.deb", files)], tmp_path / "tree")
    left = {
        path.relative_to(tmp_path / "tree").as_posix() for path in (tmp_path / "tree").rglob("*") if not path.is_dir()
    }
    assert left == {"usr/bin/perf", "usr/lib/libx.so.1", "lib64/ld.so", "lib/modules/6.9/build"}
    (tmp_path / "cut.deb").write_bytes((tmp_path / "x.deb").read_bytes()[:700])
    with pytest.raises(HostError, match=r"cut\.deb cannot be unpacked"):
        apt.unpack([tmp_path / "cut.deb"], tmp_path / "other")


def test_libraries_come_from_the_tree_alone(tmp_path: Path) -> None:
    """Links in it that begin with a slash lead into it."""
    lib = tmp_path / "usr/lib/x86_64-linux-gnu"
    (tmp_path / "usr/bin").mkdir(parents=True)
    lib.mkdir(parents=True)
    cc = find_compiler(None)
    for number, needs in ((2, []), (1, ["-L.", "-l:lib2.so"])):
        source = tmp_path / f"{number}.c"
        source.write_text(
            f"extern int f{number + 1}(void) __attribute__((weak)); int f{number}(void) {{ return 0; }}\n"
        )
        flags = ["-shared", "-nostdlib", "-fPIC", "-Wl,--no-as-needed", f"-Wl,-soname,lib{number}.so"]
        subprocess.run([*cc, *flags, str(source), *needs, "-o", f"lib{number}.so"], check=True, cwd=lib)
    (lib / "lib2.so").rename(lib / "lib2.so.2.0")
    (lib / "lib2.so").symlink_to("/usr/lib/x86_64-linux-gnu/lib2.so.2.0")
    (lib / "lib1.so").rename(tmp_path / "usr/bin/program")
    found = libraries.needed_files(tmp_path, "usr/bin/program")
    assert found == {
        "usr/bin/program": tmp_path / "usr/bin/program",
        "usr/lib/x86_64-linux-gnu/lib2.so": lib / "lib2.so.2.0",
    }
    (lib / "lib2.so.2.0").unlink()
    with pytest.raises(HostError, match=r"lib2\.so.* is in none of the packages"):
        libraries.needed_files(tmp_path, "usr/bin/program")
    (lib / "lib2.so").unlink()
    with pytest.raises(HostError, match=r"program needs lib2\.so, and it is in none of the packages"):
        libraries.needed_files(tmp_path, "usr/bin/program")


def test_the_small_file_system_is_the_same_each_time(tmp_path: Path) -> None:
    busybox = tmp_path / "bin" / "busybox"
    busybox.parent.mkdir()
    busybox.write_text("#!/bin/sh\nprintf 'sh\\nmount\\nbusybox\\n'\n")
    busybox.chmod(0o755)
    data = initramfs.small(tmp_path)
    assert data == initramfs.small(tmp_path)
    assert cpio.is_whole(memoryview(data))
    for name in (b"init\0", b"bin/sh\0", b"bin/mount\0", b"bin/pvperf-exit\0", b"dev/console\0"):
        assert name in data


def test_init_is_a_script_that_the_shell_understands() -> None:
    init = Path(initramfs.__file__).with_name("init")
    subprocess.run(["sh", "-n", str(init)], check=True)
