// SPDX-License-Identifier: MIT
/*
 * The words for hints, guards and reasons, each in one place.
 */
#include <memoir/hint.h>

static const char *const hints[MEMOIR_HINTS] = {
	[MEMOIR_HINT_COLD] = "cold",
	[MEMOIR_HINT_PAGEOUT] = "pageout",
	[MEMOIR_HINT_WILLNEED] = "willneed",
	[MEMOIR_HINT_COLLAPSE] = "collapse",
};

const char *memoir_hint_name(enum memoir_hint hint)
{
	return (unsigned int)hint < MEMOIR_HINTS ? hints[hint] : NULL;
}

static const char *const guards[MEMOIR_GUARDS] = {
	[MEMOIR_GUARD_CHECK] = "check",
	[MEMOIR_GUARD_FREEZE] = "freeze",
	[MEMOIR_GUARD_RACE] = "race",
};

const char *memoir_guard_name(enum memoir_guard guard)
{
	return (unsigned int)guard < MEMOIR_GUARDS ? guards[guard] : NULL;
}

static const char *const holds[MEMOIR_HOLDS] = {
	[MEMOIR_HOLD_CGROUP] = "cgroup",
	[MEMOIR_HOLD_PTRACE] = "ptrace",
	[MEMOIR_HOLD_SIGSTOP] = "sigstop",
};

const char *memoir_hold_name(enum memoir_hold hold)
{
	return (unsigned int)hold < MEMOIR_HOLDS ? holds[hold] : NULL;
}

static const struct {
	const char *name, *text;
} skips[MEMOIR_SKIPS] = {
	[MEMOIR_SKIP_SHARED] = { "shared", "mapped more than once" },
	[MEMOIR_SKIP_LOCKED] = { "locked", "locked in RAM (mlock)" },
	[MEMOIR_SKIP_PFNMAP] = { "pfnmap", "device memory or the kernel's own pages" },
	[MEMOIR_SKIP_HUGETLB] = { "hugetlb", "pages of hugetlb, which are never swapped" },
	[MEMOIR_SKIP_FILE] = { "file", "of files that the caller neither owns nor may write" },
	[MEMOIR_SKIP_NO_SWAP] = { "no-swap", "what there is no swap free for" },
	[MEMOIR_SKIP_OUT] = { "out", "swapped out already" },
	[MEMOIR_SKIP_LIMIT] = { "limit", "beyond the limit that was given" },
	[MEMOIR_SKIP_UNFIT] = { "unfit", "of a kind to which the hint does nothing" },
	[MEMOIR_SKIP_UNKNOWN] = { "unknown", "what could not be read" },
	[MEMOIR_SKIP_CHANGED] = { "changed", "no longer mapped as it was" },
	[MEMOIR_SKIP_REFUSED] = { "refused", "what the kernel takes no hint for" },
	[MEMOIR_SKIP_BUSY] = { "busy", "in use just then" },
	[MEMOIR_SKIP_STOPPED] = { "stopped", "not reached" },
};

const char *memoir_skip_name(enum memoir_skip skip)
{
	return (unsigned int)skip < MEMOIR_SKIPS ? skips[skip].name : NULL;
}

const char *memoir_skip_text(enum memoir_skip skip)
{
	return (unsigned int)skip < MEMOIR_SKIPS ? skips[skip].text : NULL;
}
