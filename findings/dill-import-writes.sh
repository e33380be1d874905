#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# `import multiprocess` needs a directory in which a file can be written: dill asks for tempfile.gettempdir() while it is imported, and that
# tries one out. Where files may not grow, or no directory is writable, the import itself raises FileNotFoundError, long before anything
# is pickled. The standard library's multiprocessing imports there.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'multiprocess==0.70.19' 'dill==0.4.1'
python="$work/venv/bin/python"
"$python" -c 'import dill, multiprocess; print("multiprocess", multiprocess.__version__, "dill", dill.__version__)'
try() { # $1 module: imported where no file may have a byte
	prlimit --fsize=0 "$python" -B -c "import $1" 2>&1 | tail -1 || true
}
ours="$(try multiprocessing)" theirs="$(try multiprocess)"
echo "import multiprocessing: ${ours:-works}"
echo "import multiprocess:    ${theirs:-works}"
[[ -z "$ours" && "$theirs" == FileNotFoundError:*"No usable temporary directory"* ]]
