# SPDX-License-Identifier: GPL-2.0-only
"""What looks for races: the explorer, the stress, the model, the campaign, the fuzzer and what they found."""
