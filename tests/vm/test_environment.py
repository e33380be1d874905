# SPDX-License-Identifier: GPL-2.0-only
"""Machines that lack something: one sentence that names it, and the status of the host's faults."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import posix_ipc
import pytest
from commands import PVPERF

from emulator import native
from emulator.doctor.finding import guarded
from emulator.doctor.limits import check_limits
from emulator.doctor.shared_memory import check_posix
from emulator.errors import HostError, OutOfMemory, Unsupported, explain
from emulator.vm import shm

NO_SHM = "mount -t tmpfs tmpfs /dev && mknod /dev/null c 1 3 2>/dev/null || touch /dev/null"


def pvperf(
    *arguments: str, before: Callable[[], object] | None = None, wrap: tuple[str, ...] = (), **more: str
) -> tuple[int, str, str]:
    done = subprocess.run(
        [*wrap, *PVPERF, *arguments],
        env={**os.environ, **more},
        preexec_fn=before,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def said_once(said: str) -> str:
    """The sentence, if it is one."""
    assert said.startswith("pvperf: ")
    assert said.count("\n") == 1
    return said.removeprefix("pvperf: ")


@pytest.fixture(scope="module")
def namespace() -> Callable[[str], tuple[str, ...]]:
    """Runs a command in a mount namespace of its own, after a shell's preparation."""
    own = ("unshare", "-m") if os.geteuid() == 0 else ("unshare", "-rm")
    try:
        subprocess.run([*own, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount anything in a namespace")
    return lambda prepare: (*own, "sh", "-c", f'{prepare} && exec "$@"', "sh")


@pytest.mark.parametrize(
    ("prepare", "named"),
    [
        (NO_SHM, "/dev/shm: No such file or directory"),
        ("mount -t tmpfs -o ro tmpfs /dev/shm", "/dev/shm: Read-only file system"),
        ("mount -t tmpfs tmpfs /dev && touch /dev/shm", "/dev/shm: Not a directory"),
    ],
)
def test_no_shared_memory(namespace: Callable[[str], tuple[str, ...]], prepare: str, named: str) -> None:
    status, _, said = pvperf("run", "hello", wrap=namespace(prepare))
    assert status == 125
    assert named in said_once(said)
    status, told, said = pvperf("doctor", "--json", wrap=namespace(prepare))
    assert (status, said) == (1, "")
    states = {check["check"]: (check["state"], check["text"]) for check in json.loads(told)["checks"]}
    assert states["host core"][0] == "ok"  # what has nothing to do with it has been looked at
    for check in ("shared memory", "posix shm"):
        assert states[check][0] == "bad"
        assert "mount -t tmpfs -o mode=1777" in states[check][1]


def test_guest_ram_that_does_not_fit(namespace: Callable[[str], tuple[str, ...]]) -> None:
    small = namespace("mount -t tmpfs -o size=3000k tmpfs /dev/shm")
    status, _, said = pvperf("run", "memwalk", "--", "bytes=32000000", wrap=small)
    assert status == 125
    assert "is /dev/shm full?" in said_once(said)


@pytest.mark.parametrize("prepare", ["mount -t tmpfs tmpfs /proc", "mount -t tmpfs -o noexec tmpfs /dev/shm"])
def test_what_is_not_needed(namespace: Callable[[str], tuple[str, ...]], prepare: str) -> None:
    assert pvperf("run", "hello", wrap=namespace(prepare))[::2] == (0, "")


@pytest.mark.parametrize(
    ("raised", "number"),
    [
        (posix_ipc.PermissionsError, errno.EACCES),
        (posix_ipc.ExistentialError, errno.ENOENT),
        (OSError(errno.EROFS, "read-only"), errno.EROFS),
    ],
)
def test_the_errors_of_posix_ipc(
    monkeypatch: pytest.MonkeyPatch, raised: type[Exception] | Exception, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(shm.posix_ipc, "SharedMemory", refuse)
    with pytest.raises(OSError, match=f"{os.strerror(number)}: '/dev/shm'") as caught:
        shm.create_segment("/pvperf-none")
    assert caught.value.errno == number
    finding = guarded(check_posix)
    assert finding.state == "bad"
    assert explain(caught.value) in finding.text


def limit(which: int, to: int) -> Callable[[], None]:
    return partial(resource.setrlimit, which, (to, to))


def test_every_limit_of_descriptors() -> None:
    """From where Python itself can start to where a VM of 16 vCPUs can run."""
    outcomes = set()
    for most in range(6, 70, 4):
        status, _, said = pvperf("run", "--smp", "16", "hello", before=limit(resource.RLIMIT_NOFILE, most))
        outcomes.add(status)
        assert status in (0, 125)
        assert said == "" if status == 0 else said_once(said).endswith("Too many open files (raise ulimit -n)\n")
    assert outcomes == {0, 125}


@pytest.mark.parametrize("mebibytes", [50, 100, 150])
def test_too_little_address_space(mebibytes: int) -> None:
    status, _, said = pvperf("run", "hello", before=limit(resource.RLIMIT_AS, mebibytes << 20))
    assert (status, "ulimit -v" in said_once(said)) == (125, True)


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_too_small_files(size: int) -> None:
    status, _, said = pvperf("run", "hello", before=limit(resource.RLIMIT_FSIZE, size))
    assert (status, "ulimit -f" in said_once(said)) == (125, True)


def test_doctor_looks_at_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for which, name in ((resource.RLIMIT_NOFILE, "-n"), (resource.RLIMIT_AS, "-v"), (resource.RLIMIT_FSIZE, "-f")):
        limits = {which: (20, 20)}
        monkeypatch.setattr(resource, "getrlimit", lambda asked, limits=limits: limits.get(asked, (-1, -1)))
        finding = check_limits()
        assert finding.state == "bad"
        assert finding.text.startswith(f"ulimit {name} is ")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (-1, -1))
    assert check_limits().state == "ok"


def forbid(number: int, *syscalls: int) -> None:
    """From now on these fail with that error, in this process and its children."""

    def instruction(code: int, true: int, false: int, value: int) -> bytes:
        return struct.pack("HBBI", code, true, false, value)

    rules = [instruction(0x15, len(syscalls) - at, 0, syscall) for at, syscall in enumerate(syscalls)]
    rules += [instruction(6, 0, 0, 0x7FFF0000), instruction(6, 0, 0, 0x00050000 | number)]
    program = ctypes.create_string_buffer(instruction(0x20, 0, 0, 0) + b"".join(rules))
    header = ctypes.create_string_buffer(struct.pack("H6xP", 1 + len(rules), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, header, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


SANDBOXES = {
    "pidfd_open": (errno.EPERM, (434,), "does a sandbox forbid it?"),
    "old kernel": (errno.ENOSYS, (434,), "an old kernel"),
    "prctl(PR_SET_PDEATHSIG)": (errno.EPERM, (157,), "prctl(PR_SET_PDEATHSIG): Operation not permitted"),
    "processes": (errno.EAGAIN, (56, 57, 58, 435), "ulimit -u"),
    "threads": (errno.EAGAIN, (435,), "ulimit -u"),
    "eventfd": (errno.EPERM, (290,), "cannot create the VM: Operation not permitted"),
}


@pytest.mark.parametrize("what", SANDBOXES)
def test_what_a_sandbox_forbids(what: str) -> None:
    number, syscalls, sentence = SANDBOXES[what]
    status, _, said = pvperf("run", "hello", before=partial(forbid, number, *syscalls))
    assert status == 125
    assert sentence in said_once(said)


@pytest.mark.parametrize(
    "command",
    [
        ["guests", "build", "examples/count.c", "-o", "OUT"],
        ["stress", "churn", "--native", "--ops", "500", "--seed", "1"],
        ["stress", "churn", "--ops", "100", "--seed", "1"],
    ],
)
def test_no_more_threads(tmp_path: Path, command: list[str]) -> None:
    arguments = [word.replace("OUT", str(tmp_path / "count.elf")) for word in command]
    status, _, said = pvperf(*arguments, before=partial(forbid, errno.EAGAIN, 435))
    assert (status, "ulimit -u" in said_once(said)) == (125, True)
    assert list(tmp_path.iterdir()) == []


def test_stress_blames_no_design_for_a_limit() -> None:
    status, _, said = pvperf("stress", "churn", "--ops", "100", before=limit(resource.RLIMIT_FSIZE, 1 << 20))
    assert status == 125
    assert "ulimit -f" in said_once(said)


def test_a_compiler_without_an_environment(tmp_path: Path) -> None:
    """gcc finds its assembler and its linker by PATH."""
    command = [*PVPERF, "guests", "build", "examples/count.c", "-o", str(tmp_path / "count.elf")]
    assert subprocess.run(command, env={}, capture_output=True, check=False).returncode == 0


def test_pinning_is_a_hint() -> None:
    """One core, on which a vCPU and its host thread are pinned, and no right to."""

    def one_core_for_good() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        forbid(errno.EPERM, 203)

    assert pvperf("run", "--smp", "2", "hello", before=one_core_for_good)[::2] == (0, "")


@pytest.mark.parametrize("module", ["posix_ipc", "multiprocess", "_cffi_backend", "unicorn"])
def test_a_package_that_is_broken(tmp_path: Path, module: str) -> None:
    package = tmp_path / module
    package.mkdir()
    text = "" if module == "unicorn" else f"raise ImportError('broken', name={module!r})"
    (package / "__init__.py").write_text(text)
    status, _, said = pvperf("run", "hello", PYTHONPATH=str(tmp_path))
    assert status == 126
    assert module in said or "reinstall pvperf" in said
    assert said_once(said)
    code = "import emulator\ntry: emulator.VirtualMachine().run('hello')\nexcept emulator.Unsupported as no: print(no)"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, f"pvperf: {done.stdout}") == (0, said)


def test_a_library_for_which_there_is_no_memory() -> None:
    with pytest.raises(OutOfMemory, match="ulimit -v"):
        native._refuse_for_want(OSError("x.so: failed to map segment from shared object"))
    with pytest.raises(HostError, match="ulimit -n"):
        native._refuse_for_want(OSError("x.so: cannot open shared object file: Error 24"))


def test_another_unicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_library", lambda *_: SimpleNamespace(uc_version=lambda *_: 0x02010300))
    with pytest.raises(Unsupported, match=r"Unicorn 2\.1\.3 is installed, and the engine needs 2\.1\.4"):
        native.load_engine.__wrapped__()


def test_a_check_that_fails_as_nobody_thought() -> None:
    def check_something() -> None:
        raise RuntimeError("what?")

    assert guarded(check_something) == ("something", "bad", "this check failed: RuntimeError('what?')")


def test_python_without_streams_home_or_temporary_files() -> None:
    def close_streams() -> None:
        for stream in (0, 1, 2):
            os.close(stream)

    bare = {"TMPDIR": "/nonexistent", "HOME": "", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    assert pvperf("run", "hello", **bare)[::2] == (0, "")
    assert pvperf("run", "hello", before=close_streams) == (0, "", "")


@pytest.mark.parametrize(
    "arguments", ["record hello", "stat -o counts hello", "explore churn", "campaign j churn", "guests build a.c -o a"]
)
def test_a_directory_that_is_gone(tmp_path: Path, arguments: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    wrap = ("sh", "-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", str(gone))
    status, out, complaint = pvperf(*arguments.split(), wrap=wrap)
    assert (status, out) == (125, "")
    assert complaint == "pvperf: the current directory is gone: cd to one that is there\n"
