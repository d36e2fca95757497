// SPDX-License-Identifier: MIT
/*
 * Takes what the machine as a whole says into the snapshot, beside the lines of /proc/meminfo: what
 * zram holds, and, if asked for, what every frame is used for. docs/ACCOUNTING.md lists the keys.
 */
#include "snapshot/frames.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/balloon.h"
#include "kernel/frames.h"
#include "kernel/hugepages.h"
#include "kernel/own_memory.h"
#include "kernel/zoneinfo.h"
#include "kernel/zram.h"

struct line {
	const char *key;
	uint64_t bytes;
};

static int add_lines(struct memoir_snapshot *snap, const struct line *lines, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = snapshot_add_meminfo(snap, lines[i].key, lines[i].bytes);
	return err;
}

static int add_zram(struct memoir_snapshot *snap, const struct kroot *root)
{
	struct zram zram;

	if (zram_read(root, &zram) < 0)
		return 0; /* not known, and so absent */
	const struct line lines[] = {
		{ "zram_store_bytes", zram.store_bytes },
		{ "zram_orig_bytes", zram.orig_bytes },
		{ "zram_used_bytes", zram.used_bytes },
		{ "zram_limit_bytes", zram.limit_bytes },
	};

	return add_lines(snap, lines, zram.limited ? 4 : 3);
}

/* The CPUs' lists change by the moment: what they held on average while frames were counted. */
static int add_zones(struct memoir_snapshot *snap, const struct zoneinfo *before,
		     const struct zoneinfo *after)
{
	const struct line lines[] = {
		{ "zone_managed_bytes", after->managed_bytes },
		{ "zone_per_cpu_free_bytes",
		  (before->per_cpu_free_bytes + after->per_cpu_free_bytes) / 2 },
	};

	return add_lines(snap, lines, 2);
}

static int add_hugepages(struct memoir_snapshot *snap, const struct kroot *root)
{
	struct hugepages pages;

	if (hugepages_read(root, &pages) < 0)
		return 0;
	const struct line lines[] = {
		{ "hugetlb_free_bytes", pages.free_bytes },
		{ "hugetlb_reserved_bytes", pages.reserved_bytes },
	};

	return add_lines(snap, lines, 2);
}

static int add_classes(struct memoir_snapshot *snap, const struct kroot *root,
		       const struct frame_counts *counts)
{
	uint64_t offline_bytes = counts->pages[FRAME_OFFLINE] * PAGE_BYTES;
	char key[64];
	int err = 0;

	for (enum frame_class class = 0; class < FRAME_CLASSES && !err; class ++) {
		snprintf(key, sizeof(key), "frames:%s", frame_class_name(class));
		err = snapshot_add_meminfo(snap, key, counts->pages[class] * PAGE_BYTES);
	}
	if (!err && offline_bytes && balloon_in_total(root))
		err = snapshot_add_meminfo(snap, "balloon_in_total_bytes", offline_bytes);
	return err;
}

static int note_unreadable(struct memoir_snapshot *snap, int err)
{
	return snapshot_note(
		snap,
		"what each frame is used for could not be read, so the lines are those "
		"of /proc/meminfo: /proc/kpageflags: %s%s",
		strerror(-err), err == -EACCES || err == -EPERM ? "; run as root" : "");
}

/* What is mapped by nobody else but this very program: it is in the lines, but in no row. */
static int add_own(struct memoir_snapshot *snap, const struct kroot *root)
{
	struct own_memory own;

	if (own_memory_read(root, &own) < 0)
		return 0;
	const struct line lines[] = {
		{ "own_anon_bytes", own.anon_bytes },
		{ "own_other_bytes", own.other_bytes },
	};

	return add_lines(snap, lines, 2);
}

static int add_frames(struct memoir_snapshot *snap, const struct memoir *memoir)
{
	struct zoneinfo before, after;
	struct frame_counts counts;
	bool zones = zoneinfo_read(memoir->root, &before) == 0;
	int err;

	err = frames_count(memoir->root, memoir->threads, &counts);
	if (err)
		return err == -ENOMEM ? err : note_unreadable(snap, err);
	if (zones && zoneinfo_read(memoir->root, &after) == 0)
		err = add_zones(snap, &before, &after);
	if (!err)
		err = add_hugepages(snap, memoir->root);
	if (!err)
		err = add_own(snap, memoir->root);
	if (!err)
		err = add_classes(snap, memoir->root, &counts);
	return err;
}

/* Programs that know an older struct don't have it. */
int capture_frames(struct capture *c)
{
	int err = add_zram(c->snap, c->memoir->root);

	if (!err && c->options.frames)
		err = add_frames(c->snap, c->memoir);
	return err;
}
