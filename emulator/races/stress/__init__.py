# SPDX-License-Identifier: GPL-2.0-only
"""Stresses whole VMs: real processes play a scenario in parallel, and every ledger is compared."""
