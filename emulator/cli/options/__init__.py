# SPDX-License-Identifier: GPL-2.0-only
"""Every option of every command. Only argparse is loaded here: `--help` has to be fast.

What an option means, and which values make sense, is known where it is used; here is how it is spelled.
Of the modules that add a command's options, the one of the command that was given is loaded.
"""
