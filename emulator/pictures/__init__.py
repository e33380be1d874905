# SPDX-License-Identifier: GPL-2.0-only
"""The pictures of the README and of docs/: what pvperf shows, in the light and in the dark. `scripts/pictures` makes
them, in the source tree; it is not installed.
"""
