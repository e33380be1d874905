# SPDX-License-Identifier: GPL-2.0-only
"""From a recording to where its samples fell: `symbolize` names addresses, `table` sums up, `lines` prints them."""
