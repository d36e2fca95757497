// SPDX-License-Identifier: MIT
/*
 * The table of classes of shared buffers, and what they share; knows no class closer than by its table.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "buffers/class.h"

/* The closer ones first. */
const struct buffer_class *const buffer_classes[] = {
	&hugetlb_class,   &udmabuf_class,  &dmabuf_class,      &drm_class,
	&memfd_class,     &sysv_class,     &shared_anon_class, &shmem_class,
	&secretmem_class, &io_uring_class, &guest_memfd_class, NULL,
};

const struct buffer_class *buffer_class_of(const struct buffer_clues *clues)
{
	for (const struct buffer_class *const *class = buffer_classes; *class; class ++)
		if ((*class)->is(clues))
			return *class;
	return NULL;
}

const struct buffer_class *buffer_class_of_kind(enum buffer_kind kind)
{
	for (const struct buffer_class *const *class = buffer_classes; *class; class ++)
		if ((*class)->kind == kind)
			return *class;
	return NULL;
}

bool buffer_wants_fdinfo(const struct buffer_class *class, const struct buffer_clues *clues)
{
	return class->line && !(class->complete && class->complete(clues));
}

void buffer_begin(const struct buffer_class *class, const struct buffer_clues *clues,
		  struct buffer_facts *ret_facts)
{
	*ret_facts = (struct buffer_facts){ .size_bytes = clues->size_bytes };
	if (class->tag)
		class->tag(clues, ret_facts);
	if (clues->exporter)
		copy_text(ret_facts->exporter, sizeof(ret_facts->exporter), clues->exporter,
			  strlen(clues->exporter));
}

const struct buffer_class *buffer_settle(const struct buffer_class *class,
					 const struct buffer_clues *clues,
					 struct buffer_facts *facts)
{
	struct buffer_clues closer = *clues;

	if (facts->exporter[0])
		closer.exporter = facts->exporter;
	class = buffer_class_of(&closer);
	if (class && class->settle)
		class->settle(&closer, facts);
	return class;
}

/* ---- texts ---------------------------------------------------------------------------------- */

void copy_text(char *to, size_t room, const char *text, size_t len)
{
	if (len >= room)
		len = room - 1;
	memcpy(to, text, len);
	to[len] = '\0';
}

void tag_by_path(const struct buffer_clues *clues, size_t skip, bool deleted,
		 struct buffer_facts *facts)
{
	static const char mark[] = " (deleted)";
	size_t len = clues->path ? strlen(clues->path) : 0, tail = sizeof(mark) - 1;

	if (len <= skip)
		return;
	if (deleted && len >= skip + tail && strcmp(clues->path + len - tail, mark) == 0)
		len -= tail;
	copy_text(facts->tag, sizeof(facts->tag), clues->path + skip, len - skip);
}

/* ---- numbers -------------------------------------------------------------------------------- */

bool parse_bytes(const char *value, uint64_t *ret_bytes)
{
	static const struct {
		const char *unit;
		unsigned int shift;
	} units[] = { { "", 0 }, { "KiB", 10 }, { "MiB", 20 }, { "GiB", 30 } };
	unsigned long long number;
	char *end;

	if (!isdigit((unsigned char)*value))
		return false;
	errno = 0;
	number = strtoull(value, &end, 10);
	end += strspn(end, " ");
	for (size_t i = 0; !errno && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0 &&
		    number <= (uint64_t)INT64_MAX >> units[i].shift) {
			*ret_bytes = (uint64_t)number << units[i].shift;
			return true;
		}
	return false;
}
