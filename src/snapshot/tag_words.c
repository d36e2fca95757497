// SPDX-License-Identifier: MIT
/*
 * The words by which tags are bound to objects: an id, and what tells its object from one that has the same
 * numbers later. Reads no tags.
 */
#include "snapshot/tag_links.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kernel/birth.h"
#include "kernel/sysv.h"
#include "snapshot/capture.h"

/* ---- where objects can be looked at --------------------------------------------------------- */

struct tag_sights tag_sights_of(struct memoir *memoir, const struct memoir_snapshot *snapshot)
{
	(void)snapshot_regions(snapshot);
	return (struct tag_sights){ .memoir = memoir, .snapshot = snapshot };
}

void tag_sights_free(struct tag_sights *sights)
{
	free(sights->holders);
	free(sights->mappings);
	sights->holders = sights->mappings = NULL;
}

/* Downwards, so that the first one stays. */
static void find_sights(struct tag_sights *sights)
{
	const struct memoir_snapshot *s = sights->snapshot;

	for (size_t i = 0; i < s->object_count; i++)
		sights->holders[i] = sights->mappings[i] = MEMOIR_NONE;
	for (size_t i = s->holder_count; i-- > 0;)
		sights->holders[s->holders[i].object] = (uint32_t)i;
	for (size_t i = snapshot_mapping_count(s); i-- > 0;) {
		uint32_t object = snapshot_mapping(s, i).object;

		if (object != MEMOIR_NONE)
			sights->mappings[object] = (uint32_t)i;
	}
}

static int make_sights(struct tag_sights *sights)
{
	size_t count = sights->snapshot->object_count + 1;

	if (sights->holders)
		return 0;
	sights->holders = calloc(count, sizeof(*sights->holders));
	sights->mappings = calloc(count, sizeof(*sights->mappings));
	if (!sights->holders || !sights->mappings) {
		tag_sights_free(sights);
		return -ENOMEM;
	}
	find_sights(sights);
	return 0;
}

/* ---- files of tmpfs: when they were made ---------------------------------------------------- */

#define ASKED_MAX 16 /* holders may be gone: then the next one is asked */

static int birth_by_holders(const struct tag_sights *sights, uint32_t object,
			    const struct file_number *number, uint64_t *ret_birth_ns)
{
	const struct memoir_snapshot *s = sights->snapshot;
	size_t first = sights->holders[object];
	int err = -ESTALE;

	if (first == MEMOIR_NONE)
		return -ESTALE;
	for (size_t i = first; i < s->holder_count && s->holders[i].object == object; i++) {
		const struct memoir_holder *holder = &s->holders[i];

		err = birth_of_open(sights->memoir->root, s->processes[holder->process].pid,
				    holder->fd, number, ret_birth_ns);
		if (!err || i - first == ASKED_MAX)
			return err;
	}
	return err;
}

static int file_birth(const struct tag_sights *sights, uint32_t object, uint64_t *ret_birth)
{
	const struct memoir_snapshot *s = sights->snapshot;
	const struct memoir_object *o = &s->objects[object];
	const struct file_number number = { o->dev_major << 20 | o->dev_minor, o->inode };
	int err = birth_by_holders(sights, object, &number, ret_birth);

	if (!err || sights->mappings[object] == MEMOIR_NONE)
		return err;
	const struct mapping mapping = snapshot_mapping(s, sights->mappings[object]);

	return birth_of_mapped(sights->memoir->root, s->processes[mapping.process].pid,
			       mapping.start, mapping.end, mapping.path, &number, ret_birth);
}

/* ---- segments: who made them ---------------------------------------------------------------- */

struct search {
	uint64_t id, made_by; /* 0: not found */
};

static void take_segment(const struct sysv_segment *segment, void *arg)
{
	struct search *search = arg;
	const struct {
		int32_t key, maker_pid;
		uint32_t maker_uid, unused;
	} made_by = { segment->key, segment->maker_pid, segment->maker_uid, 0 };

	if (segment->id == search->id)
		search->made_by = XXH3_64bits(&made_by, sizeof(made_by)) | 1;
}

static int segment_maker(const struct tag_sights *sights, uint32_t object, uint64_t *ret_maker)
{
	const struct memoir_snapshot *s = sights->snapshot;
	const struct kroot *root = sights->memoir->root;
	struct search search = { .id = s->objects[object].inode };
	uint32_t mapping = sights->mappings[object];

	/* One that no process has attached is of the list itself. */
	if (mapping != MEMOIR_NONE &&
	    !sysv_shows(root, s->processes[snapshot_mapping(s, mapping).process].pid))
		return -EXDEV;
	int err = sysv_each(root, take_segment, &search);

	if (!err && !search.made_by)
		return -ESTALE;
	*ret_maker = search.made_by;
	return err;
}

/* ---- words ---------------------------------------------------------------------------------- */

/*
 * 0: nothing is needed besides the number. That is so of the kernel's own mount of shmem, which gives numbers of
 * 64 bits, each once. The last three have to do with theirs, of 32 bits, as nothing else is told of them.
 */
static int difference_of(struct tag_sights *sights, uint32_t object, uint64_t *ret_difference)
{
	*ret_difference = 0;
	switch (sights->snapshot->objects[object].kind) {
	case MEMOIR_KIND_SHMEM:
		return file_birth(sights, object, ret_difference);
	case MEMOIR_KIND_SYSV:
		return segment_maker(sights, object, ret_difference);
	case MEMOIR_KIND_MEMFD:
	case MEMOIR_KIND_SHARED_ANON:
	case MEMOIR_KIND_HUGETLB:
	case MEMOIR_KIND_SECRETMEM:
	case MEMOIR_KIND_GUEST_MEMFD:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

int tag_word_of(struct tag_sights *sights, uint32_t object, char word[TAG_WORD_MAX])
{
	const struct memoir_object *o = &sights->snapshot->objects[object];
	char id[MEMOIR_OBJECT_ID_MAX];
	uint64_t difference;
	int err = make_sights(sights);

	/* The order of aliases is of one capture only. */
	if (!err && (o->is_family || o->alias))
		err = -EOPNOTSUPP;
	if (!err)
		err = difference_of(sights, object, &difference);
	if (err)
		return err;
	memoir_object_id(o, id);
	if (difference)
		snprintf(word, TAG_WORD_MAX, "%s@%016" PRIx64, id, difference);
	else
		snprintf(word, TAG_WORD_MAX, "%s", id);
	return 0;
}
