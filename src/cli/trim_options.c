// SPDX-License-Identifier: MIT
/*
 * Reads the options of memoir trim, and refuses what does not go together.
 */
#include "cli/trim_options.h"

#include <argp.h>

#include "cli/cli.h"
#include "cli/idle_watch.h"
#include "cli/wait.h"
#include "present/number.h"

enum {
	OPTION_HINT = 0x200, /* and one for each hint */
	OPTION_GUARD = 0x210,
	OPTION_DRY = 0x220,
	OPTION_MAX,
	OPTION_RATE,
	OPTION_NO_PAUSES,
	OPTION_SHARED,
	OPTION_IDLE,
	OPTION_MEANS,
	OPTION_WATCH,
};

static const struct argp_option options[] = {
	{ "pageout", OPTION_HINT + MEMOIR_HINT_PAGEOUT, NULL, 0,
	  "Move it to swap, or drop it if a file has it, now (the default)", 0 },
	{ "cold", OPTION_HINT + MEMOIR_HINT_COLD, NULL, 0,
	  "Nothing moves now: it is first in line when memory gets short", 0 },
	{ "willneed", OPTION_HINT + MEMOIR_HINT_WILLNEED, NULL, 0,
	  "Begin to read it back from swap or its file", 0 },
	{ "collapse", OPTION_HINT + MEMOIR_HINT_COLLAPSE, NULL, 0,
	  "Put it into huge pages now (Linux 6.1)", 0 },
	{ "check", OPTION_GUARD + MEMOIR_GUARD_CHECK, NULL, 0,
	  "Look before and after each call whether mappings changed (the default)", 0 },
	{ "freeze", OPTION_GUARD + MEMOIR_GUARD_FREEZE, NULL, 0,
	  "Hold the processes still during each call", 0 },
	{ "race", OPTION_GUARD + MEMOIR_GUARD_RACE, NULL, 0,
	  "Compare mappings with the plan once, at the beginning, and no more", 0 },
	{ "dry-run", OPTION_DRY, NULL, 0, "Only say what would be done", 0 },
	{ "max", OPTION_MAX, "BYTES", 0, "At most so much: 64M, 1.5GiB", 0 },
	{ "rate", OPTION_RATE, "BYTES", 0, "At most so much a second", 0 },
	{ "no-pauses", OPTION_NO_PAUSES, NULL, 0,
	  "As fast as it goes; else half of the time is left to others", 0 },
	{ "shared", OPTION_SHARED, NULL, 0,
	  "Have whole cgroups reclaimed: what several processes map moves too", 0 },
	{ "idle", OPTION_IDLE, "TIME", 0,
	  "Only what is not touched for so long, which is waited for: 60, 10m", 0 },
	{ "means", OPTION_MEANS, "MEANS", 0, "How to tell what is idle, as memoir idle has it", 0 },
	{ "watch", OPTION_WATCH, "TIME", 0, "Then watch for so long what comes back from swap", 0 },
	{ 0 },
};

static void take_time(struct argp_state *state, const char *option, const char *arg,
		      uint64_t *ret_ns)
{
	if (wait_parse(arg, ret_ns) < 0)
		argp_error(state, "%s takes a time up to a week, such as 60 or 10m, not '%s'",
			   option, arg);
}

static void take_means(struct argp_state *state, const char *arg, enum memoir_idle_means *ret_means)
{
	int found = idle_means_by_name(arg);

	if (found < 0)
		argp_error(state, "there is no means '%s'; there are " IDLE_MEANS, arg);
	*ret_means = (enum memoir_idle_means)found;
}

static void take_size(struct argp_state *state, const char *option, const char *arg,
		      uint64_t *ret_bytes)
{
	if (number_parse_bytes(arg, ret_bytes) < 0)
		argp_error(state, "%s takes a size such as 64M or 1.5GiB, not '%s'", option, arg);
}

static void take_hint(struct argp_state *state, struct trim_options *own, enum memoir_hint hint)
{
	if (own->hint_given && own->hint != hint)
		argp_error(state, "--%s and --%s exclude each other", memoir_hint_name(own->hint),
			   memoir_hint_name(hint));
	own->hint = hint;
	own->hint_given = true;
}

static void take_guard(struct argp_state *state, struct trim_options *own, enum memoir_guard guard)
{
	if (own->guard_given && own->guard != guard)
		argp_error(state, "--%s and --%s exclude each other", memoir_guard_name(own->guard),
			   memoir_guard_name(guard));
	own->guard = guard;
	own->guard_given = true;
}

/* What no single option can know. */
static void check(struct argp_state *state, const struct trim_options *own)
{
	if (own->shared && (own->hint != MEMOIR_HINT_PAGEOUT || own->guard_given || own->idle_ns ||
			    own->rate_bytes))
		argp_error(state,
			   "--shared pages out what the kernel finds in whole cgroups: no other "
			   "hint, guard, --idle or --rate goes with it");
	if (own->idle_ns && own->hint != MEMOIR_HINT_PAGEOUT && own->hint != MEMOIR_HINT_COLD)
		argp_error(state, "--idle is for --pageout and --cold");
	if (own->means && !own->idle_ns)
		argp_error(state, "--means says how to tell what is idle: it needs --idle TIME");
	if (own->watch_ns && (own->dry_run || own->hint != MEMOIR_HINT_PAGEOUT))
		argp_error(state, "--watch is for what was really paged out");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;
	struct trim_options *own = cli ? cli->own : NULL;

	if (!own)
		return ARGP_ERR_UNKNOWN;
	if (key >= OPTION_HINT && key < OPTION_HINT + MEMOIR_HINTS) {
		take_hint(state, own, (enum memoir_hint)(key - OPTION_HINT));
		return 0;
	}
	if (key >= OPTION_GUARD && key < OPTION_GUARD + MEMOIR_GUARDS) {
		take_guard(state, own, (enum memoir_guard)(key - OPTION_GUARD));
		return 0;
	}
	switch (key) {
	case OPTION_DRY:
		own->dry_run = true;
		return 0;
	case OPTION_MAX:
		take_size(state, "--max", arg, &own->max_bytes);
		return 0;
	case OPTION_RATE:
		take_size(state, "--rate", arg, &own->rate_bytes);
		return 0;
	case OPTION_SHARED:
		own->shared = true;
		return 0;
	case OPTION_NO_PAUSES:
		own->no_pauses = true;
		return 0;
	case OPTION_IDLE:
		take_time(state, "--idle", arg, &own->idle_ns);
		return 0;
	case OPTION_MEANS:
		take_means(state, arg, &own->means);
		return 0;
	case OPTION_WATCH:
		take_time(state, "--watch", arg, &own->watch_ns);
		return 0;
	case ARGP_KEY_END:
		if (!own->hint_given)
			own->hint = MEMOIR_HINT_PAGEOUT;
		check(state, own);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp trim_argp = { .options = options, .parser = parse };
