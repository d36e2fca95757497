// SPDX-License-Identifier: MIT
/*
 * DRM clients: what a graphics driver keeps for one open device file (Documentation/gpu/drm-usage-stats).
 * fdinfo has the sums by region of memory, no handles: a client is a buffer for each region. What
 * other clients have too is shared, and is in the sums of each of them.
 */
#include <ctype.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "buffers/class.h"

#define DRM_MAJOR 226u

static bool is(const struct buffer_clues *clues)
{
	return S_ISCHR(clues->mode) && clues->rdev >> 20 == DRM_MAJOR;
}

/* Names that drivers give to system memory: system0, gtt, cpu, memory. All else is the device's own. */
static bool is_ram(const char *region)
{
	static const char *const names[] = { "system", "gtt", "cpu", "memory", "smem" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(region, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The part of a region, made at first sight; NULL: there are too many. */
static struct buffer_part *part_of(struct buffer_facts *facts, const char *region)
{
	struct buffer_part *part;

	for (size_t i = 0; i < facts->part_count; i++)
		if (strcmp(facts->parts[i].tag, region) == 0)
			return &facts->parts[i];
	if (facts->part_count == BUFFER_PARTS_MAX || strlen(region) >= sizeof(part->tag))
		return NULL;
	part = &facts->parts[facts->part_count++];
	*part = (struct buffer_part){ .in_ram = is_ram(region) };
	copy_text(part->tag, sizeof(part->tag), region, strlen(region));
	return part;
}

/* drm-memory-REGION is what older drivers have: resident memory. */
static void region_line(struct buffer_facts *facts, const char *key, const char *value)
{
	static const char *const keys[] = { "drm-total-", "drm-shared-", "drm-resident-",
					    "drm-memory-" };
	struct buffer_part *part;
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strncmp(key, keys[i], strlen(keys[i])) != 0 || !parse_bytes(value, &bytes))
			continue;
		part = part_of(facts, key + strlen(keys[i]));
		if (!part)
			return;
		if (i == 0 || (i == 3 && !part->size_bytes))
			part->size_bytes = bytes;
		if (i == 1)
			part->shared_bytes = bytes;
		if (i == 2 || (i == 3 && !part->resident_known)) {
			part->resident_bytes = bytes;
			part->resident_known = true;
		}
		return;
	}
}

static void line(struct buffer_facts *facts, const char *key, const char *value)
{
	if (strcmp(key, "drm-driver") == 0)
		copy_text(facts->exporter, sizeof(facts->exporter), value, strlen(value));
	else if (strcmp(key, "drm-pdev") == 0)
		copy_text(facts->device, sizeof(facts->device), value, strlen(value));
	else if (strcmp(key, "drm-client-id") == 0 && isdigit((unsigned char)*value))
		facts->id = strtoull(value, NULL, 10);
	else
		region_line(facts, key, value);
}

const struct buffer_class drm_class = {
	.what = "memory of a DRM client",
	.kind = BUFFER_DRM,
	.is = is,
	.line = line,
};
