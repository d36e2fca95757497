/* SPDX-License-Identifier: MIT */
/**
 * Who maps it: from a page, a path, a name or an object to every region that maps it.
 */
#ifndef MEMOIR_WHO_H
#define MEMOIR_WHO_H

#include <memoir/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What can be asked about. */
enum memoir_target_kind {
	MEMOIR_TARGET_PAGE,   /**< PID:ADDR, the page there */
	MEMOIR_TARGET_FRAME,  /**< pfn:N, the page in this frame of RAM */
	MEMOIR_TARGET_PATH,   /**< a path as /proc/PID/maps shows it */
	MEMOIR_TARGET_NAME,   /**< name:GLOB */
	MEMOIR_TARGET_OBJECT, /**< object:ID, with globs */
};

struct memoir_target {
	enum memoir_target_kind kind;
	pid_t pid;        /**< of MEMOIR_TARGET_PAGE */
	uint64_t address; /**< of MEMOIR_TARGET_PAGE */
	uint64_t frame;   /**< of MEMOIR_TARGET_FRAME */
	const char *text; /**< the path, glob or id: a part of what was parsed, and not owned */
};

/**
 * @brief Parse "PID:ADDR" (hexadecimal), "pfn:N" (decimal, or hexadecimal behind 0x), "name:GLOB",
 *        "object:ID" or a path, which has a slash in it.
 * @return 0; -EINVAL: error->text says what is wrong with it
 */
int memoir_target_parse(const char *text, struct memoir_target *ret_target,
			struct memoir_error *error);

/** Whether it is one page: then memoir_who() answers, without a snapshot. */
bool memoir_target_is_page(const struct memoir_target *target);

/** How a region comes to map what was asked about. */
enum memoir_how {
	MEMOIR_HOW_UNKNOWN,
	MEMOIR_HOW_OWN,     /**< "own memory": anonymous, in no other region */
	MEMOIR_HOW_FORK,    /**< "fork family": anonymous, inherited by fork and not copied since */
	MEMOIR_HOW_KSM,     /**< "ksm": anonymous, merged because its bytes are the same */
	MEMOIR_HOW_SHARED,  /**< "shared mapping" of a file, shmem or device */
	MEMOIR_HOW_PRIVATE, /**< "private file page": a private mapping, and the file's own page */
	MEMOIR_HOW_CACHE,  /**< "page cache": maps this part of the file, but has no page there now;
				 touching it gets the file's */
	MEMOIR_HOW_ZERO,   /**< "zero page": only read so far */
	MEMOIR_HOW_KERNEL, /**< "kernel page": lent by the kernel or a driver (vdso, rings) */
	MEMOIR_HOWS,
};

/** The text in quotes above; NULL for MEMOIR_HOW_UNKNOWN. */
const char *memoir_how_name(enum memoir_how how);

/** One region. */
struct memoir_who_row {
	pid_t pid;            /**< the first process with this address space */
	uint64_t start_ticks; /**< its field 22 of /proc/PID/stat */
	const char *comm;
	uint64_t start;
	uint64_t end;
	uint64_t address;    /**< of the page in this region; 0: no page was asked about */
	char perms[5];       /**< "rw-p" */
	uint8_t how;         /**< enum memoir_how */
	uint8_t name_source; /**< enum memoir_name_source */
	const char *name;    /**< NULL: none; of a live page only what the kernel has */
	const char *path;    /**< as in struct memoir_region; NULL: none */
	struct memoir_figures figures; /**< of the whole region; known from snapshots only */
	const char *tag; /**< of the shared buffer it maps; NULL: none, or of a live page */
};

/** Where a page is. */
enum memoir_page_state {
	MEMOIR_PAGE_UNKNOWN,   /**< asked of a snapshot, or not a page that the kernel counts */
	MEMOIR_PAGE_EXCLUSIVE, /**< "exclusive": in RAM, mapped once */
	MEMOIR_PAGE_SHARED,    /**< "shared": in RAM, mapped more than once */
	MEMOIR_PAGE_UNMAPPED,  /**< "unmapped": a frame that nobody maps now */
	MEMOIR_PAGE_SWAPPED,   /**< "swapped" out */
	MEMOIR_PAGE_ZERO,      /**< "zero page": the kernel's page of zeros, small or huge */
	MEMOIR_PAGE_ABSENT,    /**< "not present": nothing there yet, or no more */
	MEMOIR_PAGE_STATES,
};

/** The text in quotes above; NULL for MEMOIR_PAGE_UNKNOWN. */
const char *memoir_page_state_name(enum memoir_page_state state);

/** What a page holds. */
enum memoir_content {
	MEMOIR_CONTENT_UNKNOWN,
	MEMOIR_CONTENT_ANON,    /**< "anon": anonymous memory, copies of file pages included */
	MEMOIR_CONTENT_KSM,     /**< "ksm": anonymous, merged */
	MEMOIR_CONTENT_FILE,    /**< "file" */
	MEMOIR_CONTENT_SHMEM,   /**< "shmem" */
	MEMOIR_CONTENT_HUGETLB, /**< "hugetlb" */
	MEMOIR_CONTENT_KERNEL,  /**< "kernel": its own, mapped by processes or not */
	MEMOIR_CONTENT_FREE,    /**< "free" */
	MEMOIR_CONTENTS,
};

/** The text in quotes above; NULL for MEMOIR_CONTENT_UNKNOWN. */
const char *memoir_content_name(enum memoir_content content);

/** The page that was asked about. */
struct memoir_page {
	uint8_t state;       /**< enum memoir_page_state */
	uint8_t content;     /**< enum memoir_content */
	bool frame_known;    /**< whether it is in RAM, so that the next has a meaning */
	bool mappings_known; /**< as the kernel counts; false where swapped */
	bool dirty_known;    /**< what of a page table entry is dirty shows only sometimes */
	bool dirty;
	bool huge;         /**< a part of a large folio: THP, hugetlb, large pages of a file */
	uint64_t frame;    /**< number of the frame */
	uint64_t mappings; /**< page table entries that have it, memoir's own left out */
	pid_t ancestor;    /**< fork family: the nearest living common ancestor that is of the
				family itself; 0: none lives, or not a fork family */
	const char *ancestor_comm; /**< NULL with ancestor 0 */
};

/** A sharing set that the region belongs to, from a snapshot. */
struct memoir_who_set {
	uint32_t set;        /**< its index in the snapshot */
	uint32_t members;    /**< how many regions map its pages */
	bool of_object;      /**< pages of the object; else anonymous */
	uint64_t ram_bytes;  /**< of the whole set */
	uint64_t swap_bytes; /**< of the whole set */
};

/** An answer. Everything reached from it belongs to it. */
struct memoir_who {
	const struct memoir_who_row *rows; /**< by pid, then start */
	size_t row_count;
	struct memoir_page page;           /**< all unknown where no live page was asked about */
	const struct memoir_who_set *sets; /**< PID:ADDR asked of a snapshot; most bytes first */
	size_t set_count;
	const char *const *notes; /**< sentences */
	size_t note_count;
	bool partial; /**< something that matters could not be read: the notes say what */
	bool searched; /**< all page tables of the machine were searched; else the reverse map told */
	uint64_t taken_ns; /**< wall clock of the answer, or of the snapshot */
};

/**
 * @brief Who maps one page of the running machine: MEMOIR_TARGET_PAGE and MEMOIR_TARGET_FRAME.
 *
 * Nothing is captured. A page of a file or of shmem costs about 10 µs for each region that maps this
 * part of it, an anonymous page the same for each region of its fork family that could have it, and
 * nothing more where the kernel counts one mapping only. What is found is verified in
 * /proc/PID/pagemap. All page tables of the machine are searched (some ns a page) for merged (KSM) and
 * the kernel's own pages, without BPF, and where the kernel counts more mappings than were found.
 * The first call loads a small BPF program (some ms), which the context keeps.
 * Privileges: CAP_SYS_ADMIN (frames) and root for /proc/kpageflags and /proc/kpagecount; CAP_BPF and
 * CAP_PERFMON to be fast. Threads: as for memoir_capture().
 * @param ret_who owned by the caller: memoir_who_free()
 * @return 0; -ESRCH: no such process, or one without memory; -EFAULT: nothing is mapped there; -ENXIO:
 *         no such frame; -EPERM: frames are hidden; -EINVAL: not a page, ask memoir_snapshot_who();
 *         -EOPNOTSUPP: the context has another root than the running machine; -ENOMEM
 */
int memoir_who(struct memoir *memoir, const struct memoir_target *target,
	       struct memoir_who **ret_who, struct memoir_error *error);

/**
 * @brief Who maps it in a snapshot; O(regions + sets).
 *
 * Paths, names and objects: their regions, with figures. PID:ADDR: the region there and those that may
 * map the same page, because they map the same part of its object or are of its family, and the sets
 * it belongs to; a snapshot has no pages, so their state is not known, which a note says.
 * @return 0, also with no rows; -ESRCH: no such process; -EFAULT: nothing is mapped there; -EINVAL:
 *         a frame; -ENOMEM
 */
int memoir_snapshot_who(const struct memoir_snapshot *snapshot, const struct memoir_target *target,
			struct memoir_who **ret_who, struct memoir_error *error);

void memoir_who_free(struct memoir_who *who);

#ifdef __cplusplus
}
#endif

#endif
