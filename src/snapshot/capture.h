/* SPDX-License-Identifier: MIT */
/*
 * The inside of a capture: what the methods (page tables, scan, text, smaps) share while they fill a
 * snapshot. Each method lists processes and regions and counts pages through the functions here.
 */
#ifndef MEMOIR_SNAPSHOT_CAPTURE_H
#define MEMOIR_SNAPSHOT_CAPTURE_H

#include <pthread.h>

#include "base/error.h"
#include "base/u64map.h"
#include "buffers/buffer.h"
#include "kernel/files.h"
#include "kernel/internal_devs.h"
#include "kernel/root.h"
#include "kernel/walk.h"
#include "snapshot/announced.h"
#include "snapshot/kept_names.h"
#include "snapshot/model.h"
#include "snapshot/presence.h"
#include "snapshot/spans.h"
#include "snapshot/tally.h"

struct memoir {
	struct kroot *root;
	enum memoir_engine engine;
	unsigned int threads;
	pid_t self;
	char *runtime_dir; /* NULL: none */
	char *tags_dir;    /* where its own tags are: NULL until used */
	struct walk *walk; /* NULL until used */
	bool walk_tried;
	struct walk *sums; /* the one that is for sums: NULL until used, or where it can't be had */
	bool sums_tried;
	struct memoir_error walk_error;
	struct mappers *mappers; /* of memoir_who(): NULL until used */
	bool mappers_tried;
	struct cookies *cookies; /* of hints: NULL until used, or where there are none */
	bool cookies_tried;
	struct files *files; /* NULL until used, or where text has to do */
	bool files_tried, files_loading;
	bool files_by_text; /* though BPF is there */
	pthread_t files_loader;
	uint64_t huge_zero_frame;      /* 0: not seen yet */
	bool wants_names, names_tried; /* the walk that sends name tables, as some were met */
	bool names_sent;               /* by the capture before */
	struct kept_names *kept_names; /* NULL until then */
};

#define HUGE_PAGES 512u

/* Per process, beside struct memoir_process. */
struct process_note {
	uint64_t mm;
	uint64_t start_brk, brk, start_stack;
	pid_t tgid, tid; /* the thread whose /proc files work: the process's, or a peer's */
	uint32_t vmas;   /* when it was listed */
	uint32_t seq;
	bool stale_comm;            /* exec while it was looked at */
	uint32_t anchors;           /* regions by which name tables are found */
	bool names_taken;           /* the table of the first of them: it came with the walk */
	bool cookie_stands;         /* its address space did not change while pages were counted */
	bool counted;               /* by the kernel, as follows */
	int64_t own_anon, own_swap; /* pages; less what regions have, once all of these have come */
};

/* Tasks that are not processes of the snapshot yet. */
struct found_tasks {
	struct walk_task *tasks;
	size_t count, room;
	pid_t *pids; /* all that /proc lists */
	size_t pid_count, pid_room;
	uint64_t since_ticks;  /* of boot: what began later may be missing */
	const struct walk *by; /* which has their open files as well, NULL: not found yet */
	int error;
};

/* What the last VMA of the walk led to: those of a process, and in it those of a file, stand together. */
struct last_vma {
	uint64_t mm, mapping; /* 0: of none */
	uint32_t process;     /* of mm */
	uint32_t object;      /* of mapping */
	const char *path;     /* as the walk gave it */
	const char *path_kept;
};

/* A file's kind, as it was found out: many processes map the same files. By path. */
struct known_kind {
	const char *path; /* of the snapshot's strings; NULL: none */
	uint32_t dev, magic, mode;
	bool hugetlb;
	uint8_t kind;
};

#define KNOWN_KINDS 64u

struct capture {
	struct memoir *memoir;
	struct walk *walk; /* one of the context's, NULL: none was opened */
	struct memoir_capture_options options;
	struct memoir_snapshot *snap;
	struct tally tally;
	struct spans spans;         /* pages of objects, where sets are not wanted */
	bool by_spans;              /* then they go there, not to the tally */
	struct presence presence;   /* of processes with name tables */
	pthread_mutex_t lock;       /* around the tally, the spans and what else threads share */
	struct process_note *notes; /* one per process */
	size_t note_room;
	struct found_tasks found;
	bool machine_known; /* capture_machine() need not be called any more */
	struct u64map process_by_mm;
	struct u64map object_by_key;  /* mapping or root address, or a hash of (device, inode) */
	struct u64map alias_by_inode; /* how many objects have a (device, inode) */
	struct u64map backing;        /* object → index in backing_keys */
	uint64_t *backing_keys;       /* what udmabufs are made of: mappings */
	size_t backing_count, backing_room;
	uint64_t zero_frame; /* of the zero page, for pagemap */
	uint32_t families;
	size_t vmas_expected;  /* of all processes, about */
	size_t vmas_listed;    /* of the processes asked for, in a partial capture */
	bool mergeable_listed; /* one of theirs is open to KSM */
	struct last_vma last;
	struct known_kind known_kinds[KNOWN_KINDS];
	bool scan_works;     /* PAGEMAP_SCAN is there */
	bool words_left;     /* some region is by_words */
	bool text_left;      /* some region has what only text tells */
	uint32_t *unsettled; /* regions that capture_finish() has to look at, and no others */
	size_t unsettled_count, unsettled_room;
	bool joins; /* mappings of a file that stand together make one region, as nobody sees it */
	bool by_folio;       /* anonymous pages all go to the tally: they may be parts of folios */
	bool file_by_offset; /* file pages go by (object, offset), not by frame */
	size_t denied;       /* processes that could not be read */
	struct internal_devs devs;   /* of the kernel's own mounts of shmem and hugetlbfs */
	struct unix_queues queues;   /* of sockets, where their fds are read as text */
	struct name_parts *parts;    /* of regions that names split, NULL: none */
	struct kinds *kinds;         /* while they are looked for, NULL: they are not */
	struct naming *naming;       /* what is kept from table to table, NULL: none so far */
	struct announced announced;  /* in name tables: buffers and tags */
	const char *anchor_paths[2]; /* of the snapshot's strings, NULL until asked for */
	int error;
};

/*
 * Before there is any: make room for about as many regions, and their objects. Growing step by step would touch the
 * memory twice.
 */
int capture_reserve(struct capture *c, size_t regions);

/* Append; NULL when out of memory (and capture->error is set). Indices are those of the snapshot. */
struct memoir_process *capture_add_process(struct capture *c, struct process_note **ret_note);
struct region *capture_add_region(struct capture *c, uint32_t process);

/* Valid until the next one is added. */
static inline struct region *capture_region(const struct capture *c, size_t i)
{
	return &c->snap->captured.regions[i];
}

/* The index of the object with this key, made on first sight. MEMOIR_NONE when out of memory. */
uint32_t capture_object(struct capture *c, uint64_t key, enum memoir_kind kind, uint32_t dev_major,
			uint32_t dev_minor, uint64_t inode, const char *path, uint64_t size_bytes);
uint32_t capture_family(struct capture *c, uint64_t root);

/* Another process with the same address space. */
void capture_add_peer(struct capture *c, struct memoir_process *process, pid_t pid);

/* The process ended (or called exec) while its pages were read: it has no figures, and is counted. */
void capture_lost(struct capture *c, uint32_t process);

/* Tell the caller how far it has come; only from the thread that captures. */
void capture_progress(struct capture *c, size_t done);

/* Say of each process whether it is asked for; only when all are listed, and peers known. */
void capture_settle_scope(struct capture *c);

/* What the kernel tells of a region that says what it is. */
struct region_facts {
	uint64_t brk_start, brk_end, start_stack; /* 0: the path tells ([heap], [stack]) */
	uint32_t dev;                             /* major << 20 | minor */
	uint32_t magic;                           /* of the file system, 0: not known */
	uint32_t mode;                            /* of the inode, 0: not known */
	bool has_file;
	bool hugetlb;
};

/* The kind of a mapping of this file, or of an fd of it. */
enum memoir_kind capture_file_kind(const struct capture *c, const char *path,
				   const struct region_facts *facts);

/* Fill in kind and name_source, and the path of heap and stack; path and name must be there. */
void capture_classify(struct capture *c, struct region *region, const struct region_facts *facts);

/* ---- shared buffers ------------------------------------------------------------------------- */

/* What kind a class's buffers are, and back: NULL for a kind that is no buffer. */
enum memoir_kind capture_buffer_kind(const struct buffer_class *class);
const struct buffer_class *capture_class_of_kind(enum memoir_kind kind);

/* On which mount a file of this device lies, once the magic number is in the clues. */
void capture_place(const struct capture *c, uint32_t dev, struct buffer_clues *clues);

/* Whether rings, buffers that no process has and the like are to be looked for. */
bool capture_wants_buffers(const struct capture *c);

/*
 * What an open file is as a shared buffer, with its fdinfo read where that is needed and `read` allows
 * it. NULL: it is none.
 */
const struct buffer_class *capture_read_buffer(struct capture *c, const struct open_file *file,
					       bool read, struct buffer_facts *ret_facts);

/* Put what is known of a buffer into its object. */
void capture_describe(struct capture *c, uint32_t object, const struct open_file *file,
		      const struct buffer_facts *facts);

/* By what a part of a DRM client is known: not by device and inode, which all clients share. */
uint64_t capture_client_key(const struct open_file *file, const struct buffer_facts *facts,
			    size_t part);

/* An object for each region of memory of a DRM client; take() is called with each of them. */
int capture_drm_client(struct capture *c, const struct open_file *file,
		       const struct buffer_facts *facts, int (*take)(uint32_t object, void *arg),
		       void *arg);

/* How much shared memory nobody shows; when all objects are there, and of a whole capture only. */
int capture_hidden(struct capture *c);

/* When all holders are there: tags, what udmabufs are made of, sums. */
int capture_finish_buffers(struct capture *c);
/* Decide what each buffer is called. */
int capture_tags(struct capture *c);

/* ---- objects -------------------------------------------------------------------------------- */

/* What the kernel tells of an object besides its kind. */
struct object_facts {
	uint32_t magic; /* of its file system, 0: not known */
	uint32_t mode;  /* of the inode, 0: not known */
	uint32_t nlink;
	uint64_t size_bytes;                    /* 0: not known */
	uint64_t resident_bytes, swapped_bytes; /* of all of it, mapped or not */
	bool resident_known;
};

/* Settle an object's fate, size and residency by what was seen of it; may be told again. */
void capture_object_facts(struct capture *c, uint32_t object, const struct object_facts *facts);

/* Ask text for the facts of mapped objects that nothing was told of, and who keeps SysV segments. */
int capture_fates(struct capture *c);

/* The key of objects that text tells of, which has no address_space: by device and inode. */
uint64_t capture_inode_key(uint32_t dev, uint64_t inode);

/* How text about files is read in this capture. */
struct files_text capture_files_text(struct capture *c);

/* Whether it is asked for who has open what. */
bool capture_wants_holders(const struct capture *c);

/* Whether open files are to be listed along with the tasks. */
bool capture_lists_files(const struct capture *c);

/* Each open file that matters, by BPF. 0, what each() returned, or -EOPNOTSUPP, -ENODATA: not to be had so. */
int capture_each_open_file(struct capture *c, bool with_paths, open_file_fn each, void *arg);

/* To be called before the walk, once or twice, and last of all: what holders need is loaded meanwhile. */
void capture_holders_begin(struct capture *c);
void capture_holders_end(struct capture *c);

/*
 * Find who has open what dies with its last holder, and settle the objects' fates; when all regions
 * are there and before processes are dropped. Nothing where the caller does not want it.
 */
int capture_holders(struct capture *c);

/* ---- counting pages ------------------------------------------------------------------------- */

/* Count resident pages that only this region maps. */
static inline void count_alone(struct region *region, uint64_t pages, bool anon)
{
	region_add(&region->rss, pages);
	region_add(&region->alone, pages);
	if (anon) {
		region_add(&region->anon, pages);
		region_add(&region->alone_anon, pages);
	}
}

/* The key of an object's page: two regions that have it present map the same page. */
static inline uint64_t capture_offset_key(const struct region *region, uint64_t addr)
{
	return TALLY_OFFSET | (uint64_t)region->object << 36 |
	       (region->offset_bytes + addr - region->start) / PAGE_BYTES;
}

static inline uint32_t capture_offset_object(uint64_t key)
{
	return (uint32_t)((key & ~TALLY_SPACES) >> 36);
}

/* Pages of an object that others may map too, by their offset; rss is counted by the caller. */
static inline void count_offsets(struct capture *c, uint32_t region, uint64_t key, uint64_t pages)
{
	struct tally_step step = { 0 };

	if (c->by_spans)
		spans_add(&c->spans, region, key, pages);
	else
		for (uint64_t i = 0; i < pages; i++)
			tally_add_next(&c->tally, tally_slot(&c->tally, key + i), region, &step);
}

/* Words of pagemap for a region, from addr on. Takes the lock for what goes to the tally. */
void count_pagemap(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *words,
		   size_t n);
/* Entries of page tables, from addr on; no lock is taken. */
void count_table(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *entries,
		 size_t n);
void count_huge(struct capture *c, uint32_t region, uint64_t addr, uint64_t entry,
		uint64_t span_bytes);

/* Whether an entry maps the huge zero page, which is no page that anybody counts. */
bool capture_is_huge_zero(struct memoir *memoir, uint64_t entry, uint64_t frame);

/* Whether this region's own pages can be in no other region. */
static inline bool region_anon_alone(const struct region *region)
{
	return region->anon_alone && !(region->flags & VM_MERGEABLE);
}

/* ---- methods -------------------------------------------------------------------------------- */

int capture_by_tables(struct capture *c, struct memoir_error *error);
int capture_by_scan(struct capture *c, struct memoir_error *error);
int capture_by_text(struct capture *c, struct memoir_error *error);
int capture_by_smaps(struct capture *c, struct memoir_error *error);

/* The BPF walk, loaded at the first call; NULL and error if it doesn't work here. */
struct walk *memoir_walk(struct memoir *memoir, struct memoir_error *error);
/* The same; if it has yet to be loaded, meanwhile() is called as by walk_open(). */
struct walk *memoir_walk_while(struct memoir *memoir, walk_meanwhile_fn meanwhile, void *arg,
			       struct memoir_error *error);
/* The same for captures of sums of all processes: the one that is for these, or where that can't be had the other. */
struct walk *memoir_walk_for_sums(struct memoir *memoir, walk_meanwhile_fn meanwhile, void *arg,
				  struct memoir_error *error);

/* What reads the cookies of address spaces, loaded at the first call; NULL: there is none here. */
struct cookies *memoir_cookies(struct memoir *memoir);

/* Begin to load what lists all open files that matter, in a thread of its own; nothing where that was done before. */
void memoir_files_begin(struct memoir *memoir);
/* The list, when it is loaded; NULL: text has to do. */
struct files *memoir_files(struct memoir *memoir);

/* The context's walk for this capture, then c->walk; if it has yet to be loaded, tasks are asked for meanwhile. */
struct walk *capture_open_walk(struct capture *c, struct memoir_error *error);
/* Read what the machine as a whole says; may be done again where it failed. */
int capture_machine(struct capture *c, struct memoir_error *error);

/* List tasks by BPF as processes of the snapshot: those just found, or as they are now. */
int capture_list_tasks(struct capture *c, struct walk *walk);

/* What the kernel tells of them, if it has not been asked yet: then the walk knows whom to visit. */
int capture_find_tasks(struct capture *c, struct walk *walk);
void capture_forget_tasks(struct capture *c);
/* Take in one VMA by BPF; returns its region's index, or MEMOIR_NONE if it is not for the snapshot. */
uint32_t capture_take_vma(struct capture *c, const struct walk_vma *vma,
			  const struct walk_object *object, const char *path, const char *name);
/* What the kernel counts of a process, before its VMAs; and what of that no region has, when all have come. */
void capture_take_counters(struct capture *c, const struct walk_counters *counters);
void capture_settle_counters(struct capture *c, uint32_t process);

/* The path of a line of maps, asked for elsewhere where the text is ambiguous; interned, or NULL. */
struct maps_line;
const char *capture_text_path(struct capture *c, uint32_t process, const struct maps_line *line);

/* Words are read in runs of this many, each aligned to huge pages. */
#define WORDS_ROOM (64u * HUGE_PAGES)

/* A process's pagemap, by the thread that it was seen by. fd or negative errno. */
int capture_open_pagemap(const struct capture *c, uint32_t process);

/* Read and count the pagemap words of a region, in slices; buffer has WORDS_ROOM. 0, or -ESRCH… */
int capture_words(struct capture *c, int pagemap_fd, uint32_t region, uint64_t *buffer);
/* The same, but counted by another function than count_pagemap(). */
typedef void words_count(struct capture *c, uint32_t region, uint64_t addr, const uint64_t *words,
			 size_t n);
int capture_words_by(struct capture *c, int pagemap_fd, uint32_t region, uint64_t *buffer,
		     words_count *count);
/* The same for all regions marked by_words. */
int capture_words_left(struct capture *c);

/* To be called once of each region, when what the kernel says of it is known. */
void capture_settle_later(struct capture *c, uint32_t region);

/* What of other processes has to be looked at for those asked for; fills the walk's list. */
enum walk_scope capture_scope(struct capture *c, struct walk *walk);

/* The tallies' sets into shares, and into the snapshot's sets if they are wanted. */
int capture_take_shares(struct capture *c);

/*
 * What a region gets of objects' pages; a spans_share_fn, arg: all regions. capture_take_shares() leaves it to
 * capture_figures() where spans are in order.
 */
void capture_take_span(uint32_t region, uint64_t pss_fixed, uint64_t own_pages, void *arg);

static inline bool capture_wants_sets(const struct capture *c)
{
	return !c->options.without_sets;
}

/* Fill what only text tells (paths of stacked file systems, cgroups, exact swap of shmem, THP). */
int capture_finish(struct capture *c);

/* ---- names ---------------------------------------------------------------------------------- */

/*
 * Read the name tables of processes that did not come with the walk and name their regions; those of which a name has a
 * part are split. When all pages are counted, and before shares are made of the tally. What was left for later is done
 * by another thread: until the end nothing may be written of regions, splits, counts and presence.
 */
int capture_names_begin(struct capture *c);
int capture_names_end(struct capture *c);
/*
 * Of a process that is being walked: the table of this region, its first anchor, came with the walk; and then: all
 * regions and pages of the process were seen, so that its names can be put on them. What did not come, or not as it
 * should be, is left to capture_names_begin(). 0 or -ENOMEM.
 */
int capture_sent_names(struct capture *c, uint32_t region, const struct walk_names *names);
int capture_name_walked(struct capture *c);
void capture_naming_free(struct capture *c);
bool capture_wants_names(const struct capture *c);
/* Whether a region is what a name table is found by. */
bool capture_is_anchor(struct capture *c, const struct region *region);
/* Private anonymous memory: only such may be part of a table, and only such is named. */
bool capture_is_nameable(const struct region *region);

/*
 * Split a region of anonymous memory into parts: those of the snapshot's from the first on. It stays one while anything
 * is captured; what its parts have is kept beside it, by the presence. Where that does not tell, capture_count_splits()
 * counts anew, once all regions are there and all pages counted; it adds those regions that stay unsplit as their pages
 * can't be told apart. 0 or -ENOMEM.
 */
int capture_split(struct capture *c, uint32_t region, uint32_t first_part, uint8_t source);
int capture_count_splits(struct capture *c, size_t *unsplit);
/* What the tally and the counts take for regions may be some of a region's pages. */
uint32_t capture_region_of(const struct capture *c, uint32_t index);
size_t capture_index_count(const struct capture *c);
/* When shares are known: the figures of parts, and of regions that were cut. */
int capture_settle_parts(struct capture *c);
/* At the very end: from here on all indices of regions are those of rows, and how many there will be. */
int capture_number_parts(struct capture *c, size_t *ret_rows);
void capture_parts_free(struct capture *c);
/* Add what a region has, and nobody else has of it, to its process and its object; its figures are returned. */
struct memoir_figures capture_take_figures(struct capture *c, const struct region *region);

/* What was counted into figures of regions and processes, and what kinds were found: the last of all. */
int capture_figures(struct capture *c);

/*
 * Recognise what the kernel gives no name, by what is in it; where that is wanted, and after finish. A thread looks
 * while figures are made; what it finds is taken in at the end.
 */
int capture_kinds_begin(struct capture *c);
int capture_kinds_end(struct capture *c);
void capture_kinds_free(struct capture *c);

/* Run work(process index) for every process on all threads. */
int capture_parallel(struct capture *c,
		     int (*work)(struct capture *c, uint32_t process, void *scratch),
		     size_t scratch_bytes);

#endif
