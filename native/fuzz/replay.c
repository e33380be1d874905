/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plays inputs without libFuzzer: every file twice, and the second run must be like the first.
 * -v says what each operation does; -x prints the input as a program of the explorer's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

enum { MOST_BYTES = 4096 };

static size_t read_input(const char *path, uint8_t data[MOST_BYTES])
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(2);
	}
	size = fread(data, 1, MOST_BYTES, file);
	fclose(file);
	return size;
}

static void play_twice(const char *path)
{
	struct fuzz_result once, twice;
	uint8_t data[MOST_BYTES];
	size_t size = read_input(path, data);

	fuzz_play(data, size, &once);
	if (fuzz_verbose)
		return;
	fuzz_play(data, size, &twice);
	if (once.digest != twice.digest || once.performed != twice.performed || once.nested != twice.nested)
		fuzz_violation("%s runs differently the second time", path);
	printf("%016llx %3u operations, %2u of them in between: %s\n", (unsigned long long)once.digest, once.performed,
	       once.nested, path);
}

static int export(const char *path)
{
	uint8_t data[MOST_BYTES];
	const char *why;

	if (fuzz_export(data, read_input(path, data), &why))
		return 0;
	fprintf(stderr, "%s\n", why);
	return 3;
}

int main(int argc, char **argv)
{
	const char *canary = getenv("PV_FUZZ_CANARY");
	bool exports = false;
	int option;

	fuzz_design = getenv("PV_FUZZ_DESIGN");
	while ((option = getopt(argc, argv, "vx")) != -1) {
		fuzz_verbose |= option == 'v';
		exports |= option == 'x';
	}
	if (optind == argc || (canary && !fuzz_plant(canary))) {
		fprintf(stderr, "usage: fuzz_replay [-v | -x] FILE...\n");
		return 2;
	}
	if (exports)
		return export(argv[optind]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (; optind < argc; optind++)
		play_twice(argv[optind]);
	return 0;
}
