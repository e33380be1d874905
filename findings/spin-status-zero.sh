#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Spin's verifier ends with status 0 when it has found a violation, and `spin -run` with it: "errors: 1" stands in its
# output alone, beside a file NAME.trail. A script that asks for the status takes a broken model for a verified one.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq spin=6.5.2+dfsg-1 >/dev/null
dpkg-deb -x spin_*.deb .
spin="$work/usr/bin/spin"
"$spin" -V
echo 'init { assert(1 == 2) }' >wrong.pml
"$spin" -a wrong.pml
cc -o pan pan.c
status=0
./pan >said || status=$?
echo "pan: status $status, $(grep -o 'errors: [0-9]*' said), trail: $(ls ./*.trail)"
[[ "$status" == 0 ]] && grep -q 'errors: 1$' said && [[ -s wrong.pml.trail ]]
rm wrong.pml.trail
"$spin" -run wrong.pml >said || status=$?
echo "spin -run: status $status, $(grep -o 'errors: [0-9]*' said)"
[[ "$status" == 0 ]] && grep -q 'errors: 1$' said
