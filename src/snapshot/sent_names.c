// SPDX-License-Identifier: MIT
/*
 * Name tables that came with the walk, which is how most come: they are gone through while the kernel goes on to the
 * next processes. Reads no memory of processes; what is not at hand here is left to name_tables.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names/format.h"
#include "snapshot/naming.h"

_Static_assert(WALK_NAMES_BLOCK_BYTES == NAME_BLOCK_BYTES, "a block is a block");
_Static_assert(WALK_NAMES_HEADER * 8 == sizeof(struct name_header), "all of the header");

struct sent {
	const struct capture *c;
	uint32_t process;
};

static int read_header(const struct walk_names *sent, void *buffer, size_t bytes)
{
	if (bytes > sizeof(sent->header))
		return -ENODATA;
	memcpy(buffer, sent->header, bytes);
	return 0;
}

/* Of one block: the reader of a small table asks for nothing else. What was not sent of it has nothing in it. */
static int read_sent(void *arg, uint64_t addr, void *buffer, size_t bytes)
{
	const struct sent *s = arg;
	const struct walk_names *sent = s->c->naming->sent;
	const struct name_header *header = (const void *)sent->header;
	uint64_t offset = addr - header->segments[0], at = offset % NAME_BLOCK_BYTES;
	const char *block = sent->bytes;

	if (addr == sent->anchor)
		return read_header(sent, buffer, bytes);
	for (uint32_t i = 0; i < sent->count; block += sent->blocks[i++].bytes) {
		size_t left = sent->blocks[i].bytes > at ? sent->blocks[i].bytes - at : 0;

		if (sent->blocks[i].block != offset / NAME_BLOCK_BYTES)
			continue;
		if (bytes > NAME_BLOCK_BYTES - at)
			return -ENODATA;
		left = left < bytes ? left : bytes;
		memcpy(buffer, block + at, left);
		memset((char *)buffer + left, 0, bytes - left);
		return 0;
	}
	return -ENODATA;
}

static bool is_private(void *arg, uint64_t addr, uint64_t bytes)
{
	const struct sent *s = arg;

	return naming_is_private(s->c, s->process, addr, bytes);
}

/*
 * What lies there may be a process's that was passed over. Later ones of a process don't count beside the first; nor does
 * what comes again, when the stream had no room for the anchor's page: it only says that it came before.
 */
int capture_sent_names(struct capture *c, uint32_t region, const struct walk_names *names)
{
	struct naming *n = naming_of(c);
	const struct region *anchor = capture_region(c, region);

	if (!n)
		return -ENOMEM;
	if (n->sent_by == region || !capture_is_anchor(c, anchor) ||
	    c->notes[anchor->process].anchors != 1 || anchor->start != names->anchor ||
	    names->head.bytes > sizeof(n->sent_room))
		return 0;
	memcpy(n->sent_room, names, names->head.bytes);
	n->sent = (const void *)n->sent_room;
	n->sent_by = region;
	return 0;
}

/* ---- tables --------------------------------------------------------------------------------- */

static const struct name_header *header_of(const struct naming *n)
{
	return (const void *)n->sent->header;
}

static void make_key(const struct capture *c, const struct region *anchor, struct kept_key *key)
{
	const struct memoir_process *p = &c->snap->processes[anchor->process];

	/* It is compared as a whole. */
	memset(key, 0, sizeof(*key));
	key->pid = p->pid;
	key->start_ticks = p->start_ticks;
	key->start_stack = c->notes[anchor->process].start_stack;
	key->anchor = anchor->start;
	key->inode = anchor->object != MEMOIR_NONE ? c->snap->objects[anchor->object].inode : 0;
	key->generation = c->naming->sent->generation;
}

/* As it was when it was kept; its memory may have become another's. NULL: it is to be read elsewhere. */
static const struct kept_table *find_kept(struct capture *c, uint32_t process,
					  const struct kept_key *key)
{
	const struct kept_table *kept =
		c->memoir->kept_names ? kept_names_find(c->memoir->kept_names, key) : NULL;

	return kept && !kept->elsewhere && naming_is_private(c, process, kept->space, kept->bytes)
		       ? kept
		       : NULL;
}

/* What announces something or is about others is for name_tables.c. */
static int take_sent(struct capture *c, uint32_t process, const struct kept_key *key,
		     struct names_table *ret_table)
{
	struct sent sent = { c, process };
	const struct names_source source = {
		.read = read_sent,
		.is_private = is_private,
		.arg = &sent,
	};
	const struct name_header *header = header_of(c->naming);
	int err = -ENODATA;

	if (!header->subject_pid)
		err = names_reader_read(c->naming->reader, &source, key->anchor, ret_table);
	if (!err && ret_table->announced_count)
		err = -ENODATA;
	if (c->memoir->kept_names && c->naming->sent->settled && err != -ENOMEM)
		kept_names_keep(c->memoir->kept_names, key, err ? NULL : ret_table,
				header->segments[0], header->used_bytes);
	return err;
}

int capture_name_walked(struct capture *c)
{
	struct naming *n = c->naming;
	const struct region *anchor;
	const struct kept_table *kept;
	struct names_table table;
	struct kept_key key;
	uint32_t process;
	int err;

	if (!n || n->sent_by == MEMOIR_NONE)
		return 0;
	anchor = capture_region(c, n->sent_by);
	process = anchor->process;
	n->sent_by = MEMOIR_NONE;
	/* Who was not asked for says nothing; but of others it may. */
	if (!c->snap->processes[process].in_scope) {
		c->notes[process].names_taken = n->sent->count && !header_of(n)->subject_pid;
		return 0;
	}
	make_key(c, anchor, &key);
	if (!n->sent->count) {
		kept = find_kept(c, process, &key);
		c->notes[process].names_taken = kept;
		return kept ? naming_later(c, process, kept) : 0;
	}
	err = take_sent(c, process, &key, &table);
	c->notes[process].names_taken = !err;
	if (err)
		return err == -ENOMEM ? err : 0;
	return naming_process(c, process, &table);
}
