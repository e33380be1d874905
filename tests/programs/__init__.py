# SPDX-License-Identifier: GPL-2.0-only
"""Whole programs that run in a guest and on the processor itself, from the same object code: what is left of both."""
