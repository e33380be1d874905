# SPDX-License-Identifier: GPL-2.0-only
"""What every command needs to read what is typed, and to show what is said."""
