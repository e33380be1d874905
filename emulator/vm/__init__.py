# SPDX-License-Identifier: GPL-2.0-only
"""A VM from the front end: its processes, what they say to each other, and what a run gives."""
