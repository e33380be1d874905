# SPDX-License-Identifier: GPL-2.0-only
"""How is measured: cases in rounds, the runs they take, the machine meanwhile, and the figures that come of it."""
