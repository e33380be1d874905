# SPDX-License-Identifier: GPL-2.0-only
"""The host's trace: the records of its threads, how they leave the host process, and the tracks that they make."""
