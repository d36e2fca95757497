// SPDX-License-Identifier: MIT
/*
 * Selectors come from command lines and, later, from clients of the daemon: no text may crash the parser
 * or the matcher, and a refusal has to say why. An input is one selector a line.
 */
#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memoir/select.h>

#define SELECTORS_MAX 64

static void match(const struct memoir_selection *selection)
{
	static const pid_t peers[] = { 43, 44 };
	const struct memoir_process process = {
		.pid = 42,
		.ppid = 1,
		.comm = "a,b:c\\[d]*",
		.cgroup = "/system.slice/a\nb.service",
		.peers = peers,
		.peer_count = 2,
	};
	const struct memoir_process nameless = { .pid = 1, .uid = (uid_t)-1, .comm = "" };

	memoir_selection_matches_process(selection, &process);
	memoir_selection_matches_process(selection, &nameless);
	FUZZ_HOLDS(memoir_selection_single_pid(selection) >= 0);
	if (memoir_selection_empty(selection)) {
		FUZZ_HOLDS(memoir_selection_matches_process(selection, &nameless));
		FUZZ_HOLDS(!memoir_selection_has_region_keys(selection));
	}
}

static void parse(const char *const *selectors, size_t count)
{
	struct memoir_selection *selection = NULL;
	struct memoir_error error = { 0 };
	int ret = memoir_selection_parse(selectors, count, &selection, &error);

	if (ret == 0) {
		FUZZ_HOLDS(selection);
		match(selection);
	} else {
		FUZZ_HOLDS(!selection);
		FUZZ_HOLDS(ret == -EINVAL && error.code == ret && error.text[0]);
		FUZZ_HOLDS(!strchr(error.text, '\n'));
	}
	memoir_selection_free(selection);
}

/* All of them, and each alone: parsing ends at the first that is wrong. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *selectors[SELECTORS_MAX];
	size_t count = 0;
	char *text = malloc(size + 1);
	char *rest = text;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while (rest && count < SELECTORS_MAX) {
		selectors[count] = strsep(&rest, "\n");
		parse(&selectors[count++], 1);
	}
	parse(selectors, count);
	free(text);
	return 0;
}
