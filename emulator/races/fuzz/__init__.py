# SPDX-License-Identifier: GPL-2.0-only
"""Coverage-guided fuzzing of the hypercall surface; native/fuzz says what an input is. It needs the project's tree."""
