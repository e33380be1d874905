# SPDX-License-Identifier: GPL-2.0-only
"""What explains the command line, all of it made from the parser: helps, manual pages, completion in a shell."""
