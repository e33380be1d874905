# SPDX-License-Identifier: GPL-2.0-only
"""Writes docs/findings.md: what the explorer says of the designs argued about in the mail. `scripts/findings` runs it,
in the source tree, where its template and the page are; it is not installed.
"""
