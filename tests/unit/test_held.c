// SPDX-License-Identifier: MIT
/*
 * What tells who holds memory, taken apart: System V segments, links of /proc, the fds of a process,
 * and the fates that follow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "kernel/files.h"
#include "kernel/process.h"
#include "kernel/sysv.h"
#include "snapshot/capture.h"
#include "tree.h"

/* ---- System V segments ---------------------------------------------------------------------- */

#define HEADING                                                                                    \
	"       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  " \
	"cgid      atime      dtime      ctime                   rss                  swap\n"
#define SEGMENT(id, perms) \
	"1835363695 " id " " perms " 65536 11 12 1 0 0 0 0 1700000000 0 1700000000 32768 4096\n"

struct seen_segments {
	struct sysv_segment list[4];
	size_t count;
};

static void see(const struct sysv_segment *segment, void *arg)
{
	struct seen_segments *seen = arg;

	assert_true(seen->count < 4);
	seen->list[seen->count++] = *segment;
}

static struct seen_segments segments_of(const char *tree)
{
	struct seen_segments seen = { 0 };
	struct kroot *root;

	assert_int_equal(kroot_open(tree, &root), 0);
	assert_int_equal(sysv_each(root, see, &seen), 0);
	kroot_close(root);
	return seen;
}

static void a_segment_stays_unless_it_is_marked(void **state)
{
	char *tree = tree_new();
	struct seen_segments seen;

	(void)state;
	tree_put_text(tree, "proc/sysvipc/shm",
		      HEADING SEGMENT("3", " 600") SEGMENT("98307", "1666") "no number at all\n");
	seen = segments_of(tree);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.list[0].id, 3);
	assert_true(seen.list[0].stays);
	assert_int_equal(seen.list[0].size_bytes, 65536);
	assert_int_equal(seen.list[0].resident_bytes, 32768);
	assert_int_equal(seen.list[0].swapped_bytes, 4096);
	assert_int_equal(seen.list[1].id, 98307);
	assert_false(seen.list[1].stays);
	tree_put_text(tree, "proc/sys/kernel/shm_rmid_forced", "1\n");
	assert_false(segments_of(tree).list[0].stays);
	tree_put_text(tree, "proc/sys/kernel/shm_rmid_forced", "0\n");
	assert_true(segments_of(tree).list[0].stays);
	tree_remove(tree);
}

static void a_kernel_without_segments_says_so(void **state)
{
	char *tree = tree_new();
	struct kroot *root;

	(void)state;
	assert_int_equal(kroot_open(tree, &root), 0);
	assert_int_equal(sysv_each(root, see, NULL), -ENOENT);
	kroot_close(root);
	tree_remove(tree);
}

/* ---- processes ------------------------------------------------------------------------------ */

static void threads_are_read_behind_any_comm(void **state)
{
	char *tree = tree_new();
	struct process_stat stat;
	struct kroot *root;

	(void)state;
	tree_put_text(tree, "proc/7/stat",
		      "7 (a) S 9 (b) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 12 0 4711 99 1\n");
	assert_int_equal(kroot_open(tree, &root), 0);
	assert_int_equal(process_stat(root, 7, &stat), 0);
	assert_int_equal(stat.threads, 12);
	assert_int_equal(stat.start_ticks, 4711);
	kroot_close(root);
	tree_remove(tree);
}

/* ---- links of /proc ------------------------------------------------------------------------- */

static int open_by_link(const struct kroot *root, int fd, uint32_t dev, uint64_t inode)
{
	int opened = kroot_fd_of(root, dev, inode, "proc/self/fd/%d", fd);

	if (opened >= 0)
		close(opened);
	return opened < 0 ? opened : 0;
}

static void only_the_file_that_was_looked_at_is_opened(void **state)
{
	int memfd = memfd_create("unit", MFD_CLOEXEC), ends[2];
	struct stat st, fifo;
	struct kroot *root;

	(void)state;
	assert_int_equal(kroot_open(NULL, &root), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(fstat(memfd, &st), 0);
	assert_int_equal(fstat(ends[0], &fifo), 0);

	uint32_t dev = major(st.st_dev) << 20 | minor(st.st_dev);

	assert_int_equal(open_by_link(root, memfd, dev, st.st_ino), 0);
	assert_int_equal(open_by_link(root, memfd, dev, st.st_ino + 1), -ESTALE);
	assert_int_equal(open_by_link(root, memfd, dev + 1, st.st_ino), -ESTALE);
	/* What has taken its place since, though number and all are right. */
	assert_int_equal(open_by_link(root, ends[0], major(fifo.st_dev) << 20 | minor(fifo.st_dev),
				      fifo.st_ino),
			 -ESTALE);
	close(memfd);
	close(ends[0]);
	close(ends[1]);
	kroot_close(root);
}

struct looked_for {
	int fd;
	struct open_file found;
	size_t times;
	char path[64];
};

static int look_for(const struct open_file *file, void *arg)
{
	struct looked_for *l = arg;

	if (file->fd != l->fd)
		return 0;
	l->found = *file;
	l->times++;
	snprintf(l->path, sizeof(l->path), "%s", file->path);
	return 0;
}

static struct looked_for look(const struct files_text *text, int fd)
{
	struct looked_for l = { .fd = fd };

	assert_int_equal(files_text_each(text, getpid(), false, look_for, &l), 0);
	return l;
}

static void what_dies_with_its_fd_is_told_from_the_rest(void **state)
{
	struct internal_devs devs = { 0 };
	struct files_text text = { .devs = &devs, .swap_in_use = true };
	int memfd = memfd_create("unit", MFD_CLOEXEC), ends[2];
	struct kroot *root;
	struct looked_for l;

	(void)state;
	assert_int_equal(kroot_open(NULL, &root), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(memfd, "memoir", 6), 6);
	text.root = root;
	internal_devs_find(root, &devs);
	l = look(&text, memfd);
	assert_int_equal(l.times, 1);
	assert_string_equal(l.path, "/memfd:unit (deleted)");
	assert_int_equal(l.found.size_bytes, 6);
	assert_int_equal(l.found.nlink, 0);
	/* Its block may be in swap. */
	assert_false(l.found.resident_known);
	text.swap_in_use = false;
	l = look(&text, memfd);
	assert_true(l.found.resident_known);
	assert_int_equal(l.found.resident_bytes, 4096);
	assert_int_equal(look(&text, ends[0]).times, 0);
	close(memfd);
	close(ends[0]);
	close(ends[1]);
	internal_devs_free(&devs);
	kroot_close(root);
}

/* ---- fates ---------------------------------------------------------------------------------- */

#define MAGIC_EXT4 0xef53
#define MAGIC_RAMFS 0x858458f6
#define MAGIC_SECRETMEM 0x5345434d

struct fate_case {
	uint8_t kind;
	struct object_facts facts;
	uint8_t fate;
};

static void fates_follow_from_kind_and_links(void **state)
{
	static const struct fate_case cases[] = {
		{ MEMOIR_KIND_MEMFD, { .nlink = 0 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_SHARED_ANON, { .nlink = 0 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_SHMEM, { .nlink = 0 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_SHMEM, { .nlink = 2 }, MEMOIR_FATE_KEPT },
		{ MEMOIR_KIND_HUGETLB, { .nlink = 0 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_HUGETLB, { .nlink = 1 }, MEMOIR_FATE_KEPT },
		{ MEMOIR_KIND_FILE, { .nlink = 0, .magic = MAGIC_EXT4 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_FILE, { .nlink = 1, .magic = MAGIC_EXT4 }, MEMOIR_FATE_RECLAIMABLE },
		{ MEMOIR_KIND_FILE, { .nlink = 1, .magic = MAGIC_RAMFS }, MEMOIR_FATE_KEPT },
		{ MEMOIR_KIND_FILE, { .nlink = 0, .magic = MAGIC_RAMFS }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_SECRETMEM,
		  { .nlink = 1, .magic = MAGIC_SECRETMEM },
		  MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_DEVICE, { .nlink = 1, .mode = S_IFBLK }, MEMOIR_FATE_RECLAIMABLE },
		{ MEMOIR_KIND_DEVICE, { .nlink = 1, .mode = S_IFCHR }, MEMOIR_FATE_UNKNOWN },
		{ MEMOIR_KIND_DMABUF, { .nlink = 1 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_DRM, { .nlink = 1 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_GUEST_MEMFD, { .nlink = 1 }, MEMOIR_FATE_FREED },
		{ MEMOIR_KIND_SYSV, { .nlink = 0 }, MEMOIR_FATE_UNKNOWN },
	};
	struct capture c = { .snap = snapshot_new() };

	(void)state;
	for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct memoir_object *o = snapshot_add_object(c.snap);

		o->kind = cases[i].kind;
		capture_object_facts(&c, i, &cases[i].facts);
		if (o->fate != cases[i].fate)
			fail_msg("case %u: fate %u", i, o->fate);
		assert_int_equal(o->links, cases[i].facts.nlink);
		assert_false(o->resident_known);
	}
	memoir_snapshot_free(c.snap);
}

static void what_is_told_later_does_not_take_away_what_was_known(void **state)
{
	struct capture c = { .snap = snapshot_new() };
	struct memoir_object *o = snapshot_add_object(c.snap);

	(void)state;
	o->kind = MEMOIR_KIND_MEMFD;
	capture_object_facts(&c, 0,
			     &(struct object_facts){ .size_bytes = 8192,
						     .resident_bytes = 4096,
						     .swapped_bytes = 4096,
						     .resident_known = true });
	capture_object_facts(&c, 0, &(struct object_facts){ 0 });
	assert_true(o->resident_known);
	assert_int_equal(o->size_bytes, 8192);
	assert_int_equal(o->resident_bytes, 4096);
	assert_int_equal(o->swapped_bytes, 4096);
	memoir_snapshot_free(c.snap);
}

/* ---- processes of which nothing was seen ------------------------------------------------------ */

static void add_process(struct capture *c, pid_t pid, bool in_scope)
{
	struct process_note *note;
	struct memoir_process *process = capture_add_process(c, &note);

	assert_non_null(process);
	process->pid = pid;
	process->in_scope = in_scope;
}

static void who_only_holds_stays_if_it_was_not_asked_for(void **state)
{
	struct memoir memoir = { 0 };
	struct capture c = { .memoir = &memoir, .snap = snapshot_new() };

	(void)state;
	add_process(&c, 10, true);  /* ended meanwhile, whatever it held */
	add_process(&c, 11, false); /* nothing to do with it */
	add_process(&c, 12, false);
	*snapshot_add_holder(c.snap) = (struct memoir_holder){ .process = 0, .fd = 3 };
	*snapshot_add_holder(c.snap) = (struct memoir_holder){ .process = 2, .fd = 4 };
	assert_int_equal(capture_finish(&c), 0);
	assert_int_equal(memoir_snapshot_process_count(c.snap), 1);
	assert_int_equal(memoir_snapshot_process(c.snap, 0)->pid, 12);
	assert_int_equal(memoir_snapshot_holder_count(c.snap), 1);
	assert_int_equal(memoir_snapshot_holder(c.snap, 0)->process, 0);
	assert_int_equal(memoir_snapshot_holder(c.snap, 0)->fd, 4);
	assert_int_equal(memoir_snapshot_vanished(c.snap), 1);
	memoir_snapshot_free(c.snap);
	free(c.notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_stays_unless_it_is_marked),
		cmocka_unit_test(a_kernel_without_segments_says_so),
		cmocka_unit_test(threads_are_read_behind_any_comm),
		cmocka_unit_test(only_the_file_that_was_looked_at_is_opened),
		cmocka_unit_test(what_dies_with_its_fd_is_told_from_the_rest),
		cmocka_unit_test(fates_follow_from_kind_and_links),
		cmocka_unit_test(what_is_told_later_does_not_take_away_what_was_known),
		cmocka_unit_test(who_only_holds_stays_if_it_was_not_asked_for),
	};

	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
