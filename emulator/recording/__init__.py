# SPDX-License-Identifier: GPL-2.0-only
"""Recordings: samples and traces, the files that hold them, and what is read out of those."""
