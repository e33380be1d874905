# SPDX-License-Identifier: GPL-2.0-only
"""Explores the schedules of the host core: finds a race, replays it, makes it small, and says what was searched."""
