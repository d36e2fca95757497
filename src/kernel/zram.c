// SPDX-License-Identifier: MIT
/*
 * Parses mm_stat of zram devices; sets none up.
 */
#include "kernel/zram.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kernel/entries.h"

struct sums {
	struct zram zram;
	char swaps[8192]; /* /proc/swaps */
	size_t swap_devices, limited_devices;
};

struct mm_stat {
	uint64_t orig_bytes, used_bytes, limit_bytes;
};

/* A line of /proc/swaps begins with the device's path; udev may have put it into a directory. */
static bool is_swap(const char *swaps, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = swaps; (at = strstr(at, name)); at += len)
		if (at > swaps && at[-1] == '/' && (at[len] == ' ' || at[len] == '\t'))
			return true;
	return false;
}

static int read_mm_stat(const struct kroot *root, const char *name, struct mm_stat *ret_stat)
{
	char text[256];
	ssize_t len = kroot_read(root, text, sizeof(text), "sys/block/%s/mm_stat", name);

	if (len < 0)
		return (int)len;
	/* What was stored, what it was compressed to, what that takes with gaps, and the limit. */
	return sscanf(text, "%" SCNu64 " %*u %" SCNu64 " %" SCNu64, &ret_stat->orig_bytes,
		      &ret_stat->used_bytes, &ret_stat->limit_bytes) == 3
		       ? 0
		       : -EBADMSG;
}

static int add_device(const struct kroot *root, const char *name, void *arg)
{
	struct sums *sums = arg;
	struct mm_stat stat;
	int err = strncmp(name, "zram", 4) == 0 ? read_mm_stat(root, name, &stat) : -ENOENT;

	if (err)
		return err == -ENOENT ? 0 : err; /* another device, or one that was just removed */
	sums->zram.store_bytes += stat.used_bytes;
	if (!is_swap(sums->swaps, name))
		return 0;
	sums->zram.orig_bytes += stat.orig_bytes;
	sums->zram.used_bytes += stat.used_bytes;
	sums->zram.limit_bytes += stat.limit_bytes;
	sums->swap_devices++;
	sums->limited_devices += stat.limit_bytes > 0;
	return 0;
}

int zram_read(const struct kroot *root, struct zram *ret_zram)
{
	struct sums sums = { 0 };
	ssize_t len = kroot_read(root, sums.swaps, sizeof(sums.swaps), "proc/swaps");
	int err;

	/* Without CONFIG_SWAP there is no such file. */
	if (len < 0 && len != -ENOENT)
		return (int)len;
	err = entries_each(root, "sys/block", add_device, &sums);
	if (err)
		return err;
	sums.zram.limited = sums.swap_devices && sums.limited_devices == sums.swap_devices;
	*ret_zram = sums.zram;
	return 0;
}
