# SPDX-License-Identifier: GPL-2.0-only
"""What it is measured against."""
