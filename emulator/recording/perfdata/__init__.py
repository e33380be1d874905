# SPDX-License-Identifier: GPL-2.0-only
"""perf.data: what `record` writes, and what the real perf and `report` read.

The format is Linux's, tools/perf/Documentation/perf.data-file-format.txt and uapi/linux/perf_event.h. `layout` has
its numbers, `records` and `features` its parts, `writer` and `reader` the file, `convert` what the guest's samples
become, `recorder` all that one recording does.
"""
