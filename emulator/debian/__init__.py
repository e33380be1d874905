# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernel, busybox and perf, fetched, unpacked, and packed into file systems that the kernel starts with."""
