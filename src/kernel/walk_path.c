// SPDX-License-Identifier: MIT
/*
 * The paths of files that a walk meets. A program that holds the lock sends them, and their ids; one that doesn't sends
 * those of memfds only, and then the others are asked for, once for each place in the kernel's memory that a file's path
 * has, by a mapping that is compared with what was seen.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "kernel/process.h"
#include "kernel/procmap.h"
#include "kernel/walk_skeleton.h"

void walk_forget_paths(struct walk *walk)
{
	for (size_t i = 0; i < walk->path_room; i++) {
		free(walk->paths[i].text);
		walk->paths[i] = (struct known_path){ 0 };
	}
	u64map_free(&walk->path_by_place);
	walk->path_count = 0;
	if (walk->maps_fd >= 0)
		close(walk->maps_fd);
	walk->maps_fd = -1;
}

/* Room for a path by its id; NULL: there is no memory. */
static struct known_path *path_of(struct walk *walk, uint32_t id)
{
	size_t room = walk->path_room;
	struct known_path *paths = grow(walk->paths, &room, (size_t)id + 1, sizeof(*paths));

	if (!paths)
		return NULL;
	memset(paths + walk->path_room, 0, (room - walk->path_room) * sizeof(*paths));
	walk->paths = paths;
	walk->path_room = room;
	return &paths[id];
}

int walk_keep_path(struct walk *walk, uint32_t id, const char *path, size_t length)
{
	struct known_path *known = path_of(walk, id);

	if (!known)
		return -ENOMEM;
	if (known->text)
		return 0;
	known->text = strndup(path, length);
	return known->text ? 0 : -ENOMEM;
}

static bool is_at(const struct known_path *known, const struct walk_path *path)
{
	return known->place.mnt == path->mnt && known->place.dentry == path->dentry &&
	       known->place.node == path->node;
}

/* The id of what stands there. Another file may have come to stand where one was. */
static int find_place(struct walk *walk, const struct walk_path *path, uint32_t *ret_id)
{
	uint64_t key = path->dentry ^ path->mnt << 16;
	uint32_t id = u64map_get(&walk->path_by_place, key);
	struct known_path *known;

	if (id == U64MAP_NONE || !is_at(&walk->paths[id], path)) {
		id = ++walk->path_count;
		known = path_of(walk, id);
		if (!known || u64map_set(&walk->path_by_place, key, id) < 0)
			return -ENOMEM;
		known->place = *path;
	}
	*ret_id = id;
	return 0;
}

int walk_enter_object(struct walk *walk, const struct walk_object *object)
{
	const struct walk_text *sent = walk->sent_path;
	int err;

	walk->object = object;
	walk->sent_path = NULL;
	walk->path = object->path.id;
	if (!object->path.dentry)
		return 0;
	err = find_place(walk, &object->path, &walk->path);
	if (!err && sent)
		err = walk_keep_path(walk, walk->path, sent->bytes, sent->len);
	return err;
}

/* A process's new files stand together, so its maps stays open. */
static int open_maps(struct walk *walk, const struct walk_vma *vma)
{
	if (walk->maps_fd >= 0 && walk->maps_tid == vma->tid)
		return walk->maps_fd;
	if (walk->maps_fd >= 0)
		close(walk->maps_fd);
	walk->maps_tid = vma->tid;
	/* A leader that has exited has none. */
	walk->maps_fd = kroot_fd(walk->root, "proc/%u/task/%u/maps", vma->tgid, vma->tid);
	return walk->maps_fd;
}

/* Of a stacked file system's file the kernel shows the inode above, the walk that below. */
static bool is_same(const struct procmap_vma *now, const struct walk_vma *vma,
		    const struct walk_object *object)
{
	return now->start <= vma->start && now->end == vma->end &&
	       (object->path.stacked ||
		(now->inode == object->inode && now->dev_major == object->dev >> 20 &&
		 now->dev_minor == (object->dev & 0xfffff)));
}

static bool ask(struct walk *walk, const struct walk_vma *vma, const struct walk_object *object,
		char *path, size_t size)
{
	int fd = open_maps(walk, vma);
	struct procmap_vma now;

	if (fd < 0 || procmap_query_path(fd, vma->start, &now, path, size) < 0 ||
	    !is_same(&now, vma, object))
		return false;
	/* Shared memory with a name has that instead of its path. */
	return *path != '[' || process_mapped_path(walk->root, (pid_t)vma->tgid, vma->start,
						   vma->end, path, size) == 0;
}

const char *walk_path(struct walk *walk, const struct walk_vma *vma)
{
	char path[PATH_MAX];

	if (!walk->path)
		return "";
	if (walk->path < walk->path_room && walk->paths[walk->path].text)
		return walk->paths[walk->path].text;
	/* What can't be told by this mapping may be by the next one. */
	if (!walk_is_lockless(walk) || !ask(walk, vma, walk->object, path, sizeof(path)) ||
	    walk_keep_path(walk, walk->path, path, strlen(path)) < 0)
		return "";
	return walk->paths[walk->path].text;
}
