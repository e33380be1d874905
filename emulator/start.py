# SPDX-License-Identifier: GPL-2.0-only
"""The first code of each Python process that pvperf starts: Python runs it by its path, with -P.

`start.py --multiprocessing-fork PIPE NAME PATH...` is a host process (host_process.py), with the PATHs as its sys.path;
`start.py ARGUMENT...` is pvperf. Both use the package that this file lies in, whatever else is installed.
"""

import os
import sys


def _adopt_package() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    place = os.path.dirname(os.path.abspath(__file__))
    spec = spec_from_file_location("emulator", os.path.join(place, "__init__.py"), submodule_search_locations=[place])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["emulator"] = package = module_from_spec(spec)
    spec.loader.exec_module(package)


def _become_host(pipe: int, path: list[str]) -> None:
    sys.path[:] = path
    _adopt_package()
    sys.modules["dill"] = None  # type: ignore[assignment]  # only for what pickle cannot do; 25 ms less without
    from multiprocess.spawn import spawn_main

    spawn_main(pipe_handle=pipe)


def _become_pvperf() -> None:
    _adopt_package()
    from emulator.__main__ import start

    sys.exit(start())


if sys.argv[1:2] == ["--multiprocessing-fork"]:
    _become_host(int(sys.argv[2]), sys.argv[4:])
else:
    _become_pvperf()
