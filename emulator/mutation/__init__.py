# SPDX-License-Identifier: GPL-2.0-only
"""What the project's checks are worth: lines of the C code are broken one at a time, and each has to be noticed.

`scripts/mutate` runs it from the project's root; it is no part of the installed package.
"""
