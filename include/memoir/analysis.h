/* SPDX-License-Identifier: MIT */
/**
 * Questions to a snapshot: pure functions, snapshot in, rows out; no clock, no kernel, no printing.
 */
#ifndef MEMOIR_ANALYSIS_H
#define MEMOIR_ANALYSIS_H

#include <memoir/select.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Add figures; a figure that is unknown in one of them stays known as the sum of what is known. */
void memoir_figures_add(struct memoir_figures *sum, const struct memoir_figures *addend);

/** The id of a name: XXH3-64 of its bytes, the same on every machine. */
uint64_t memoir_name_id(const char *name);

/** One name (or unnamed kind) summed over regions and processes. */
struct memoir_name_sum {
	const char *name; /**< the name, the object's path, or the kind in brackets */
	uint64_t id;      /**< memoir_name_id() of it */
	enum memoir_kind kind;
	enum memoir_name_source source;
	uint32_t processes;
	uint32_t regions;
	struct memoir_figures figures;
	/**
	 * RAM that comes back when all these regions are unmapped: memory that no other region maps and
	 * no fd holds. Files' pages stay in the page cache. freed_known: false without sharing sets.
	 */
	uint64_t freed_bytes;
	bool freed_known;
};

struct memoir_name_sums {
	size_t count;
	struct memoir_name_sum *rows; /**< by descending pss, then name */
};

/**
 * @brief Sum by name over the regions that match. O(regions). Sums go by the string and the kind,
 *        never by the id alone. Strings belong to the snapshot.
 * @return 0; -ENOMEM. Free with memoir_name_sums_free().
 */
int memoir_names_sum(const struct memoir_snapshot *snapshot,
		     const struct memoir_selection *selection, struct memoir_name_sums *ret_sums);
void memoir_name_sums_free(struct memoir_name_sums *sums);

/**
 * A name in a tree, or a group of names that begin alike. Names are cut behind each ':' (and the spaces that
 * follow), and at first behind '-', '/' or ' ' too: "dalvik-main space" and "dalvik-zygote space" are
 * in the group "dalvik-". Paths are cut behind each '/', kinds in brackets never. A group has at least
 * two names; groups that would have the same names are one.
 */
struct memoir_name_node {
	/** Of the name, or of all in the group; name is what its parent's path lacks; id: of names only. */
	struct memoir_name_sum sum;
	const char *path;  /**< the names from the top down to this one, put together */
	uint32_t parent;   /**< index of its group, which stands before it; MEMOIR_NONE: none */
	uint32_t depth;    /**< 0: in no group */
	uint32_t children; /**< of a group: what stands directly in it */
	bool is_name;      /**< false: a group */
	bool kind_known;   /**< false: in the group are several kinds, or */
	bool source_known; /**< several sources */
};

struct memoir_name_tree {
	size_t count;
	struct memoir_name_node *nodes; /**< in the order of their paths */
};

/**
 * @brief The same sums as memoir_names_sum(), and those of groups of names. O(regions · depth).
 * @return 0; -ENOMEM. Free with memoir_name_tree_free().
 */
int memoir_names_tree(const struct memoir_snapshot *snapshot,
		      const struct memoir_selection *selection, struct memoir_name_tree *ret_tree);
void memoir_name_tree_free(struct memoir_name_tree *tree);

/* ---- what if -------------------------------------------------------------------------------- */

/** What is supposed to be done to what a selection means. */
enum memoir_whatif_action {
	MEMOIR_WHATIF_KILL, /**< its processes end, all at once */
	MEMOIR_WHATIF_TRIM, /**< process_madvise(MADV_PAGEOUT) on its regions */
	MEMOIR_WHATIF_ACTIONS,
};

/** "kill", "trim"; NULL for an unknown value. */
const char *memoir_whatif_action_name(enum memoir_whatif_action action);

/**
 * What becomes of the memory that is meant. Each page is counted once, whoever shares it: nothing is
 * divided by the number of mappers.
 */
struct memoir_whatif_bytes {
	uint64_t freed_bytes;         /**< RAM that comes back; of a trim: that moves to swap */
	uint64_t freed_swap_bytes;    /**< swap that comes back */
	uint64_t freed_kernel_bytes;  /**< page tables, and 16 KiB of stack for each thread */
	uint64_t freed_hugetlb_bytes; /**< back to the hugetlb pool, which is no free RAM */
	uint64_t reclaimable_bytes; /**< page cache that nobody else maps: the kernel can drop it */
	uint64_t kept_bytes;        /**< RAM that stays: others map or hold it, or it has a link */
	uint64_t kept_swap_bytes;   /**< swap that stays */
	uint64_t unknown_bytes; /**< RAM of which the snapshot can't tell: see the result's notes */
};

/** The four ways to divide what is meant; the rows of each add up to all of it. */
enum memoir_whatif_by {
	MEMOIR_WHATIF_BY_PROCESS, /**< also: page tables and stacks, only here */
	MEMOIR_WHATIF_BY_NAME,
	MEMOIR_WHATIF_BY_OBJECT,
	MEMOIR_WHATIF_BY_SET, /**< memory in sharing sets only */
	MEMOIR_WHATIF_BYS,
};

/** "process", "name", "object", "set"; NULL for an unknown value. */
const char *memoir_whatif_by_name(enum memoir_whatif_by by);

#define MEMOIR_WHATIF_KEEPERS 8

/** A part of what is meant. */
struct memoir_whatif_row {
	enum memoir_whatif_by by;
	/** What only several have together: of those that are meant, not of all that map it. */
	bool several;
	const struct memoir_process *process; /**< by process; NULL: several */
	const char *name;               /**< by name, as memoir_name_sum has it; NULL: several */
	enum memoir_kind kind;          /**< of the name */
	enum memoir_name_source source; /**< of the name */
	const struct memoir_object
		*object;  /**< by object; NULL: several, or (not several) memory of
					       a family that is not known */
	uint32_t set;     /**< by set: memoir_snapshot_set() */
	uint32_t members; /**< by set: its members, a region as often as it maps each page */
	uint32_t others;  /**< by set: those of them that are not meant */
	struct memoir_whatif_bytes bytes;
	/** By object and by set: the first of those that keep it, and whether there are more. */
	pid_t kept_by[MEMOIR_WHATIF_KEEPERS];
	uint32_t kept_by_count;
	bool kept_by_more;
};

/** How memory that stays is kept. */
enum memoir_keeps {
	MEMOIR_KEEPS_PEER,    /**< a process that is not meant has the very address space */
	MEMOIR_KEEPS_MAPS,    /**< it maps the pages, or the object whose pages they are */
	MEMOIR_KEEPS_HOLDS,   /**< it has the file open */
	MEMOIR_KEEPS_LINK,    /**< no process: a file in tmpfs or hugetlbfs that has a name */
	MEMOIR_KEEPS_SEGMENT, /**< no process: a SysV segment lives until it is removed */
	MEMOIR_KEEPS,
};

/** "peer", "maps", "holds", "link", "segment"; NULL for an unknown value. */
const char *memoir_keeps_name(enum memoir_keeps keeps);

/**
 * Who keeps what stays. What two keep is in both rows, so that these add up to more than kept_bytes.
 * Where large folios are kept by some of their pages, it is what the keeper has of these folios.
 */
struct memoir_keeper {
	const struct memoir_process *process; /**< NULL: no process, see keeps */
	pid_t pid; /**< the process's, or that of the peer which keeps it; 0: no process */
	enum memoir_keeps keeps;
	uint64_t kept_bytes;
	uint64_t kept_swap_bytes;
};

struct memoir_whatif {
	enum memoir_whatif_action action;
	pid_t *pids; /**< what the selection names, peers too; rising */
	size_t pid_count;
	size_t process_count; /**< address spaces that end; of a trim: that have regions meant */
	bool known; /**< false: there are no sharing sets, or nothing was read; no bytes, no rows */
	bool kernel_known; /**< freed_kernel_bytes; some of the processes may still be missing */
	struct memoir_whatif_bytes bytes;
	bool zram_known;
	uint64_t freed_zram_estimate_bytes; /**< RAM that swap takes in zram: by its mean ratio */
	bool swap_free_known;
	uint64_t swap_free_bytes; /**< at capture; a trim needs freed_bytes of it */
	size_t row_count;
	struct memoir_whatif_row *rows; /**< by `by`, then what is freed, reclaimable, kept */
	size_t keeper_count;
	struct memoir_keeper *keepers; /**< by kept_bytes */
	bool partial;                  /**< some figures are too small, as the notes say */
	size_t note_count;
	char **notes; /**< sentences */
};

/**
 * @brief What would come back if the processes of a selection ended, or their regions were paged out.
 *
 * kill takes whole processes: those that match and, where the selection speaks of regions, have one
 * that matches. A process that shares its address space with a peer which is not meant keeps its memory.
 * Memory is freed if it is anonymous and all that map it are meant (folios go as a whole), or if it is
 * of an object that dies with its last holder (MEMOIR_FATE_FREED) and neither a region nor an fd of
 * anybody else has it; then all its pages, mapped or not.
 * trim takes the regions that match. What it can move is what is mapped once: anonymous memory and
 * shmem go to swap (freed_bytes), pages of files are dropped or written (reclaimable_bytes).
 *
 * O(regions + sets + objects + holders).
 * @return 0; -ENOMEM. Free with memoir_whatif_free().
 */
int memoir_whatif(const struct memoir_snapshot *snapshot, enum memoir_whatif_action action,
		  const struct memoir_selection *selection, struct memoir_whatif *ret_whatif);
void memoir_whatif_free(struct memoir_whatif *whatif);

/* ---- footprints ----------------------------------------------------------------------------- */

/** What a process costs; each figure only where its flag says that it is known. */
struct memoir_footprint {
	/**
	 * Each resident page split evenly among the processes that map it (without sharing sets:
	 * among its mappings, as in pss); pages of shared memory and deleted files that nobody maps,
	 * among those that hold or map the object. These add up: a byte of RAM is counted once.
	 * Without hugetlb.
	 */
	uint64_t footprint_bytes;
	/** RAM that comes back if this process alone (with its peers) is killed; these don't add up. */
	uint64_t freed_if_killed_bytes;
	bool footprint_known;
	bool freed_if_killed_known;
};

/**
 * @brief The footprints of all processes, one for each of memoir_snapshot_process(), in one pass.
 *        O(regions + sets + objects + holders).
 * @param ret_footprints to be freed by free()
 * @return 0; -ENOMEM
 */
int memoir_footprints(const struct memoir_snapshot *snapshot,
		      struct memoir_footprint **ret_footprints);

/* ---- sharing -------------------------------------------------------------------------------- */

/** Memory that two processes have in common, counted once. */
struct memoir_shared {
	uint64_t shared_bytes;      /**< RAM, all of it */
	uint64_t shared_anon_bytes; /**< the anonymous part of it */
	uint64_t shared_swap_bytes; /**< anonymous memory that is swapped out */
};

struct memoir_sharing_pair {
	const struct memoir_process *a; /**< the one with the lower index */
	const struct memoir_process *b;
	struct memoir_shared shared;
};

/** A process and its parent. Of the anonymous memory: shared and own make up all it has. */
struct memoir_fork {
	const struct memoir_process *process;
	const struct memoir_process *parent; /**< NULL: not in the snapshot */
	uint32_t depth;                      /**< how many of its ancestors stand above it */
	struct memoir_shared shared;         /**< with its parent */
	uint64_t own_bytes; /**< what its parent does not have: copied or new since */
	uint64_t own_swap_bytes;
};

struct memoir_sharing {
	bool known;           /**< false: there are no sharing sets; no pairs, no forks */
	size_t process_count; /**< how many are meant */
	const struct memoir_process **processes; /**< those, in the order of the snapshot */
	size_t pair_count;
	struct memoir_sharing_pair *pairs; /**< that share something, by shared_bytes */
	size_t fork_count;
	struct memoir_fork *forks; /**< of each that is meant: parents before their children */
};

/**
 * @brief Who shares how much with whom, of each pair of which at least one is meant.
 *
 * A selection of regions means the processes that have one. O(regions + sets + what comes out + for
 * each set that somebody meant is a member of, its processes).
 * @return 0; -ENOMEM. Free with memoir_sharing_free().
 */
int memoir_sharing(const struct memoir_snapshot *snapshot, const struct memoir_selection *selection,
		   struct memoir_sharing *ret_sharing);
void memoir_sharing_free(struct memoir_sharing *sharing);

#ifdef __cplusplus
}
#endif

#endif
