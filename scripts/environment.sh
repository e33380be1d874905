# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the other scripts, from the project's root: prepare_environment EXTRA makes .venv hold pvperf,
# editable, with the extra's packages, and puts it first in PATH. Done again only when something that is built changed.

set -euo pipefail

fail() {
	echo "pvperf: $*" >&2
	exit 1
}

# Prints the first Python that is new enough.
find_python() {
	local python
	for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
		if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
			command -v "$python"
			return
		fi
	done
	fail "needs Python 3.11 or newer; name one in PYTHON"
}

check_platform() {
	[[ "$(uname -sm)" == "Linux x86_64" ]] || fail "needs Linux on x86-64; this is $(uname -sm)"
	local cc="${CC:-cc}"
	command -v "${cc%% *}" >/dev/null || fail "needs a C compiler, and ${cc%% *} is not there: install gcc, or name one in CC"
}

make_venv() {
	local python
	python="$(find_python)"
	"$python" -c 'import ensurepip, venv' 2>/dev/null ||
		fail "$python cannot make a virtual environment: install python3-venv"
	local header
	header="$("$python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')"
	[[ -e "$header" ]] || fail "needs Python's C headers, and $header is not there: install python3-dev"
	[[ ! -e .venv ]] || fail "$PWD/.venv is there and has no pip: remove it"
	"$python" -m venv .venv || fail "$python cannot make a virtual environment in $PWD/.venv"
}

# What the installation was made of.
fingerprint() {
	echo "$PWD ${CC:-} $(.venv/bin/python -VV)"
	find native setup.py pyproject.toml emulator/guest_build.py -type f -not -name '*.pyc' -print0 |
		sort -z | xargs -0 sha256sum
}

install_package() {
	local pip=(.venv/bin/python -m pip --quiet --disable-pip-version-check) requires
	requires="$(.venv/bin/python -c 'import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")')"
	mapfile -t requires <<<"$requires"
	"${pip[@]}" install "${requires[@]}" || fail "pip could not install what the build needs"
	"${pip[@]}" install --no-build-isolation \
		--config-settings editable_mode=compat --editable ".${1:+[$1]}" || fail "the installation failed; pip says above why"
}

prepare_environment() {
	local extra="${1:-}" stamp=".venv/pvperf-stamp-${1:-run}" wanted
	check_platform
	exec 9>.venv.lock
	flock 9
	.venv/bin/python -c 'import pip' 2>/dev/null || make_venv
	wanted="$(fingerprint | sha256sum)"
	if [[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]] || ! compgen -G 'emulator/_core*.so' >/dev/null; then
		echo "pvperf: building in .venv ..." >&2
		rm -f .venv/pvperf-stamp-*
		install_package "$extra"
		echo "$wanted" | tee .venv/pvperf-stamp-run >"$stamp" # an extra comes on top of what running needs
	fi
	exec 9>&-
	PATH="$PWD/.venv/bin:$PATH"
}
