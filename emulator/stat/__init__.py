# SPDX-License-Identifier: GPL-2.0-only
"""What `pvperf stat` makes of counts: readings, the metrics derived from them, and three ways to print both."""
