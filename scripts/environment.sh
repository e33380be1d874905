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
	alive "making .venv" "$python" -m venv .venv || fail "$python cannot make a virtual environment in $PWD/.venv"
}

# What the installation was made of.
fingerprint() {
	echo "$PWD ${CC:-} $(.venv/bin/python -VV)"
	find native setup.py pyproject.toml emulator/guest/build.py -type f -not -name '*.pyc' -print0 |
		sort -z | xargs -0 sha256sum
}

pip() {
	.venv/bin/python -m pip --disable-pip-version-check "$@"
}

# Prints what pyproject.toml lists: "build", or the packages of an extra.
packages() {
	.venv/bin/python -c 'import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))
print(*(project["build-system"]["requires"] if sys.argv[1] == "build" else project["project"]["optional-dependencies"][sys.argv[1]]),
    sep="\n")' "$1"
}

on_terminal() {
	[[ -t 2 && "${TERM:-dumb}" != dumb ]]
}

# On a terminal: puts this in place of the line that is there; nothing takes it away.
show_line() {
	if on_terminal; then
		printf '\r\033[K%s' "${1:0:$((${COLUMNS:-80} - 1))}" >&2
	fi
}

# Runs a command that is silent. On a terminal a line says meanwhile for how long it has been at work.
alive() {
	local what="$1" begin=$SECONDS status=0 ticker
	shift
	if ! on_terminal; then
		"$@"
		return
	fi
	# In the background is the ticker, since Ctrl-C has to reach the command. It ends with this shell, whatever ends that.
	while kill -0 $$ 2>/dev/null; do
		show_line "pvperf: $what, $((SECONDS - begin)) s"
		sleep 1
	done 9>&- &
	ticker=$!
	trap 'kill "$ticker"; show_line ""; trap - INT; kill -INT $$' INT
	"$@" || status=$?
	trap - INT
	kill "$ticker"
	wait "$ticker" 2>/dev/null || true
	show_line ""
	return "$status"
}

# Says on stderr which part of the build is at work, and since when; the lines are those of the build. On a terminal a
# line has how much was compiled until now, anew each second.
tell_progress() {
	local line="" part begin=$SECONDS shown=-1 files=0 status
	trap 'show_line ""' EXIT
	while true; do
		status=0
		IFS= read -r -t 1 part || status=$?
		line+="$part"
		((status > 128)) || { # else it was the second that is over, and more of the line is to come
			if [[ "$line" =~ building\ \'([^\']+)\'\ extension ]]; then
				show_line ""
				echo "pvperf: compiling ${BASH_REMATCH[1]} ($((SECONDS - begin)) s)" >&2
			elif [[ "$line" == *" -c "*.c\ * ]]; then
				files=$((files + 1))
			fi
			line=""
		}
		if ((status > 0 && status <= 128)); then
			break
		fi
		if ((SECONDS != shown)); then
			shown=$SECONDS
			show_line "pvperf: $files file$( ((files == 1)) || echo s) compiled, $((SECONDS - begin)) s"
		fi
	done
	show_line ""
	echo "pvperf: $((SECONDS - begin)) s" >&2
}

install_package() {
	local log=.venv/pvperf-build.log requires
	echo "pvperf: installing what the build needs ..." >&2
	mapfile -t requires < <(packages build)
	alive "pip is at work" pip --quiet install "${requires[@]}" || fail "pip could not install what the build needs"
	echo "pvperf: building in .venv, which takes a minute or two; $log has all of it ..." >&2
	pip --verbose install --no-build-isolation --config-settings editable_mode=compat --editable . 2>&1 |
		tee "$log" | tell_progress || {
		tail -n 40 "$log" >&2
		fail "the installation failed; pip says above why"
	}
}

install_extra() {
	local wanted
	echo "pvperf: installing what '$1' needs ..." >&2
	mapfile -t wanted < <(packages "$1")
	alive "pip is at work" pip --quiet install "${wanted[@]}" || fail "pip could not install what '$1' needs"
}

# Does a stamp say this?
stamped() {
	[[ "$(cat ".venv/pvperf-stamp-$1" 2>/dev/null)" == "$2" ]]
}

# What is built is built once, and an extra's packages come on top of it.
prepare_environment() {
	local extra="${1:-}" built wanted
	check_platform
	exec 9>.venv.lock
	flock 9
	.venv/bin/python -c 'import pip' 2>/dev/null || make_venv
	built="$(fingerprint | sha256sum)"
	if ! stamped run "$built" || ! compgen -G 'emulator/_core*.so' >/dev/null; then
		rm -f .venv/pvperf-stamp-*
		install_package
		echo "$built" >.venv/pvperf-stamp-run
	fi
	if [[ -n "$extra" ]]; then
		wanted="$(packages "$extra" | sha256sum)"
		if ! stamped "$extra" "$wanted"; then
			install_extra "$extra"
			echo "$wanted" >".venv/pvperf-stamp-$extra"
		fi
	fi
	exec 9>&-
	PATH="$PWD/.venv/bin:$PATH"
}

# In place of this shell: Python with all arguments behind the extra's name, in .venv; for a --help as it is.
exec_python() {
	local extra="$1" python=python
	shift
	case " $* " in
	*" --help "* | *" -h "*) python="$(find_python)" ;;
	*) prepare_environment "$extra" ;;
	esac
	exec "$python" "$@"
}
