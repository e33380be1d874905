# SPDX-License-Identifier: GPL-2.0-only
"""Guests: ELF files, the runtime and the compiler that make them, and where their code came from."""
