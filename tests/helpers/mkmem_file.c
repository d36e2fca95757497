/*
 * Scenarios of memfds, files and shared anonymous memory: who maps which pages of an object. Files
 * are mkmem's own, in its scratch directory, so that no other process maps them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "mkmem.h"

#define PAGES 256
#define FILE_PAGES 64
#define MANY_FILES 600

static int new_file(const char *name, char *path, size_t size)
{
	static const uint8_t page[PAGE_BYTES] = { 1 };
	int fd;

	snprintf(path, size, "%s/%s", scratch_dir(), name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		broken("a file in the scratch directory");
	for (int i = 0; i < FILE_PAGES; i++)
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
			broken("write");
	return fd;
}

static void add_path(struct truth *truth, const char *path, bool deleted)
{
	add_hex(truth, "path_hex", path, strlen(path));
	snprintf(truth->extra + strlen(truth->extra), sizeof(truth->extra) - strlen(truth->extra),
		 ",\"deleted\":%s", deleted ? "true" : "false");
}

static void make_memfd_shared(void)
{
	static const char *const roles[] = { "64 written", "128 written", "192 written" };
	int fd = memfd_of("mkmem shared", PAGES);
	uint8_t *start = map_fd(fd, 0, PAGES, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint64_t number = 0;
	struct truth truth;

	while (number < 2 && !fork_child())
		number++;
	write_pages(start, 0, (number + 1) * 64);
	truth = truth_of(roles[number], start, PAGES);
	truth.regions = 1;
	for (uint64_t i = 0; i <= number; i++)
		add_shmem(&truth, 64, 3 - i);
	say(&truth);
}

static void make_memfd_private(void)
{
	int fd = memfd_of("mkmem private", FILE_PAGES);
	uint8_t *start = map_fd(fd, 0, FILE_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct truth truth = truth_of("32 copied, 32 read", start, FILE_PAGES);

	write_pages(start, 0, 32);
	read_pages(start, 32, FILE_PAGES);
	add_anon(&truth, 32, 1);
	add_shmem(&truth, 32, 1);
	say(&truth);
	start = map_fd(fd, 0, FILE_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	write_pages(start, 40, 48);
	truth = truth_of("8 copied", start, FILE_PAGES);
	add_anon(&truth, 8, 1);
	say(&truth);
}

static void make_memfd_twice(void)
{
	int fd = memfd_of("mkmem twice", 96);
	uint8_t *first = map_fd(fd, 0, 96, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint8_t *second = map_fd(fd, 0, 96, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct truth truth = truth_of("pages 0 to 63", first, 96);

	write_pages(first, 0, 64);
	write_pages(second, 32, 96);
	add_shmem(&truth, 32, 1);
	add_shmem(&truth, 32, 2);
	say(&truth);
	truth.role = "pages 32 to 95";
	truth.start = second;
	say(&truth);
}

/*
 * Many objects, each mapped right behind a table full of entries (of the zero page: it costs nothing),
 * so that what is handed out in pieces is often full just where an object is met for the first time.
 */
static void make_memfd_many(void)
{
	for (int i = 0; i < MANY_FILES; i++) {
		uint8_t *start = range_new(HUGE_PAGES + 1), *mapped = page_at(start, HUGE_PAGES);
		struct truth truth = truth_of("behind a full table", mapped, 1);
		char path[] = "/memfd:mkmem 000000";
		int fd;

		snprintf(strchr(path, ' ') + 1, 7, "%d", i);
		fd = memfd_of(strchr(path, ':') + 1, 1);
		if (mmap(mapped, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 0) != mapped)
			broken("mmap of a memfd");
		read_pages(start, 0, HUGE_PAGES);
		write_pages(mapped, 0, 1);
		close(fd);
		truth.regions = 1;
		add_shmem(&truth, 1, 1);
		add_path(&truth, path, true);
		say(&truth);
	}
}

static void make_memfd_read_only(void)
{
	int fd = memfd_of("mkmem read-only", FILE_PAGES);
	uint8_t *shared = map_fd(fd, 0, FILE_PAGES, PROT_READ, MAP_SHARED);
	uint8_t *private = map_fd(fd, 0, FILE_PAGES, PROT_READ, MAP_PRIVATE);
	uint8_t *apart = map_fd(fd, 16, 16, PROT_READ, MAP_PRIVATE);
	struct truth truth = truth_of("shared", shared, FILE_PAGES);

	read_pages(shared, 0, FILE_PAGES);
	read_pages(private, 0, FILE_PAGES);
	read_pages(apart, 0, 16);
	add_shmem(&truth, FILE_PAGES - 16, 2);
	add_shmem(&truth, 16, 3);
	say(&truth);
	truth.role = "private";
	truth.start = private;
	say(&truth);
	truth = truth_of("16 in the middle", apart, 16);
	add_shmem(&truth, 16, 3);
	say(&truth);
}

static void make_shared_anon(void)
{
	uint8_t *start = place(FILE_PAGES);
	struct truth truth = truth_of("parent", start, FILE_PAGES);

	start = mmap(start, FILE_PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (start == MAP_FAILED)
		broken("mmap");
	write_pages(start, 0, 32);
	if (fork_child()) {
		write_pages(start, 16, 48);
		truth.role = "child";
	}
	add_shmem(&truth, 16, 1);
	add_shmem(&truth, 16, 2);
	say(&truth);
}

static void make_file_private(void)
{
	char path[300];
	int fd = new_file("private", path, sizeof(path));
	uint8_t *start = map_fd(fd, 0, FILE_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	struct truth truth = truth_of("parent", start, FILE_PAGES);
	bool is_child;

	read_pages(start, 0, FILE_PAGES);
	write_pages(start, 0, 16);
	is_child = fork_child();
	if (is_child) {
		write_pages(start, 0, 8);
		write_pages(start, 32, 40);
		truth.role = "child";
	}
	/* 0-7 and 32-39 are the child's own; 8-15 copies of both; the rest the file's, of both. */
	add_anon(&truth, 8, 1);
	add_anon(&truth, 8, 2);
	if (is_child)
		add_anon(&truth, 8, 1);
	else
		add_file(&truth, fd, 8, 1);
	add_file(&truth, fd, FILE_PAGES - 24, 2);
	say(&truth);
}

static void make_file_shared(void)
{
	char path[300];
	int fd = new_file("shared", path, sizeof(path));
	uint8_t *start;
	struct truth truth;

	if (fork_child()) {
		start = map_fd(fd, 16, 32, PROT_READ | PROT_WRITE, MAP_SHARED);
		write_pages(start, 0, 32);
		truth = truth_of("child, the middle", start, 32);
		add_file(&truth, fd, 32, 2);
		say(&truth);
		stay();
	}
	start = map_fd(fd, 0, FILE_PAGES, PROT_READ, MAP_SHARED);
	read_pages(start, 0, FILE_PAGES);
	truth = truth_of("parent, all of it", start, FILE_PAGES);
	add_file(&truth, fd, 32, 1);
	add_file(&truth, fd, 32, 2);
	say(&truth);
}

static void say_file(const char *role, const char *name, bool deleted)
{
	char path[600];
	int fd = new_file(name, path, sizeof(path));
	uint8_t *start = map_fd(fd, 0, FILE_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct truth truth = truth_of(role, start, FILE_PAGES);

	write_pages(start, 0, FILE_PAGES);
	if (deleted && unlink(path))
		broken("unlink");
	truth.regions = 1;
	add_file(&truth, fd, FILE_PAGES, 1);
	add_path(&truth, path, deleted);
	say(&truth);
}

static void make_file_names(void)
{
	say_file("deleted", "gone", true);
	say_file("newline, spaces, backslash", "a\nb  c\\d e\t\"f\"", false);
	say_file("the same, deleted", "A\nb  c\\d e\t\"f\"", true);
	say_file("UTF-8",
		 "gr\xc3\xb6\xc3\x9f"
		 "e \xf0\x9f\x90\xa7",
		 false);
	say_file("not UTF-8", "\xff\xfe x \xc3\x28 \xed\xa0\x80 \x80", false);
	say_file("not UTF-8, deleted", "\xfd y \xe2\x82", true);
	say_file("kept, but called deleted", "kept (deleted)", false);
	say_file("looks like a maps line", "00400000-00401000 r-xp 00000000 00:00 0 [heap]", false);
}

/* In the text of maps it cannot be told from a newline. */
static void make_file_escape(void)
{
	say_file("a backslash and three digits", "a \\012 b", false);
	say_file("the same, deleted", "A \\012 b", true);
}

const struct scenario file_scenarios[] = {
	{ "memfd-shared", "three processes, each touched more", 3, make_memfd_shared, NULL, NULL },
	{ "memfd-private", "private copies of a memfd", 1, make_memfd_private, NULL, NULL },
	{ "memfd-twice", "mapped twice in one process", 1, make_memfd_twice, NULL, NULL },
	{ "memfd-many", "600 memfds, each behind a full page table", 1, make_memfd_many, NULL,
	  NULL },
	{ "memfd-read-only", "three read-only mappings", 1, make_memfd_read_only, NULL, NULL },
	{ "shared-anon", "shared anonymous memory with a child", 2, make_shared_anon, NULL, NULL },
	{ "file-private", "copies of a file's pages, forked", 2, make_file_private, NULL, NULL },
	{ "file-shared", "a file in two processes", 2, make_file_shared, NULL, NULL },
	{ "file-names", "deleted files, and names of all bytes", 1, make_file_names, NULL, NULL },
	{ "file-escape", "a name that looks escaped", 1, make_file_escape, NULL, NULL },
	{ 0 },
};
