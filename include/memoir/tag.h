/* SPDX-License-Identifier: MIT */
/**
 * Tags of shared buffers that somebody else than their maker gives them, and that every later capture shows
 * (tag of struct memoir_object).
 *
 * A dma-buf's tag is kept by the kernel, as if its maker had given it: everybody sees it, it goes with the buffer. All others
 * are links in a directory: of root's in /run/memoir/tags, which everybody believes; of other users' in memoir/tags of their
 * runtime directory (struct memoir_options), which only they believe, before root's. What is no tag of an object that is
 * there is not shown, even if the same numbers are another object's by now: of files in tmpfs the time of birth is compared
 * (Linux 5.18), of System V segments who made them; memfds and shared anonymous memory have numbers that are not used
 * again. Files of huge pages, secret and guest memory have numbers of 32 bits, after which they come again.
 */
#ifndef MEMOIR_TAG_H
#define MEMOIR_TAG_H

#include <memoir/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MEMOIR_TAG_BYTES_MAX 255       /**< of a tag, without its NUL */
#define MEMOIR_DMABUF_TAG_BYTES_MAX 31 /**< of a dma-buf's */

/**
 * @brief Give a buffer a tag, in the place of one that was given before; or take it away.
 *
 * Of a dma-buf: pidfd_getfd(2) (Linux 5.6) of a process that has an fd of it, which needs PTRACE_MODE_ATTACH: the same user
 * and a program that may be looked at, or CAP_SYS_PTRACE; then DMA_BUF_SET_NAME. Of all others: who may look at the buffer
 * (PTRACE_MODE_READ of one that has it), and write to the directory.
 * @param snapshot where the object is of; captured by this context just before
 * @param tag UTF-8 without control characters and what else changes how a line looks; NULL takes it away
 * @param ret_kept_in "kernel", or the directory; belongs to the context; may be NULL
 * @return 0; 1: nothing had to be done; -EINVAL: no such tag; -EOPNOTSUPP: the object is no buffer, or one that nothing tells
 *         from later ones (DRM clients, io_uring), or a dma-buf that no process has an fd of; -ENOENT: there is no directory; -ESTALE:
 *         the object is gone; -EPERM, -EACCES: see above, or the directory can't be trusted; -ENOSPC: too many tags;
 *         -ENOSYS: no pidfd_getfd(2); other errnos. error says what would help.
 */
int memoir_tag(struct memoir *memoir, const struct memoir_snapshot *snapshot,
	       const struct memoir_object *object, const char *tag, const char **ret_kept_in,
	       struct memoir_error *error);

/** A tag in a directory. */
struct memoir_given_tag {
	const char *id; /**< of its object, as memoir_object_id() has it */
	const char *tag;
	const char *directory;
	const struct memoir_object *object; /**< in the snapshot; NULL: not there */
	bool unsure; /**< object NULL, but one of this id may not be looked at: it may be that */
	bool own;    /**< in the directory that memoir_tag() writes to */
	bool dropped;
};

struct memoir_given_tags {
	size_t count;
	struct memoir_given_tag *rows; /**< by id; those of the own directory first */
	size_t strange; /**< entries of the own directory that are no tags: left alone */
	void *memory;   /**< what rows point at */
};

/**
 * @brief All tags that this user believes. O(tags · log tags + regions + holders).
 * @param drop also remove those of the own directory whose object is not in the snapshot, which has to be of
 *        the whole machine, with `buffers`: an object that no process has open or mapped counts as gone. What was tagged
 *        after the snapshot was taken stays.
 * @return 0; -ENOMEM; with drop also what unlinkat(2) says. Free with memoir_given_tags_free().
 */
int memoir_given_tags(struct memoir *memoir, const struct memoir_snapshot *snapshot, bool drop,
		      struct memoir_given_tags *ret_tags, struct memoir_error *error);
void memoir_given_tags_free(struct memoir_given_tags *tags);

#ifdef __cplusplus
}
#endif

#endif
