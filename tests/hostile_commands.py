# SPDX-License-Identifier: GPL-2.0-only
"""Random command lines of real options and files: no traceback, no changed input, every status as documented."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from hostile_options import MAKERS, QUICK, Command, make_command
from hostile_place import PVPERF, fill, make_inputs, make_place, mount_hostile, snapshot

SECONDS = 300
Snapshot = dict[str, tuple[int, str]]


def judge(command: Command, place: Path, signum: int) -> list[str]:
    """Runs it in a fresh place: what is wrong, in a line each."""
    watched = (place, place / "ro", place / "full")
    before = snapshot(*watched)
    process = subprocess.Popen(
        [*PVPERF, *command.words], cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if signum:
        try:
            process.wait(command.random.random())
        except subprocess.TimeoutExpired:
            process.send_signal(signum)
    try:
        out, errors = (text.decode(errors="replace") for text in process.communicate(timeout=SECONDS))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return [f"it did not end within {SECONDS} s"]
    status = process.returncode
    wrong = [f"it says {word}" for word in ("Traceback", "Exception ignored", "internal fault") if word in out + errors]
    allowed = command.allowed() | ({-signum} if signum else set())
    if status not in allowed:
        wrong.append(f"its status is {status}, not {' or '.join(map(str, sorted(allowed)))}")
    if status == 2 and out:
        wrong.append("it printed something, and then refused to run")
    if status in (2, 125) and not errors.startswith("pvperf: "):
        wrong.append("it does not say why")
    if status == 2 and errors.count("\n") != 1 and command.words[:2] != ["guests", "build"]:
        wrong.append("it says more than one line")
    wrong += _changes(command, before, snapshot(*watched), place, status)
    return [*wrong, f"  {errors.strip()}"] if wrong else []


def _changes(command: Command, before: Snapshot, after: Snapshot, place: Path, status: int) -> list[str]:
    """What changed, and should not have."""
    may: set[str] = set()
    if status != 2:
        for name in command.outputs:
            path = os.path.realpath(place / name)
            may |= {path, f"{path}.old", str(place / name)}
        may |= {str(place / "close-enable-per-vm.replay"), str(place / "close-enable-no-refcount.replay")}
        may |= {str(place / "prog-per-vm.replay"), str(place / "prog-no-refcount.replay")}
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    real = {path: os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)) for path in changed}
    return [
        f"{'made' if path not in before else 'removed' if path not in after else 'changed'}: {path!r}"
        for path in sorted(changed)
        if path not in may and real[path] not in may and ".replays" not in path
    ]


def main() -> int:
    """Returns 0, or 1 if a command did what it must not."""
    parser = argparse.ArgumentParser(prog="scripts/hostile-commands", description=__doc__)
    add = parser.add_argument
    add("--count", type=int, default=300, metavar="N", help="how many (default 300)")
    add("--seed", type=int, default=1, metavar="N", help="of their choice (default 1)")
    add("--only", type=int, metavar="N", help="this one alone, and show it")
    add("--quick", action="store_true", help="without those that take longest")
    add("--signals", type=int, default=0, metavar="PERCENT", help="ended by a signal (default 0)")
    add("-v", "--verbose", action="store_true", help="print each command")
    arguments = parser.parse_args()
    if "HOSTILE_NAMESPACE" not in os.environ:
        os.environ["HOSTILE_NAMESPACE"] = "1"
        unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
    with tempfile.TemporaryDirectory(prefix="pvperf-hostile-") as scratch:
        return _try_all(arguments, Path(scratch).resolve())


def _try_all(arguments: argparse.Namespace, scratch: Path) -> int:
    inputs, place = scratch / "inputs", scratch / "place"
    inputs.mkdir()
    make_inputs(inputs)
    mount_hostile(scratch)
    makers = QUICK if arguments.quick else MAKERS
    failed = 0
    numbers = range(arguments.count) if arguments.only is None else [arguments.only]
    for number in numbers:
        make_place(inputs, place)
        command = make_command(arguments.seed, number, makers)
        signum = 0
        if command.random.random() * 100 < arguments.signals:
            signum = command.random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        wrong = judge(command, place, signum)
        failed += bool(wrong)
        if wrong or arguments.verbose or arguments.only is not None:
            print(f"{number}: pvperf {shlex.join(command.words)!r}", *wrong, sep="\n  ", flush=True)
        os.chdir(scratch)
        shutil.rmtree(place)
        fill(scratch / "full")
    subprocess.run(["umount", scratch / "ro", scratch / "full"], check=True)
    print(f"{len(numbers)} commands, {failed} that did what they must not")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
