# SPDX-License-Identifier: GPL-2.0-only
"""The host core's protocol as a model, twice: pv_perf.pml for Spin, and system.py for who has none."""
