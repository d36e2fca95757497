// SPDX-License-Identifier: MIT
/*
 * The paths of files that a walk meets. A program that holds the lock sends them; one that doesn't sends those of memfds
 * only, and then the others are asked for, once for each file, by a mapping that is compared with what was seen.
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
		free(walk->paths[i]);
		walk->paths[i] = NULL;
	}
	if (walk->maps_fd >= 0)
		close(walk->maps_fd);
	walk->maps_fd = -1;
}

int walk_keep_path(struct walk *walk, uint32_t id, const char *path, size_t length)
{
	size_t room = walk->path_room;
	char **paths;

	/* Who walks second may have come first to what the other one sends: it is good as it is, and in use. */
	if (id < walk->path_room && walk->paths[id])
		return 0;
	paths = grow(walk->paths, &room, (size_t)id + 1, sizeof(*paths));

	if (!paths)
		return -ENOMEM;
	memset(paths + walk->path_room, 0, (room - walk->path_room) * sizeof(*paths));
	walk->paths = paths;
	walk->path_room = room;
	paths[id] = strndup(path, length);
	return paths[id] ? 0 : -ENOMEM;
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
	       (object->stacked ||
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
	return *path == '/' || !(vma->bits & WALK_NAMED) ||
	       process_mapped_path(walk->root, (pid_t)vma->tgid, vma->start, vma->end, path,
				   size) == 0;
}

const char *walk_path(struct walk *walk, const struct walk_vma *vma,
		      const struct walk_object *object)
{
	char path[PATH_MAX];

	if (object->path < walk->path_room && walk->paths[object->path])
		return walk->paths[object->path];
	/* What can't be told by this mapping may be by the next one. */
	if (!walk_is_lockless(walk) || !ask(walk, vma, object, path, sizeof(path)) ||
	    walk_keep_path(walk, object->path, path, strlen(path)) < 0)
		return "";
	return walk->paths[object->path];
}
