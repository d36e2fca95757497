// SPDX-License-Identifier: MIT
/*
 * Sets kdamonds up through sysfs and reads what they saw; takes away what it has set up, and nothing else.
 */
#include "kernel/damon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define KDAMONDS "sys/kernel/mm/damon/admin/kdamonds"
#define CONTEXT KDAMONDS "/%zu/contexts/0"
#define SCHEME CONTEXT "/schemes/0"
#define US_PER_SECOND UINT64_C(1000000)
#define NS_PER_US 1000u
/* Samples to an aggregation, and aggregations to the time asked for. */
#define SAMPLES 20u
#define AGGREGATIONS 20u
#define REGIONS_MIN 10u
#define REGIONS_MAX 1000u

/* A decimal number in a file, or negative errno. */
__attribute__((format(printf, 2, 3))) static int64_t read_number(const struct kroot *root,
								 const char *format, ...)
{
	char path[160], text[32];
	va_list args;

	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	ssize_t len = kroot_read(root, text, sizeof(text), "%s", path);

	return len < 0 ? len : (int64_t)strtoull(text, NULL, 10);
}

static int64_t kdamonds(const struct kroot *root)
{
	return read_number(root, KDAMONDS "/nr_kdamonds");
}

unsigned int damon_running(const struct kroot *root)
{
	int64_t count = kdamonds(root);
	unsigned int running = 0;

	for (int64_t i = 0; i < count && i < 1024; i++) {
		char text[32];
		ssize_t len = kroot_read(root, text, sizeof(text), KDAMONDS "/%d/state", (int)i);

		running += len > 0 && strncmp(text, "on", 2) == 0;
	}
	return running;
}

/* Which operations there are, sysfs tells only of a context that was made; the kernel's symbols tell always. */
static int has_vaddr_symbol(const struct kroot *root)
{
	struct kbuf text = { 0 };
	ssize_t len = kroot_slurp(root, &text, "proc/kallsyms");
	int found = len < 0 ? (int)len : strstr(text.data, " damon_va_") != NULL;

	kbuf_free(&text);
	return found;
}

int damon_vaddr_works(const struct kroot *root)
{
	int64_t count = kdamonds(root);

	if (count < 0)
		return count == -ENOENT || count == -ENOTDIR ? 0 : (int)count;
	int there = has_vaddr_symbol(root);

	return there == 1 && count > 0 ? -EBUSY : there;
}

/* ---- setting up ----------------------------------------------------------------------------- */

static int set(const struct damon *damon, size_t i, const char *file, const char *value)
{
	return kroot_write(damon->root, value, CONTEXT "/%s", i, file);
}

static int set_number(const struct damon *damon, size_t i, const char *file, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return set(damon, i, file, text);
}

static int set_state(const struct damon *damon, size_t i, const char *state)
{
	return kroot_write(damon->root, state, KDAMONDS "/%zu/state", i);
}

struct setting {
	const char *file, *value;
};

/* One scheme that does nothing but tell which regions it would apply to: those without accesses. */
static const struct setting settings[] = {
	{ "operations", "fvaddr" },
	{ "targets/nr_targets", "1" },
	{ "schemes/nr_schemes", "1" },
	{ "schemes/0/action", "stat" },
	{ "schemes/0/access_pattern/sz/min", "0" },
	{ "schemes/0/access_pattern/sz/max", "18446744073709551615" },
	{ "schemes/0/access_pattern/nr_accesses/min", "0" },
	{ "schemes/0/access_pattern/nr_accesses/max", "0" },
	{ "schemes/0/access_pattern/age/min", "0" },
	{ "schemes/0/access_pattern/age/max", "4294967295" },
};

/* Only these ranges: by itself DAMON would watch the gaps between a program's mappings too. */
static int set_ranges(const struct damon *damon, size_t i, const struct damon_target *target)
{
	int err = set_number(damon, i, "targets/0/regions/nr_regions", target->count);

	for (size_t r = 0; r < target->count && !err; r++) {
		char file[64];

		snprintf(file, sizeof(file), "targets/0/regions/%zu/start", r);
		err = set_number(damon, i, file, target->ranges[r].start);
		snprintf(file, sizeof(file), "targets/0/regions/%zu/end", r);
		if (!err)
			err = set_number(damon, i, file, target->ranges[r].end);
	}
	return err;
}

/* How often to look, and how finely. */
static int set_pace(const struct damon *damon, size_t i, size_t ranges)
{
	uint64_t us = damon->aggregation_us;
	const struct {
		const char *file;
		uint64_t value;
	} paces[] = {
		{ "monitoring_attrs/intervals/sample_us", us / SAMPLES },
		{ "monitoring_attrs/intervals/aggr_us", us },
		{ "monitoring_attrs/intervals/update_us", us * 4 },
		/* The smaller of the two has to be set first, and both have defaults. */
		{ "monitoring_attrs/nr_regions/max",
		  ranges * 4 > REGIONS_MAX ? ranges * 4 : REGIONS_MAX },
		{ "monitoring_attrs/nr_regions/min", REGIONS_MIN },
	};
	int err = 0;

	for (size_t p = 0; p < sizeof(paces) / sizeof(paces[0]) && !err; p++)
		err = set_number(damon, i, paces[p].file, paces[p].value);
	return err;
}

static int set_up(const struct damon *damon, size_t i, const struct damon_target *target)
{
	int err = kroot_write(damon->root, "1", KDAMONDS "/%zu/contexts/nr_contexts", i);

	for (size_t s = 0; !err && s < sizeof(settings) / sizeof(settings[0]); s++)
		err = set(damon, i, settings[s].file, settings[s].value);
	if (!err)
		err = set_number(damon, i, "targets/0/pid_target", (uint64_t)target->pid);
	if (!err)
		err = set_ranges(damon, i, target);
	if (!err)
		err = set_pace(damon, i, target->count);
	return err ? err : set_state(damon, i, "on");
}

static int tell_busy(const struct kroot *root, struct memoir_error *error)
{
	int64_t there = kdamonds(root);

	if (there == -ENOENT || there == -ENOTDIR)
		return error_set(error, -EOPNOTSUPP,
				 "this kernel has no DAMON in sysfs (CONFIG_DAMON_SYSFS, Linux "
				 "5.18); take other --means");
	if (there < 0)
		return error_set(error, (int)there, "DAMON can't be used: %s",
				 strerror((int)-there));
	if (there > 0)
		return error_set(error, -EBUSY,
				 "somebody else uses DAMON here (/" KDAMONDS "/nr_kdamonds is "
				 "%d, not 0); take other --means, or end that use first",
				 (int)there);
	return 0;
}

static int tell_failed(int err, pid_t pid, struct memoir_error *error)
{
	if (err == -EINVAL || err == -ENOENT)
		return error_set(error, -EOPNOTSUPP,
				 "this kernel's DAMON can't watch process %d (it needs "
				 "CONFIG_DAMON_VADDR and Linux 6.2): %s",
				 (int)pid, strerror(-err));
	return error_set_about(error, err, pid, "", "DAMON could not be set on process %d: %s",
			       (int)pid, strerror(-err));
}

int damon_begin(const struct kroot *root, const struct damon_target *targets, size_t count,
		uint64_t interval_ns, struct damon *ret_damon, struct memoir_error *error)
{
	struct damon damon = { .root = root, .count = count };
	uint64_t us = interval_ns / NS_PER_US / AGGREGATIONS;
	char number[24];
	int err = tell_busy(root, error);

	if (err)
		return err;
	if (count > DAMON_PROCESSES_MAX)
		return error_set(
			error, -E2BIG,
			"DAMON is used for up to %d processes, and %zu match; select fewer",
			DAMON_PROCESSES_MAX, count);
	damon.aggregation_us = us < US_PER_SECOND / 10  ? US_PER_SECOND / 10
			       : us > US_PER_SECOND * 5 ? US_PER_SECOND * 5
							: us;
	snprintf(number, sizeof(number), "%zu", count);
	err = kroot_write(root, number, KDAMONDS "/nr_kdamonds");
	if (err)
		return error_set(error, err, "DAMON could not be set up: %s", strerror(-err));
	for (size_t i = 0; i < count; i++) {
		err = set_up(&damon, i, &targets[i]);
		if (!err)
			continue;
		damon_end(&damon);
		return tell_failed(err, targets[i].pid, error);
	}
	*ret_damon = damon;
	return 0;
}

void damon_end(struct damon *damon)
{
	for (size_t i = 0; i < damon->count; i++)
		set_state(damon, i, "off");
	kroot_write(damon->root, "0", KDAMONDS "/nr_kdamonds");
}

/* ---- reading -------------------------------------------------------------------------------- */

int damon_idle(const struct damon *damon, size_t i, uint64_t age_ns,
	       void (*each)(uint64_t start, uint64_t end, void *arg), void *arg)
{
	uint64_t age = age_ns / NS_PER_US / damon->aggregation_us;
	/* Returns when the next aggregation is over. */
	int err = set_state(damon, i, "update_schemes_tried_regions");

	if (err)
		return err == -EINVAL ? -ESRCH : err;
	for (size_t r = 0;; r++) {
		int64_t start = read_number(damon->root, SCHEME "/tried_regions/%zu/start", i, r);
		int64_t end = read_number(damon->root, SCHEME "/tried_regions/%zu/end", i, r);
		int64_t seen = read_number(damon->root, SCHEME "/tried_regions/%zu/age", i, r);

		if (start < 0 || end < 0 || seen < 0)
			return 0;
		if ((uint64_t)seen >= age)
			each((uint64_t)start, (uint64_t)end, arg);
	}
}
