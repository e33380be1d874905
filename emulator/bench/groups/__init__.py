# SPDX-License-Identifier: GPL-2.0-only
"""What is measured: the groups of `pvperf bench`."""
