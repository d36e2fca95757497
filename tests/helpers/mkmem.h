/*
 * What the scenarios of mkmem share: ranges of memory, their truth and how processes wait for each
 * other. Nothing here may ask the kernel's own sums (smaps, statm) what is true.
 */
#ifndef MKMEM_H
#define MKMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE_BYTES UINT64_C(4096)
#define HUGE_BYTES (UINT64_C(2) << 20)
#define HUGE_PAGES (HUGE_BYTES / PAGE_BYTES)
#define LIFETIME_S 600

/*
 * make() runs in a child of mkmem and ends in stay(), or never returns otherwise. READY is printed
 * once as many processes as here have called stay() or been announced by up_pid().
 * prepare and restore run in mkmem itself, before and after, for settings of the whole machine.
 */
struct scenario {
	const char *name;
	const char *what;
	unsigned int processes;
	void (*make)(void);
	void (*prepare)(void);
	void (*restore)(void);
};

/* Each ends with a row whose name is NULL. */
extern const struct scenario anon_scenarios[];
extern const struct scenario space_scenarios[];
extern const struct scenario fork_scenarios[];
extern const struct scenario thp_scenarios[];
extern const struct scenario file_scenarios[];
extern const struct scenario object_scenarios[];
extern const struct scenario swap_scenarios[];
extern const struct scenario mover_scenarios[];

/* What is true of a range in this process: sums of what add_*() were told. */
struct truth {
	const char *role;
	const uint8_t *start;
	uint64_t bytes;
	bool unknown;     /* only that the range is there */
	uint64_t regions; /* 0: not known */
	uint64_t rss_pages;
	uint64_t uss_pages;
	uint64_t shared_pages;
	uint64_t swap_pages;
	uint64_t anon_pages;
	uint64_t file_pages;
	uint64_t shmem_pages;
	uint64_t thp_bytes;
	uint64_t pss_raw; /* as the kernel sums it: bytes << 12, cut off page by page */
	uint64_t swap_pss_raw;
	char extra[1200]; /* more JSON, with its leading comma */
};

struct truth truth_of(const char *role, const uint8_t *start, uint64_t pages);
void add_anon(struct truth *truth, uint64_t pages, uint64_t mapcount);
void add_shmem(struct truth *truth, uint64_t pages, uint64_t mapcount);
/* As the file system of fd has it: shmem on tmpfs, else file. */
void add_file(struct truth *truth, int fd, uint64_t pages, uint64_t mapcount);
void add_swap(struct truth *truth, uint64_t pages, uint64_t entry_count);
/* In the object, not in the page table: the kernel counts it in Swap and not in SwapPss. */
void add_shmem_swap(struct truth *truth, uint64_t pages);
void add_hex(struct truth *truth, const char *key, const void *bytes, size_t length);
void say(const struct truth *truth);

/* Isolated by PROT_NONE pages; range_new() can be written, place() is PROT_NONE: map over it. */
uint8_t *place(uint64_t pages);
uint8_t *range_new(uint64_t pages);
uint8_t *range_written(uint64_t pages);
/* Aligned and advised for huge pages; untouched. */
uint8_t *huge_new(uint64_t huge_pages);
uint8_t *map_fd(int fd, uint64_t from_page, uint64_t pages, int prot, int flags);
int memfd_of(const char *name, uint64_t pages);

uint8_t *page_at(uint8_t *start, uint64_t index);
void write_pages(uint8_t *start, uint64_t from, uint64_t to);
void read_pages(const uint8_t *start, uint64_t from, uint64_t to);

/* What the page table has, without the kernel's sums. frame_of(): 0 where hidden or absent. */
uint64_t present_pages(const uint8_t *start, uint64_t pages);
uint64_t swapped_pages(const uint8_t *start, uint64_t pages);
uint64_t frame_of(const uint8_t *start);
uint64_t mapcount_of(uint64_t frame);
/* Skips the scenario where the memory did not become huge. */
void need_huge(const uint8_t *start, uint64_t huge_pages);
void need_swap(void);
/* Pages out all of a range: anonymous memory, or a whole range of a shmem object. */
void page_out(uint8_t *start, uint64_t pages);
void page_out_shmem(uint8_t *start, uint64_t pages);
void pin_cpu(void);

/* Processes: true in the child, which dies with its parent. */
bool fork_child(void);
pid_t fork_child_pid(void);
/* Dies only with mkmem or after LIFETIME_S: for those whose parent exits. */
bool fork_orphan(void);
void wait_for_exit(pid_t pid);
/* Count up, wait for the count; shared by all processes of the scenario. */
void reach(void);
void await(int count);

__attribute__((noreturn)) void stay(void);
void up(void);
void up_pid(pid_t pid);
__attribute__((noreturn, format(printf, 1, 2))) void skip(const char *format, ...);
/* Something that has to work did not: a failure, not a skip. */
__attribute__((noreturn)) void broken(const char *what);

const char *scratch_dir(void);
bool write_setting(const char *path, const char *value);
long read_setting(const char *path);

/* For mkmem.c only. */
void link_to_root(int up_fd, const char *scratch);

#endif
