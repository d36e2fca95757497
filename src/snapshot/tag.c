// SPDX-License-Identifier: MIT
/*
 * Gives tags to buffers and takes them away; decides no row's tag (tags.c).
 */
#include <memoir/tag.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/utf8.h"
#include "kernel/dmabuf_name.h"
#include "snapshot/capture.h"
#include "snapshot/tag_links.h"

#define KERNEL "kernel"
#define LOOKING                                                                                 \
	"it needs the same user and a program that may be looked at, or CAP_SYS_PTRACE in the " \
	"user namespace of the process (run memoir as root, or give it the capability)"

struct tagging {
	struct memoir *memoir;
	const struct memoir_snapshot *snapshot;
	const struct memoir_object *object;
	char id[MEMOIR_OBJECT_ID_MAX];
	const char *tag;
	const char *kept_in;
	struct memoir_error *error;
};

/* ---- what a tag may be ---------------------------------------------------------------------- */

static bool is_plain(const char *text, size_t len)
{
	uint32_t code;

	for (size_t at = 0, n; at < len; at += n) {
		n = utf8_decode(text + at, len - at, &code);
		if (!n || utf8_deceives(code))
			return false;
	}
	return true;
}

static int check_tag(const struct tagging *t)
{
	bool dmabuf = t->object->kind == MEMOIR_KIND_DMABUF;
	size_t most = dmabuf ? MEMOIR_DMABUF_TAG_BYTES_MAX : MEMOIR_TAG_BYTES_MAX;
	size_t len = t->tag ? strlen(t->tag) : 1;

	if (!len)
		return error_set(t->error, -EINVAL,
				 "an empty tag is none: to take a tag away, use --clear");
	if (len > most)
		return error_set(t->error, -EINVAL,
				 "a tag of %zu bytes is too long: %zu bytes are the most%s", len,
				 most, dmabuf ? " that the kernel keeps of a dma-buf" : "");
	if (t->tag && !is_plain(t->tag, len))
		return error_set(t->error, -EINVAL,
				 "a tag has to be UTF-8 without control characters and what else "
				 "changes how a line looks");
	return 0;
}

/* ---- dma-bufs ------------------------------------------------------------------------------- */

static int refuse_fd(const struct tagging *t, pid_t pid, enum dmabuf_step step, int err)
{
	if (err == -ENOSYS)
		return error_set_about(t->error, err, pid, NULL,
				       "this kernel has no pidfd_getfd: tags of dma-bufs need "
				       "Linux 5.6");
	if (step == DMABUF_FD && err == -EPERM)
		return error_set_about(t->error, err, pid, NULL,
				       "an fd of %s can't be had from process %d (%s): " LOOKING
				       "; Yama (kernel.yama.ptrace_scope) may ask for it even from "
				       "the same user",
				       t->id, (int)pid, strerror(-err));
	if (step == DMABUF_RENAME && err == -EBUSY)
		return error_set_about(t->error, err, pid, NULL,
				       "%s is in use by a device, and then kernels before 5.17 "
				       "take no name for it",
				       t->id);
	if (step == DMABUF_RENAME && (err == -ENOTTY || err == -EINVAL))
		return error_set_about(t->error, err, pid, NULL,
				       "this kernel takes no name for %s (%s): DMA_BUF_SET_NAME "
				       "needs Linux 5.3",
				       t->id, strerror(-err));
	return error_set_about(t->error, err, pid, NULL,
			       "%s can't be named by the fd that process %d has: %s", t->id,
			       (int)pid, strerror(-err));
}

/* Of those that have an fd, the first that lends it. */
static int tag_dmabuf(struct tagging *t)
{
	const struct memoir_snapshot *s = t->snapshot;
	uint32_t object = (uint32_t)(t->object - s->objects);
	uint32_t dev = t->object->dev_major << 20 | t->object->dev_minor;
	int err = 0;

	for (size_t i = 0; i < s->holder_count; i++) {
		pid_t pid = s->processes[s->holders[i].process].pid;
		enum dmabuf_step step;

		if (s->holders[i].object != object)
			continue;
		err = dmabuf_set_name(pid, s->holders[i].fd, dev, t->object->inode,
				      t->tag ? t->tag : "", &step);
		if (!err || step == DMABUF_RENAME)
			return err ? refuse_fd(t, pid, step, err) : 0;
		refuse_fd(t, pid, step, err);
	}
	return err ? err
		   : error_set(t->error, -EOPNOTSUPP,
			       "%s can't be tagged: no process has an fd of it, by which alone the "
			       "kernel takes its name",
			       t->id);
}

/* ---- links ---------------------------------------------------------------------------------- */

static int refuse_object(const struct tagging *t, int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return error_set(t->error, err,
				 "%s can't be tagged: nothing tells it from others that have "
				 "this id later",
				 t->id);
	case -ESTALE:
	case -ENOENT:
	case -ESRCH:
		return error_set(t->error, -ESTALE, "%s is gone", t->id);
	case -EXDEV:
		return error_set(t->error, err,
				 "%s is a segment of another IPC namespace: run memoir there "
				 "(nsenter -i)",
				 t->id);
	case -EPERM:
	case -EACCES:
		return error_set(t->error, err,
				 "%s may not be looked at (%s), so that a tag can't be bound to "
				 "it: of what is only mapped this needs CAP_SYS_ADMIN or "
				 "CAP_CHECKPOINT_RESTORE, of what is open the right to look at "
				 "a process that has it (run memoir as root)",
				 t->id, strerror(-err));
	case -ENOMEM:
		return error_set(t->error, err, "out of memory");
	default:
		return error_set(t->error, err, "%s can't be looked at: %s", t->id, strerror(-err));
	}
}

static int refuse_directory(const struct tagging *t, const char *base, int err)
{
	const char *dir = t->kept_in;

	switch (err) {
	case -EPERM:
		return error_set_about(t->error, err, 0, dir,
				       "tags in %s can't be trusted: it, or a directory above it, "
				       "is somebody else's, or others may write to it",
				       dir);
	case -EACCES:
	case -EROFS:
		return error_set_about(t->error, err, 0, dir,
				       "tags can't be written to %s (%s): %s has to be a directory "
				       "that this user may write to",
				       dir, strerror(-err), base);
	case -ENOENT:
		return error_set_about(t->error, err, 0, base,
				       "there is no directory %s to keep tags in: log in so that "
				       "XDG_RUNTIME_DIR is there, or run memoir as root",
				       base);
	case -ENOSPC:
		return error_set_about(t->error, err, 0, dir,
				       "there is no room for more tags in %s (%u are the most): "
				       "memoir tag --gc drops those whose object is gone",
				       dir, LINKS_MAX);
	default:
		return error_set_about(t->error, err, 0, dir, "%s can't be used: %s", dir,
				       strerror(-err));
	}
}

static const char *own_base(const struct memoir *memoir)
{
	return geteuid() ? memoir->runtime_dir : TAGS_ROOT_BASE;
}

/* Kept with the context: callers are shown it. NULL: no memory. */
static const char *own_directory(struct memoir *memoir, const char *base)
{
	if (!memoir->tags_dir && asprintf(&memoir->tags_dir, "%s/memoir/" TAGS_NAME, base) < 0)
		memoir->tags_dir = NULL;
	return memoir->tags_dir;
}

/* 1: there was nothing to do. */
static int write_link(const struct tagging *t, const char *base, const char *word)
{
	struct links *links;
	int err = links_open(base, TAGS_NAME, geteuid(), t->tag, &links);

	if (err)
		return !t->tag && err == -ENOENT ? 1 : refuse_directory(t, base, err);
	err = t->tag ? links_set(links, word, t->tag) : links_remove(links, word);
	links_close(links);
	if (t->tag && err >= 0)
		return !err;
	if (!t->tag && (!err || err == -ENOENT))
		return err ? 1 : 0;
	return refuse_directory(t, base, err);
}

static int tag_by_link(struct tagging *t)
{
	struct tag_sights sights = tag_sights_of(t->memoir, t->snapshot);
	const char *base = own_base(t->memoir);
	char word[TAG_WORD_MAX];
	int err = tag_word_of(&sights, (uint32_t)(t->object - t->snapshot->objects), word);

	tag_sights_free(&sights);
	if (err)
		return refuse_object(t, err);
	if (!base)
		return error_set(t->error, -ENOENT,
				 "there is no directory to keep tags in: XDG_RUNTIME_DIR is not "
				 "set (log in so that it is, or run memoir as root)");
	t->kept_in = own_directory(t->memoir, base);
	if (!t->kept_in)
		return error_set(t->error, -ENOMEM, "out of memory");
	return write_link(t, base, word);
}

int memoir_tag(struct memoir *memoir, const struct memoir_snapshot *snapshot,
	       const struct memoir_object *object, const char *tag, const char **ret_kept_in,
	       struct memoir_error *error)
{
	struct tagging t = { memoir, snapshot, object, "", tag, KERNEL, error };
	int err;

	memoir_object_id(object, t.id);
	if (!kroot_is_live(memoir->root))
		return error_set(error, -EOPNOTSUPP, "only what is on this machine can be tagged");
	if (!memoir_object_is_buffer(object))
		return error_set(error, -EOPNOTSUPP,
				 "%s can't be tagged: it is no shared buffer (memoir buffers lists "
				 "those)",
				 t.id);
	err = check_tag(&t);
	if (!err)
		err = object->kind == MEMOIR_KIND_DMABUF ? tag_dmabuf(&t) : tag_by_link(&t);
	if (err >= 0 && ret_kept_in)
		*ret_kept_in = t.kept_in;
	return err;
}
