/* SPDX-License-Identifier: MIT */
/*
 * Both walks of VMAs, for the tests that compare them with each other or with what is.
 */
#ifndef TWO_WALKS_H
#define TWO_WALKS_H

#include "kernel/walk_skeleton.h"

struct walks {
	struct kroot *root;
	struct walk *free, *locked;
};

static int begin(void **state)
{
	static struct walks walks;

	if (geteuid() != 0 || kroot_open(NULL, &walks.root) < 0 ||
	    walk_open(walks.root, WALK_NAMED_REGIONS, NULL, NULL, &walks.free, NULL) < 0 ||
	    walk_open_locked(walks.root, &walks.locked, NULL) < 0 ||
	    walk_calibrate(walks.free, walks.root) < 0 ||
	    walk_calibrate(walks.locked, walks.root) < 0)
		return 0;
	*state = &walks;
	return 0;
}

static int finish(void **state)
{
	struct walks *walks = *state;

	if (!walks)
		return 0;
	walk_close(walks->free);
	walk_close(walks->locked);
	kroot_close(walks->root);
	return 0;
}

static struct walks *walks_of(void **state)
{
	struct walks *walks = *state;

	/* Where there is but one way the other is what all tests of capture run. */
	if (!walks || !walk_is_lockless(walks->free))
		skip();
	assert_false(walk_is_lockless(walks->locked));
	return walks;
}

#endif
