# SPDX-License-Identifier: GPL-2.0-only
"""Random instructions in a guest and on the processor that this runs on: what differs, by kind."""
