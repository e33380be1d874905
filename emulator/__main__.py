# SPDX-License-Identifier: GPL-2.0-only
"""`python -m emulator` is `pvperf`."""

import sys

from emulator.places import module_path


def start() -> int:
    """The command line, from its process' very first moment: nothing has been imported yet that can be planted."""
    sys.path[:] = module_path()
    # multiprocess would import it, for what pickle cannot do; that takes 25 ms, and a directory for temporary files.
    sys.modules["dill"] = None  # type: ignore[assignment]
    from emulator.cli import main

    return main()


if __name__ == "__main__":
    sys.exit(start())
