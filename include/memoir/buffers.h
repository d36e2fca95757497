/* SPDX-License-Identifier: MIT */
/**
 * Shared buffers of a snapshot, who holds them and what each of them costs. Pure: no clock, no kernel.
 */
#ifndef MEMOIR_BUFFERS_H
#define MEMOIR_BUFFERS_H

#include <memoir/select.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where a process maps a buffer. */
struct memoir_range {
	uint64_t start;
	uint64_t end;
};

/** A process and how it holds a buffer. Figures are bytes. */
struct memoir_buffer_holder {
	const struct memoir_process *process;
	const int32_t *fds; /**< rising; each is a reference, also those made by dup(2) */
	uint32_t fd_count;
	const struct memoir_range *ranges; /**< by address; each is a reference */
	uint32_t range_count;
	/** References to what was announced without an fd: whether it is mapped is not known then. */
	uint32_t announced;
	uint64_t mapped_bytes; /**< addresses in these ranges; none where announced */
	uint64_t rss_bytes;    /**< what of it is in the process's rss; see mapped_known */
	/** own_bytes of the buffer, split evenly over the processes that hold it. */
	uint64_t share_bytes;
	uint64_t mapped_share_bytes; /**< its part of the process's pss; see mapped_known */
	/** What of own_bytes no process has in its rss, split evenly over those that hold it. */
	uint64_t extra_bytes;
	uint64_t unique_bytes; /**< own_bytes if nobody else holds it, else 0 */
	bool mapped_known;     /**< false: this process's memory could not be read, or announced */
	bool shares_known;     /**< share, extra and unique: not if own_bytes is not known */
};

/** How often it holds the buffer: fds, mappings, and what was announced. */
static inline uint32_t memoir_buffer_references(const struct memoir_buffer_holder *holder)
{
	return holder->fd_count + holder->range_count + holder->announced;
}

/** A buffer; or (object NULL) shared memory of which the kernel does not say what it is. */
struct memoir_buffer {
	const struct memoir_object *object;
	const char *kind; /**< memoir_kind_name(), or "in-flight" */
	const char *tag;  /**< NULL: none */
	uint64_t resident_bytes;
	uint64_t own_bytes; /**< of these what counts as no other memory; known where those are */
	bool resident_known;
	uint32_t files_in_flight; /**< of a socket: how many files were passed into it */
	const struct memoir_buffer_holder *holders; /**< in the order of the snapshot's processes */
	uint32_t holder_count;
};

struct memoir_buffers {
	size_t count;
	struct memoir_buffer *rows; /**< by own_bytes, then size_bytes, downwards */
	bool known;                 /**< false: nobody looked who has what open */
	void *memory;               /**< what rows point at */
};

/**
 * @brief All shared buffers that match: `kind:`, `object:`, `path:` and `name:` (the tag) speak of the
 *        buffer, `pid:`, `comm:`, `user:` and `cgroup:` of one of its holders.
 *        O(regions + holders · log holders). Strings and objects belong to the snapshot.
 * @return 0; -ENOMEM. Free with memoir_buffers_free().
 */
int memoir_buffers(const struct memoir_snapshot *snapshot, const struct memoir_selection *selection,
		   struct memoir_buffers *ret_buffers);
void memoir_buffers_free(struct memoir_buffers *buffers);

/** All buffers of one kind that are called the same. */
struct memoir_tag_sum {
	const char *tag; /**< NULL: none */
	const char *kind;
	uint32_t buffers;
	uint32_t processes;
	uint64_t size_bytes;
	uint64_t resident_bytes; /**< of those where it is known */
	uint64_t own_bytes;
	uint64_t swap_bytes;
	uint64_t extra_bytes;
	bool resident_known; /**< of at least one of them */
};

struct memoir_tag_sums {
	size_t count;
	struct memoir_tag_sum *rows; /**< by own_bytes, then size_bytes, downwards */
};

/**
 * @brief Sum buffers by tag and kind. O(holders · log holders). Strings belong to the snapshot.
 * @return 0; -ENOMEM. Free with memoir_tag_sums_free().
 */
int memoir_buffers_by_tag(const struct memoir_buffers *buffers, struct memoir_tag_sums *ret_sums);
void memoir_tag_sums_free(struct memoir_tag_sums *sums);

/** What a process has in buffers. Sums over all its buffers. */
struct memoir_process_buffers {
	uint32_t buffers;
	uint32_t references; /**< fds, mappings, and what was announced */
	uint64_t share_bytes;
	uint64_t mapped_share_bytes;
	uint64_t extra_bytes;
	uint64_t unique_bytes;
};

/**
 * @brief One row for each memoir_snapshot_process(). Cost as memoir_buffers().
 * @param ret_sums to be freed by free()
 */
int memoir_process_buffers(const struct memoir_snapshot *snapshot,
			   struct memoir_process_buffers **ret_sums);

#ifdef __cplusplus
}
#endif

#endif
