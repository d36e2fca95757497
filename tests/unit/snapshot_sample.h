/* SPDX-License-Identifier: MIT */
/*
 * A small snapshot that has one of everything a file must keep, and whether two snapshots are the
 * same; for the tests of the store only.
 */
#ifndef MEMOIR_TESTS_SNAPSHOT_SAMPLE_H
#define MEMOIR_TESTS_SNAPSHOT_SAMPLE_H

#include "snapshot/model.h"

#define SAMPLE_BAD_UTF8 "b\xff\xc0\xaf\xed\xa0\x80"

/* NULL only when out of memory. */
struct memoir_snapshot *sample_snapshot(void);

bool same_snapshot(const struct memoir_snapshot *a, const struct memoir_snapshot *b);

#endif
