/* SPDX-License-Identifier: GPL-2.0-only */
/* Guest memory: the four functions that compilers expect, and an allocator that never frees. */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* Zeroed memory above the vCPUs' stacks, `align` a power of two. NULL when RAM is used up. */
void *memory_allocate(size_t bytes, size_t align);
/* The same, but ends the VM with a line that says so. */
void *memory_need(size_t bytes, size_t align);
/* Called once, on vCPU 0, before all others of these. */
void memory_start(void);

#endif
