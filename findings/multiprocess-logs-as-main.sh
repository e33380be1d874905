#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A process that multiprocess started has the name that it was given for multiprocess alone. `%(processName)s` of logging says
# "MainProcess" in each of them, and multiprocessing.parent_process() is None: the standard library asks its own module, whose
# bookkeeping the copy does not do. What tells parents from children by that takes every process for the parent.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'multiprocess==0.70.19' 'dill==0.4.1'
cat >"$work/names.py" <<'PY'
import importlib
import logging
import multiprocessing


def child(queue: object) -> None:
    record = logging.LogRecord("log", logging.INFO, "", 1, "a line", (), None)
    queue.put((record.processName, multiprocessing.parent_process() is not None))


if __name__ == "__main__":
    seen = {}
    for module in ("multiprocessing", "multiprocess"):
        for method in ("fork", "spawn"):
            context = importlib.import_module(module).get_context(method)
            queue = context.Queue()
            process = context.Process(target=child, args=(queue,), name="worker-7")
            process.start()
            name, has_parent = seen[module, method] = queue.get(timeout=60)
            process.join()
            print(f"{module}, {method}: logs as {name}, {'a child' if has_parent else 'no child'} for multiprocessing")
    print("multiprocess", importlib.import_module("multiprocess").__version__)
    for (module, method), found in seen.items():
        right = ("worker-7", True) if module == "multiprocessing" else ("MainProcess", False)
        assert found == right, f"{module}, {method}: it behaves differently now"
PY
"$work/venv/bin/python" "$work/names.py"
