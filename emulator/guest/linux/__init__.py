# SPDX-License-Identifier: GPL-2.0-only
"""Linux as a guest: its kernel's file, the initrd, and what it finds in memory (Documentation/x86/boot.rst)."""
