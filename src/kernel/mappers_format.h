/* SPDX-License-Identifier: MIT */
/*
 * What bpf/who.bpf.c is asked and what it answers: records in an array shared by mmap.
 * Included by both sides, so it may use nothing but the fixed-width types they define.
 */
#ifndef MEMOIR_KERNEL_MAPPERS_FORMAT_H
#define MEMOIR_KERNEL_MAPPERS_FORMAT_H

/* A power of two, so that the verifier can bound an offset by a mask; the slack holds the last record. */
#define MAPPERS_BYTES (1u << 20)
#define MAPPERS_SLACK_BYTES 4096u
#define MAPPERS_NAME_BYTES 256u
#define MAPPERS_LABEL_BYTES 24
/* A tree's nodes still to be looked at: one for each level of it. A power of two as well. */
#define MAPPERS_DEPTH 128u
/* A tree that is changed while it is read may lead in circles. */
#define MAPPERS_STEPS (1u << 20)

/* What is asked; each but the last begins with the VMA that `tgid` has at `addr`. */
enum mappers_question {
	MAPPERS_VMA,    /* only that one */
	MAPPERS_OBJECT, /* all that map the same page of its file */
	MAPPERS_FAMILY, /* all of its anonymous family that may have its page */
	MAPPERS_PROBE,  /* its file's only page: its struct page and entry, and objects around it */
	MAPPERS_FRAME,  /* all that may map what is in `frame` */
};

struct mappers_request {
	u64 addr;
	u64 frame;
	u64 vmemmap;    /* address of struct page 0 */
	u64 direct_map; /* kernel address of physical address 0; 0: page tables are not to be read */
	u64 max_phys;
	u32 levels; /* of page tables: 4 or 5 */
	u32 tgid;
	u32 question;
	u32 unused;
};

#define MAPPERS_WITNESSES 6

/* Kept by the program. */
struct mappers_state {
	u64 used;       /* bytes of records */
	u64 index;      /* of the page, in the object or family */
	u64 tree;       /* root node of the tree of mappings, 0: there is none */
	u64 probe_page; /* MAPPERS_PROBE: and the next two */
	u64 probe_entry;
	u64 witnesses[MAPPERS_WITNESSES]; /* addresses of slab objects */
	u64 page_struct_bytes;
	u64 page_mapping; /* MAPPERS_FRAME: what the page says it is of, with the kernel's low bits */
	u32 anon;         /* whether it is a tree of a family */
	u32 depth;
	u32 seen;  /* the process was there */
	u32 torn;  /* a tree could not be read to its end */
	int found; /* 0: there is a VMA at addr; else a negative errno */
	u32 unused;
	u64 nodes[MAPPERS_DEPTH];
};

struct mapper_record {
	u32 bytes; /* of the whole record, a multiple of 8 */
	u32 bits;
	u64 mm, start, end, flags, offset_pages;
	u64 start_ns;
	u64 entry;           /* of the page table, where the page would be */
	u32 tgid, tid, ppid; /* tgid 0: the kernel does not keep whose address space it is */
	u32 name_len;
	u32 entry_shift; /* 12, or of an entry that maps more; 0: it was not read */
	u32 unused;
	char comm[16];
	char label[MAPPERS_LABEL_BYTES]; /* "[vdso]" and the like, else "" */
	char name[];
};

#define MAPPER_ASKED 1u /* the VMA at addr */
#define MAPPER_HEAP 2u
#define MAPPER_STACK 4u
#define MAPPER_FILE 8u
#define MAPPER_HAS_ANON 16u /* has an anon_vma */
#define MAPPER_NAMED 32u    /* has a name, though that may be empty */

#endif
