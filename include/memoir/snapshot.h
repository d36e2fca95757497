/* SPDX-License-Identifier: MIT */
/**
 * A snapshot: processes, their regions and the objects these map, with exact figures.
 *
 * A snapshot is immutable. Everything reached from it (structs, strings) belongs to it and lives until
 * memoir_snapshot_free(). Strings are bytes as the kernel gave them: paths and comms come from
 * strangers and may hold anything but NUL.
 */
#ifndef MEMOIR_SNAPSHOT_H
#define MEMOIR_SNAPSHOT_H

#include <stdbool.h>

#include <memoir/memoir.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Figures in bytes, each with the meaning of the line of /proc/PID/smaps named behind it. */
enum memoir_figure {
	MEMOIR_RSS,      /**< Rss */
	MEMOIR_PSS,      /**< Pss: each page divided by its mappings, before smaps cuts to kB */
	MEMOIR_USS,      /**< Private_Clean + Private_Dirty */
	MEMOIR_SHARED,   /**< Shared_Clean + Shared_Dirty */
	MEMOIR_SWAP,     /**< Swap */
	MEMOIR_SWAP_PSS, /**< SwapPss */
	MEMOIR_ANON,     /**< Anonymous */
	MEMOIR_FILE,     /**< Rss - Anonymous of mappings of files that are not shmem */
	MEMOIR_SHMEM, /**< Rss - Anonymous of mappings of shmem (tmpfs, memfd, SysV, shared anon) */
	MEMOIR_THP,   /**< AnonHugePages + ShmemPmdMapped + FilePmdMapped */
	MEMOIR_HUGETLB, /**< Shared_Hugetlb + Private_Hugetlb; not part of Rss */
	MEMOIR_FIGURES,
};

/** Figures of a region, a process or a sum. A figure whose bit in `known` is 0 could not be known. */
struct memoir_figures {
	uint64_t bytes[MEMOIR_FIGURES];
	uint32_t known; /**< bit (1u << MEMOIR_RSS) and so on */
};

/** The JSON and SQL name of a figure ("rss_bytes"). */
const char *memoir_figure_name(enum memoir_figure figure);

/** What a region is: as the kernel tells, or where it does not, as its contents tell. */
enum memoir_kind {
	MEMOIR_KIND_ANON,
	MEMOIR_KIND_HEAP,
	MEMOIR_KIND_STACK,
	MEMOIR_KIND_FILE,
	MEMOIR_KIND_SHMEM, /**< a tmpfs file or POSIX shared memory */
	MEMOIR_KIND_MEMFD,
	MEMOIR_KIND_SHARED_ANON, /**< MAP_SHARED|MAP_ANONYMOUS: /dev/zero */
	MEMOIR_KIND_SYSV,
	MEMOIR_KIND_HUGETLB,
	MEMOIR_KIND_DMABUF,
	MEMOIR_KIND_DEVICE,
	MEMOIR_KIND_DRM, /**< only objects: what a graphics driver keeps for a client, by region */
	MEMOIR_KIND_GUEST_MEMFD, /**< memory of a virtual machine (Linux 6.8) */
	MEMOIR_KIND_SECRETMEM,   /**< memfd_secret(2) */
	MEMOIR_KIND_VDSO,        /**< [vdso] and [vvar…] */
	MEMOIR_KIND_SPECIAL,     /**< other mappings of the kernel's own making ([uprobes] …) */
	MEMOIR_KIND_GUARD,       /**< anonymous, no permissions, nothing in it */
	MEMOIR_KIND_THREAD_STACK,
	/* From here on, as the one above: recognised by what is in them (docs/KINDS.md). */
	MEMOIR_KIND_GLIBC_ARENA,  /**< of malloc, for threads */
	MEMOIR_KIND_PYTHON_ARENA, /**< of small objects */
	MEMOIR_KIND_JAVA_HEAP,
	MEMOIR_KIND_JAVA_METASPACE, /**< classes */
	MEMOIR_KIND_JAVA_CODE,      /**< the code cache */
	MEMOIR_KIND_V8_HEAP,
	MEMOIR_KIND_GO_HEAP,
	MEMOIR_KIND_JEMALLOC,
	MEMOIR_KIND_MIMALLOC,
	MEMOIR_KIND_MUSL_HEAP, /**< what musl's malloc maps */
	MEMOIR_KIND_JIT,       /**< executable anonymous memory: code made at run time */
	MEMOIR_KIND_IO_URING, /**< rings that are shared with the kernel, buffers registered with them */
	MEMOIR_KIND_PERF, /**< a buffer of perf_event_open(2) */
	MEMOIR_KIND_ANNOUNCED, /**< only objects: buffers without an fd, as a program says (memoir/track.h) */
	MEMOIR_KINDS,
};

/** The name of a kind in all outputs ("shared-anon"). */
const char *memoir_kind_name(enum memoir_kind kind);

/** Where a name comes from; MEMOIR_NAME_NONE when there is no name. */
enum memoir_name_source {
	MEMOIR_NAME_NONE,
	MEMOIR_NAME_KERNEL,     /**< PR_SET_VMA_ANON_NAME, from the kernel */
	MEMOIR_NAME_TABLE,      /**< the process's own name table */
	MEMOIR_NAME_SUPERVISOR, /**< memoir run */
	MEMOIR_NAME_PRCTL,      /**< seen being tried */
	MEMOIR_NAME_PATH,       /**< the object's path */
	MEMOIR_NAME_SOURCES,
};

/** "kernel", "table", …; NULL for MEMOIR_NAME_NONE. */
const char *memoir_name_source_name(enum memoir_name_source source);

#define MEMOIR_NONE UINT32_MAX /**< no object, no parent … */

/** One address space, under the first process that has it. */
struct memoir_process {
	pid_t pid;
	pid_t ppid;
	uid_t uid;            /**< (uid_t)-1: could not be read */
	uint64_t start_ticks; /**< field 22 of /proc/PID/stat */
	const char *comm;
	const char *
		cgroup; /**< the unified path, else that of the first v1 controller; NULL: unknown */
	const pid_t *peers; /**< other processes with this very address space (CLONE_VM, vfork) */
	uint32_t peer_count;
	uint32_t first_region; /**< index for memoir_snapshot_region() */
	uint32_t region_count;
	uint64_t page_table_bytes; /**< VmPTE of /proc/PID/status; see page_table_known */
	bool page_table_known;
	uint32_t threads; /**< num_threads of /proc/PID/stat, peers included; 0: not known */
	uint64_t sole_anon_bytes;      /**< resident anonymous memory that no other process maps */
	uint64_t sole_swap_bytes;      /**< the same, swapped out */
	bool in_scope;                 /**< false: only here because it shares with one asked for */
	bool readable;                 /**< false: its memory could not be read (figures unknown) */
	struct memoir_figures figures; /**< the sum of its regions; only where in_scope */
};

/** One VMA. */
struct memoir_region {
	uint64_t start; /**< whole pages, but for parts that a name table's names give: any bytes */
	uint64_t end;
	uint64_t offset_bytes; /**< into the object */
	char perms[5];         /**< "rw-p" */
	uint8_t kind;          /**< enum memoir_kind */
	uint8_t name_source;   /**< enum memoir_name_source */
	bool exact;            /**< false: see inexact_why */
	bool locked;      /**< by mlock(2): no hint moves it; MEMOIR_ENGINE_TEXT does not see it */
	uint32_t process; /**< index of its process */
	uint32_t object;  /**< file, shmem, hugetlb, … or MEMOIR_NONE */
	uint32_t family;  /**< anonymous family, or MEMOIR_NONE: none, or not known */
	const char *name; /**< NULL: none */
	const char *path; /**< as /proc/PID/maps shows it, without its escapes; NULL: none */
	const char *inexact_why; /**< one sentence, or NULL */
	uint64_t own_anon_bytes; /**< resident anonymous memory that is in no set: only here */
	uint64_t own_swap_bytes; /**< swapped out, and in no set: only here */
	struct memoir_figures figures;
};

/** What becomes of an object's pages when nothing maps or holds it any more. */
enum memoir_fate {
	MEMOIR_FATE_UNKNOWN,
	MEMOIR_FATE_FREED, /**< dies with its last holder: memfd, shared anon, deleted files */
	MEMOIR_FATE_RECLAIMABLE, /**< page cache of a file that stays: the kernel can drop or write it */
	MEMOIR_FATE_KEPT,        /**< tmpfs or hugetlbfs files with a link, SysV segments */
	MEMOIR_FATES,
};

/** "freed", "reclaimable", "kept"; NULL for MEMOIR_FATE_UNKNOWN. */
const char *memoir_fate_name(enum memoir_fate fate);

/** What regions map: the kernel's address_space, or an anonymous family. */
struct memoir_object {
	uint8_t kind;   /**< enum memoir_kind of its mappings */
	bool is_family; /**< an anonymous family (all VMAs under one anon_vma root) */
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t
		inode; /**< or the number of the family; if announced, by whom << 20 | its number there */
	uint32_t alias;   /**< 0, or 2, 3 … where one (device, inode) is several address spaces */
	const char *path; /**< of the first mapping seen; NULL for a family */
	uint64_t size_bytes;     /**< i_size where known, else 0 */
	uint64_t resident_bytes; /**< all its pages in RAM, mapped or not; see resident_known */
	uint64_t mapped_bytes;   /**< those of them that some region maps, each counted once */
	uint64_t swapped_bytes;  /**< pages of shmem that are swapped out */
	bool resident_known;
	uint8_t fate;   /**< enum memoir_fate */
	uint32_t links; /**< names in its file system; MEMOIR_NONE: not known */
	/* Of shared buffers: memoir_object_is_buffer(). */
	const char *tag;      /**< what it is called, or its path; NULL: nothing */
	const char *exporter; /**< who made it, or announces it; NULL: not known */
	/** Of resident_bytes: what counts as other memory already, or is in no RAM. */
	uint64_t elsewhere_bytes;
	uint64_t shared_bytes; /**< of a DRM client's size_bytes: what other clients have too */
	uint32_t backing;      /**< the object whose pages its pages are (udmabuf); see is_backed */
	bool is_backed;
};

/** Whether it is memory made to be shared: memfd, shmem, dma-buf …; not files on disks. */
bool memoir_object_is_buffer(const struct memoir_object *object);

/**
 * A sharing set: pages that the same regions map. Sets form a tree: the members of a set are its region
 * and the members of its parent, so that a set costs 40 bytes however many its members are. A parent
 * stands before its children. A region is a member as often as it maps each of the pages.
 *
 * Memory that one region maps may be in a set of one member, or in no set at all: then it is in the
 * region's own_anon_bytes or own_swap_bytes, or it is the rest of its uss (pages of its object).
 */
struct memoir_set {
	uint32_t parent;      /**< index of another set, or MEMOIR_NONE */
	uint32_t region;      /**< index of the member that the parent lacks */
	uint32_t members;     /**< itself included */
	bool of_object;       /**< pages of the regions' object; else anonymous pages */
	uint64_t ram_bytes;   /**< pages that exactly these map */
	uint64_t swap_bytes;  /**< swapped out pages that exactly these have; never of an object */
	uint64_t freed_bytes; /**< anonymous memory that goes with the last of these: ram_bytes, but
				   for large folios, which go as a whole or not at all */
};

#define MEMOIR_NO_FD (-1) /**< a holder of a buffer that was announced */

/** A process that has a file open which is an object of the snapshot, or holds what was announced. */
struct memoir_holder {
	uint32_t object;
	uint32_t process;
	int32_t fd;         /**< or MEMOIR_NO_FD */
	uint32_t announced; /**< how many references it has without an fd; with one: 0 */
};

/** An fd of a socket with files that were passed into it and not received yet; which is not known. */
struct memoir_in_flight {
	uint64_t socket;  /**< its inode: several fds may be of one */
	uint32_t process; /**< that has the receiving end open */
	int32_t fd;
	uint32_t files;
};

struct memoir_snapshot;

/** Which processes to capture; those that share memory with them are looked at as far as needed. */
struct memoir_capture_options {
	size_t sz;
	/** NULL for all; else called once a process, with all but regions and figures filled in. */
	bool (*wants)(const struct memoir_process *process, void *arg);
	void *wants_arg;
	/** No sharing sets (memoir_snapshot_sets_known()): faster where many processes share much. */
	bool without_sets;
	/** NULL, or called now and then with done of total processes, from the calling thread. */
	void (*progress)(size_t done, size_t total, void *arg);
	void *progress_arg;
	/** Don't look for holders: saves some ms; what dies with its last holder is then not known. */
	bool without_holders;
	/** Count what every frame of memory is used for as well (docs/ACCOUNTING.md): 40 to 110 ns a
	    frame, on all threads. Root only; a note says where it could not be done. */
	bool frames;
	/** Leave kinds to what the kernel tells: nothing of what is in memory is looked at. */
	bool without_kinds;
	/** Look also for what is rare and costs more to find: buffers of io_uring, memory of virtual
	    machines, dma-bufs and segments that no process has, sockets with files in flight. */
	bool buffers;
	/** Don't read name tables (memoir/name.h): regions have the kernel's names only, and are whole. */
	bool without_names;
	/** Which processes `wants` wants, in words: memoir_snapshot_scope(). NULL: nobody says. */
	const char *scope;
	/** Look at no page: who maps and holds what is there, with what objects have in RAM, but no
	    figures of regions and processes, no sets, no mapped_bytes, and of name tables only what is
	    announced and tagged. A few ms, of whatever size the processes are. */
	bool without_pages;
	/** Names of many processes are what is asked for: what reads their tables at once is loaded now,
	    which takes 1 ms, and not when a context that has met some captures again. */
	bool many_names;
	/** Only what processes have in all is asked for: the snapshot has no regions and can't be saved,
	    and kinds, names, families and sets are not looked for. Saves 0.1 µs a mapping; and of all
	    processes, since Linux 6.14, what is loaded is ready 0.6 ms earlier, and with up to 32 CPUs
	    anonymous memory that is one process's alone is not read, but its sum taken from what the
	    kernel counts (MM_ANONPAGES and MM_SWAPENTS of mm->rss_stat, the parts of all CPUs), which is
	    as exact. */
	bool without_regions;
};

/**
 * @brief Capture the machine as it is now.
 *
 * memoir's own process is left out, and its mappings out of every count. Processes are not stopped:
 * figures of one region are consistent, those of different processes may be milliseconds apart.
 * Cost: by page tables about 0.3 µs a VMA and 3 ns a page; see enum memoir_engine for the others.
 * Privileges: CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN for exact figures of all; without, what
 * /proc/PID/smaps may be read (PTRACE_MODE_READ), the rest is counted in the notes.
 * @param options NULL for all processes
 * @param ret_snapshot owned by the caller: memoir_snapshot_free()
 * @return 0, also where some processes could not be read (see memoir_snapshot_partial());
 *         -ENOMEM; -EACCES: /proc can't be read at all; -EOPNOTSUPP: the engine asked for doesn't work;
 *         -E2BIG: options from a newer version; -EINVAL: their sz is not set
 */
int memoir_capture(struct memoir *memoir, const struct memoir_capture_options *options,
		   struct memoir_snapshot **ret_snapshot, struct memoir_error *error);

void memoir_snapshot_free(struct memoir_snapshot *snapshot);

/** Wall clock at the start of the capture, ns since 1970. */
uint64_t memoir_snapshot_taken_ns(const struct memoir_snapshot *snapshot);
/** The method that read the pages. */
enum memoir_engine memoir_snapshot_engine(const struct memoir_snapshot *snapshot);
/** Whether part of the data could not be read; the notes say what and what would help. */
bool memoir_snapshot_partial(const struct memoir_snapshot *snapshot);
/** Processes that ended while they were being looked at; normal, and not counted as partial. */
size_t memoir_snapshot_vanished(const struct memoir_snapshot *snapshot);

/**
 * Which processes were asked for, as options.scope said it ("" if it did not); NULL: all. Sums of a
 * snapshot of some are sums of these, and not of the machine.
 */
const char *memoir_snapshot_scope(const struct memoir_snapshot *snapshot);

/**
 * How many, and the i-th, or NULL beyond the end. All O(1), but for the first region that is asked for: all of a
 * capture's are made then, 0.05 µs each, on all threads. Several threads may ask at once.
 */
size_t memoir_snapshot_note_count(const struct memoir_snapshot *snapshot);
const char *memoir_snapshot_note(const struct memoir_snapshot *snapshot, size_t i);
size_t memoir_snapshot_process_count(const struct memoir_snapshot *snapshot);
const struct memoir_process *memoir_snapshot_process(const struct memoir_snapshot *snapshot,
						     size_t i);
size_t memoir_snapshot_region_count(const struct memoir_snapshot *snapshot);
const struct memoir_region *memoir_snapshot_region(const struct memoir_snapshot *snapshot,
						   size_t i);
size_t memoir_snapshot_object_count(const struct memoir_snapshot *snapshot);
const struct memoir_object *memoir_snapshot_object(const struct memoir_snapshot *snapshot,
						   size_t i);

/** Whether there are sharing sets: not if they were not asked for, or frames could not be read. */
bool memoir_snapshot_sets_known(const struct memoir_snapshot *snapshot);
size_t memoir_snapshot_set_count(const struct memoir_snapshot *snapshot);
const struct memoir_set *memoir_snapshot_set(const struct memoir_snapshot *snapshot, size_t i);
/** One for each fd of a shared buffer or a deleted file, and for each process that is said to hold what
    was announced; those of one object stand together. */
size_t memoir_snapshot_holder_count(const struct memoir_snapshot *snapshot);
const struct memoir_holder *memoir_snapshot_holder(const struct memoir_snapshot *snapshot,
						   size_t i);
/** Sockets with files in flight, those of one together; only where options.buffers was set. */
size_t memoir_snapshot_in_flight_count(const struct memoir_snapshot *snapshot);
const struct memoir_in_flight *memoir_snapshot_in_flight(const struct memoir_snapshot *snapshot,
							 size_t i);
/** Whether options.buffers was set, and all kinds of buffers were looked for. */
bool memoir_snapshot_buffers_known(const struct memoir_snapshot *snapshot);
/** Whether holders were looked for at all; if not, what dies with its last holder is not known. */
bool memoir_snapshot_holders_known(const struct memoir_snapshot *snapshot);

/** The process with this pid, or one of whose peers has it; NULL if there is none. O(processes). */
const struct memoir_process *memoir_snapshot_find_pid(const struct memoir_snapshot *snapshot,
						      pid_t pid);

/** Room for the longest object id and its NUL. */
#define MEMOIR_OBJECT_ID_MAX 96
/** Write the object's id ("file:fe:01:131", "family:7") into buf; returns buf. */
const char *memoir_object_id(const struct memoir_object *object, char buf[MEMOIR_OBJECT_ID_MAX]);

/**
 * The machine as a whole at capture: a line of /proc/meminfo, or one of memoir's own (frames:anon,
 * zram_used_bytes …; docs/ACCOUNTING.md). The value in bytes, or -ENODATA if there is no such line.
 */
int memoir_snapshot_meminfo(const struct memoir_snapshot *snapshot, const char *key,
			    uint64_t *ret_bytes);

/**
 * @brief Save as an SQLite file (docs/SNAPSHOT-FORMAT.md). Written beside and renamed: on failure
 *        nothing is left under `path`, and what was there stays.
 * @return 0; -ENOSPC, -EACCES, -EIO …; -ELIBACC: the system's libsqlite3.so.0, which is loaded by the
 *         first call of this or memoir_snapshot_load(), is not there or too old; -EINVAL: captured
 *         without_regions
 */
int memoir_snapshot_save(const struct memoir_snapshot *snapshot, const char *path,
			 struct memoir_error *error);

/**
 * @brief Load what memoir_snapshot_save() wrote. The file is not trusted: it may be damaged or foreign.
 * @return 0; -ENOENT …; -EBADMSG: not a snapshot, truncated or inconsistent; -EPROTONOSUPPORT: newer;
 *         -ELIBACC: as of memoir_snapshot_save()
 */
int memoir_snapshot_load(const char *path, struct memoir_snapshot **ret_snapshot,
			 struct memoir_error *error);

#ifdef __cplusplus
}
#endif

#endif
