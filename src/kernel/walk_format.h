/* SPDX-License-Identifier: MIT */
/*
 * What bpf/tasks.bpf.c and the walks of VMAs write and walk.c reads: a stream of records in an array shared by mmap.
 * Included by both sides, so it may use nothing but the fixed-width types they define.
 */
#ifndef MEMOIR_KERNEL_WALK_FORMAT_H
#define MEMOIR_KERNEL_WALK_FORMAT_H

/* A power of two, so that the verifier can bound an offset by a mask; WALK_SLACK holds the last record. */
#define WALK_ARENA_BYTES (1u << 18)
#define WALK_SLACK_BYTES (16u * 1024)
#define WALK_TASKS_BYTES (1u << 15) /* the same of the program for tasks */
#define WALK_TASKS_SLACK_BYTES 256
#define WALK_ARENAS 3 /* some are written while others are read */
#define WALK_WALKERS \
	2u /* so many threads can go on with a walk of VMAs, each by its own struct walker */
#define WALK_PATH_BYTES 4096
#define WALK_NAME_BYTES 256
#define WALK_LABEL_BYTES 24

enum walk_kind {
	WALK_TASK = 1,
	WALK_FILE,   /* struct walk_file_of_task (files_format.h), of the tasks' program */
	WALK_OBJECT, /* struct walk_object, before the first VMA that has it */
	WALK_VMA,
	WALK_PATH, /* struct walk_text: a path, before the first object that has it; id 0: it is the next object's */
	WALK_NAME,  /* struct walk_text: an anonymous VMA's name, right before its VMA */
	WALK_LABEL, /* the same: "[vdso]" and the like */
	WALK_TABLE, /* struct walk_table: the entries of (part of) one page table */
	WALK_HUGE,  /* struct walk_huge: one entry of a higher level that maps memory itself */
	WALK_LEFT, /* struct walk_left: the rest of an address space that could not be read without its lock */
	WALK_NAMES, /* struct walk_names: what the last VMA is the anchor of, where that is little */
	WALK_COUNTERS, /* struct walk_counters, before the VMAs of an address space */
};

struct walk_head {
	u32 kind;
	u32 bytes; /* of the whole record, a multiple of 8 */
};

struct walk_task {
	struct walk_head head;
	u64 task; /* kernel addresses: identities, and what the direct map's base is found by */
	u64 mm;   /* 0: a kernel thread, or a process that has exited */
	u64 css_set;
	u64 start_ns;
	u64 born_ns; /* of this thread itself, where that is not the leader */
	u64 page_table_bytes;
	u64 start_brk, brk, start_stack;
	u32 tgid, tid, ppid, uid;
	u32 seq;
	u32 bits; /* WALK_KTHREAD */
	u32 map_count;
	u32 threads;
	char comm[16];
};

#define WALK_KTHREAD 1u

/* By what a file's path is known; all 0: there is none, or none is asked for. */
struct walk_path {
	u64 mnt, dentry, node; /* kernel addresses, in a walk without locks */
	u32 id;                /* of the WALK_PATH record, in the other one */
	u32 stacked; /* a stacked file system's: path, dev and inode are to be read elsewhere */
};

/* The file of the VMAs behind it that have WALK_MAPS_OBJECT, up to the next one. */
struct walk_object {
	struct walk_head head;
	u64 mapping; /* vm_file->f_mapping; of dma-bufs the inode (see dmabuf_read.h) */
	u64 inode, size_bytes;
	u64 resident_pages, swapped_pages; /* swapped: of shmem only */
	u32 dev, magic, mode;
	u32 links; /* i_nlink */
	struct walk_path path;
};

struct walk_vma {
	struct walk_head head;
	u64 mm, start, end, flags, offset_pages;
	u64 anon_root; /* 0: it has no anon_vma */
	u32 tgid, tid;
	u32 seq;
	u32 bits; /* WALK_ALONE … */
};

#define WALK_ALONE 1u     /* no other anon_vma of its family has VMAs (KERNEL: the local proof) */
#define WALK_SOLE 2u      /* the only VMA of its address_space */
#define WALK_NAMED 4u     /* a WALK_NAME record came right before */
#define WALK_TAGGED 8u    /* entries of file pages carry WALK_FILE_BIT */
#define WALK_COVERED 32u  /* its first entries are in the last WALK_TABLE record */
#define WALK_LABELLED 16u /* a WALK_LABEL record came right before */
#define WALK_MAPS_OBJECT 64u /* that of the last WALK_OBJECT record */

struct walk_text {
	struct walk_head head;
	u32 id;
	u32 len;
	char bytes[];
};

/* Of the VMA at hand, and maybe what lies behind it: of the VMAs there, if they say so (WALK_COVERED). */
struct walk_table {
	struct walk_head head;
	u64 addr;
	u64 entries[]; /* (head.bytes - 16) / 8 of them, 4 KiB of address space each */
};

struct walk_huge {
	struct walk_head head;
	u64 addr;
	u64 entry;
	u64 span_bytes;
};

/* With it come no VMAs that have but what is counted in these, and is nobody else's; but for huge pages in them. */
struct walk_counters {
	struct walk_head head;
	u64 mm;
	u64 anon_pages, swap_entries; /* MM_ANONPAGES, MM_SWAPENTS */
	u32 tgid, tid;
};

struct walk_left {
	struct walk_head head;
	u64 mm, from;         /* what lies behind this is missing */
	u64 start, end, addr; /* but of this one only what is from addr on; all 0: of none */
	u32 tgid, tid;
};

/* With more no counters are read: each has a cache line of its own, of each process. */
#define WALK_CPUS_MAX 32u

#define WALK_NAMES_HEADER 23u /* numbers of 8 bytes */
#define WALK_NAMES_BLOCK_BYTES 1024u
#define WALK_NAMES_BLOCKS 12u /* more are not sent */
#define WALK_NAMES_ROOM 16u   /* the next power of two */

/* Of a block of segment 0 as many bytes from its beginning on as there is something in it. */
struct walk_block {
	unsigned short block; /* less than 64 */
	unsigned short bytes; /* a multiple of 8 */
};

/*
 * Of a name table (docs/NAME-TABLE.md) the header, and the blocks that its ranges need: as at one moment. Nothing of it
 * where it is as it was when it was sent last for this address space.
 */
struct walk_names {
	struct walk_head head;
	u64 anchor; /* where the header is */
	u64 generation;
	u32 count;   /* of blocks; 0: as it was, and there is nothing behind this */
	u32 settled; /* as long as the generation is the same, the table is */
	u64 header[WALK_NAMES_HEADER];
	struct walk_block blocks[WALK_NAMES_BLOCKS];
	char bytes[]; /* of those blocks, one after the other */
};

#define WALK_NAMES_BYTES (512u + WALK_NAMES_BLOCKS * WALK_NAMES_BLOCK_BYTES) /* and less */

/* Which table was sent last, by pids. */
#define WALK_SENT 4096u
struct walk_sent {
	u64 mm, anchor, generation;
	u32 epoch, unused;
};

/* Set by the program in copied entries; bits 52 to 57 are ignored by x86-64 hardware and kernel. */
#define WALK_FILE_BIT (1ull << 52)

enum walk_scope {
	WALK_ALL = 0,
	WALK_LISTED_MMS,     /* only VMAs of address spaces in `wanted` */
	WALK_LISTED_OBJECTS, /* and those of other address spaces whose object is in `wanted` */
};

/* Set by user space before a walk. */
struct walk_config {
	u64 direct_map; /* kernel address of physical address 0 */
	u64 max_phys;
	u64 vmemmap;    /* address of struct page 0, or 0: not known */
	u64 dirty_bits; /* of an entry: any of them says that the page was written to */
	u64 probe_addr; /* a page of our own whose struct page is wanted */
	u32 probe_tgid;
	u32 levels;     /* of page tables: 4 or 5 */
	u32 tables;     /* copy page tables */
	u32 scope;      /* enum walk_scope */
	u32 generation; /* under the lock path ids of other generations are stale */
	u32 patience; /* how often in vain the walk without locks looks at a place; 0.2 µs each */
	u32 names;    /* send small name tables */
	u32 names_epoch; /* 0: whatever was sent before; else not such as were in this epoch */
	u32 cpus; /* not 0: send struct walk_counters, the parts of so many, and not what these tell */
	u32 few_paths; /* send none of plain files */
};

/* Offsets of what is read by them, from the program for tasks; tasks.bpf.c says why. */
struct walk_layout {
	u32 known;
	u32 sb_flags, sb_magic;
	u32 mapping_pages, mapping_root, mapping_head;
	u32 anon_children, anon_vmas, anon_parent;
	u32 mm_anon,
		mm_swap; /* counters of struct mm_struct; 0: not of this kind (before Linux 6.2) */
	u32 counter_parts; /* behind a counter's count */
};

/* The file of the last VMA. */
struct walk_file {
	u64 file, inode, mm;
	u64 sb;
	u64 tree; /* root of the VMAs that map it */
	u32 magic, unused;
	struct walk_path path;
};

/* Kept by the program. */
struct walk_state {
	u64 used;  /* bytes of the arena that is being written */
	u32 arena; /* which that is */
	u32 full;  /* stopped for want of room, not at the end */
	u32 begun; /* the last call ended in an address space, whose rest comes with the next one */
	u32 next_path; /* the last id that was given, under the lock */
	u64 resume_mm, resume_start, resume_end, resume_addr;
	u64 probe_page;
	u64 page_struct_bytes;
	struct walk_file file;
	u64 last_mm, last_file;
	u32 last_mm_wanted, last_file_wanted;
	u32 seq_kind; /* 0: no mm_lock_seq; 1: an int; 2: a seqcount */
	u32 unused;
};

/* What the walk without locks is called with, and what it returns if the task is not there any more. */
enum walk_arg {
	WALK_WALKER,  /* index of the struct walker */
	WALK_TASK_AT, /* kernel address */
	WALK_IDS,     /* tgid and tid, the one above the other */
	WALK_BORN,    /* walk_task.born_ns */
	WALK_ARGS,
};
#define WALK_GONE 1

/* Why a VMA, or what is below it, is not sent to its end. */
enum walk_stop {
	WALK_FULL = 1, /* no room: the next read goes on */
	WALK_CHANGED,  /* the address space was changed meanwhile */
	WALK_PAUSED,   /* enough for one call, which goes on with the next one */
};

/* The name table that is being taken. */
struct walk_namer {
	u64 segment; /* 0's address */
	u64 listed;  /* blocks, by bits */
	u64 entry;   /* the page table's for what in_ram() was asked for, and where it is */
	u64 entry_at;
	u64 entries[WALK_NAMES_ROOM];
	u64 entries_at[WALK_NAMES_ROOM];
	u32 count, leaves;
	u32 bytes; /* taken so far */
	u32 leaf;  /* where the one begins whose entries are gone through */
	u32 failed;
	struct walk_block blocks[WALK_NAMES_ROOM];
};

/* Where the program stands. In a map, not on its stack: there the verifier would follow each value. */
struct walker {
	struct walk_state state;
	u64 addr, end; /* in a VMA */
	u64 task, mm;
	u64 from; /* what lies behind it is still to be sent (walk_lockless.bpf.c); 0 under the lock */
	u64 start; /* of what is sent of the VMA: the rest may have been part of another one before */
	u64 pgd;   /* kernel address of the top table */
	u64 pmds; /* physical address of the table for [pmds_start, pmds_start + 1 GiB) */
	u64 pmds_start;
	/* What the last table that was sent has, and where its entries are in the arena; ends at 0: none was. */
	u64 sent_from, sent_end, sent_at;
	u64 next_end; /* of what comes behind the VMA at hand, be it a VMA or a gap; 0: not known */
	u64 vma_anon; /* of the VMA at hand */
	u64 number;   /* see number_of() in walk_read.h */
	u64 anon, anon_root; /* on the way from the one to the other */
	u64 root, maple;     /* of the maple tree; its node, on the way down (walk_warm.h) */
	u64 warm_mm, warm_addr, warm_last;
	u64 counter, parts,
		sum; /* kernel address of a counter and of its parts (walk_counters.h) */
	u32 tgid, tid;
	u32 bits; /* WALK_ALONE … of the VMA at hand */
	u32 seq;
	u32 hugetlb;
	u32 counted;   /* struct walk_counters was sent */
	u32 only_huge; /* of the VMA at hand no more than huge pages are told */
	u32 tag;
	u32 stop;        /* enum walk_stop, or 0 */
	u32 tries;       /* in vain, one after the other */
	u32 steps;       /* from table to table, that this call may still take */
	u32 slot, slots; /* in that node, and how many it has */
	struct walk_namer namer;
};

#endif
