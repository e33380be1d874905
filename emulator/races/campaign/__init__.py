# SPDX-License-Identifier: GPL-2.0-only
"""Campaigns: the explorer over thousands of seeds, with a journal that outlives whatever happens."""
