# SPDX-License-Identifier: GPL-2.0-only
"""Recordings in other programs' formats."""
