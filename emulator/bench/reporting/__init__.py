# SPDX-License-Identifier: GPL-2.0-only
"""What is made of results: tables, plots, pages."""
