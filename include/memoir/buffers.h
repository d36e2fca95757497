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

/* ---- changes -------------------------------------------------------------------------------- */

/** What became of a buffer between two looks. */
enum memoir_buffer_event {
	MEMOIR_BUFFER_CREATED, /**< it is there now */
	MEMOIR_BUFFER_OPENED,  /**< a file with a name that no process held at the last look */
	MEMOIR_BUFFER_HELD,    /**< a process has come to hold it, by fds or by mappings */
	MEMOIR_BUFFER_RENAMED, /**< its tag is another one */
	MEMOIR_BUFFER_LEFT,    /**< a process holds it no longer */
	MEMOIR_BUFFER_UNHELD,  /**< no process holds it any more, and it stays: see why */
	MEMOIR_BUFFER_FREED,   /**< it is gone */
	MEMOIR_BUFFER_EVENTS,
};

/** "created", "opened", … */
const char *memoir_buffer_event_name(enum memoir_buffer_event event);

/** An event. Texts are good during the call only. */
struct memoir_buffer_change {
	enum memoir_buffer_event event;
	uint64_t time_ns; /**< when the snapshot was taken that shows it, ns since 1970 */
	const char *id; /**< as memoir_object_id(); the same for as long as the buffer is watched */
	const char *kind;
	const char *tag;     /**< NULL: none */
	const char *old_tag; /**< RENAMED: the one before, NULL: none */
	/** UNHELD: "linked", it has a name; "in-flight", files are in flight in sockets, this may be
	    one; "kernel", the kernel still lists it; "unknown". Else NULL. */
	const char *why;
	uint64_t size_bytes; /**< these as in struct memoir_buffer, when it was last seen */
	uint64_t resident_bytes;
	uint64_t own_bytes;
	bool resident_known;
	uint32_t holders; /**< processes that hold it now */
	/** HELD and LEFT: the process, and its references, as it holds it or held it last. */
	pid_t pid; /**< else 0 */
	uint64_t start_ticks;
	const char *comm;
	uint32_t fds;
	uint32_t ranges;
	uint32_t announced;
};

typedef void memoir_buffer_change_fn(const struct memoir_buffer_change *change, void *arg);

/** The most that all buffers of one kind and tag had at one look. */
struct memoir_buffer_peak {
	const char *tag; /**< NULL: none */
	const char *kind;
	uint64_t peak_bytes; /**< of own_bytes; see peak_known */
	uint64_t peak_time_ns;
	bool peak_known;          /**< of at least one of them it was known what is in RAM */
	uint64_t peak_size_bytes; /**< of size_bytes, maybe at another look */
	uint32_t peak_buffers;    /**< the same of how many there were */
	uint64_t bytes;           /**< own_bytes at the last look */
	uint32_t buffers;         /**< at the last look */
};

struct memoir_buffer_watch;

/**
 * @brief Begin to compare looks at the buffers of a machine. Pure: the caller takes the snapshots, all with
 *        the same engine, options.buffers set and of all processes; without_pages is enough.
 *
 * A buffer is told from another one by its id, and where that was used again, or several have it, by who
 * holds it and what it is called; a process by its pid and start time, so that exec is no event.
 * What came and went between two looks is not seen. Memory: about 200 bytes a buffer and 48 a holder;
 * of tags that are gone at most 16,384, or a third of those that are there, with the highest peaks.
 * @param selection as for memoir_buffers(), kept until memoir_buffer_watch_free(): events of buffers that
 *        match, and where it speaks of processes, of those that a matching one holds or has held; HELD and
 *        LEFT of processes that match
 * @return 0; -ENOMEM
 */
int memoir_buffer_watch_new(const struct memoir_selection *selection,
			    struct memoir_buffer_watch **ret_watch);
void memoir_buffer_watch_free(struct memoir_buffer_watch *watch);

/**
 * @brief Compare with the last look; the first one tells of nothing. What is missing for the first time may
 *        have been passed on while the snapshot was taken: it is told of if it is missing at the next look
 *        too, see memoir_buffer_watch_unsure(). First what is new, then what went, by id.
 *        O(regions + holders · log holders). The snapshot is not kept.
 * @return 0; -ENOMEM: some events may be lost, and the watch is to be freed
 */
int memoir_buffer_watch_look(struct memoir_buffer_watch *watch,
			     const struct memoir_snapshot *snapshot, memoir_buffer_change_fn *each,
			     void *arg);

/** Whether something was missing for the first time: look again at once. */
bool memoir_buffer_watch_unsure(const struct memoir_buffer_watch *watch);

/** At the last look: how many buffers there were, and their own_bytes, as far as they are known. */
size_t memoir_buffer_watch_count(const struct memoir_buffer_watch *watch, uint64_t *ret_own_bytes);

/**
 * @brief The peaks so far, by peak_bytes, then peak_size_bytes, downwards. Good until the next look.
 * @param ret_dropped how many tags were left out, as there were too many
 */
const struct memoir_buffer_peak *memoir_buffer_watch_peaks(struct memoir_buffer_watch *watch,
							   size_t *ret_count,
							   uint64_t *ret_dropped);

#ifdef __cplusplus
}
#endif

#endif
