// SPDX-License-Identifier: MIT
/*
 * The paths that walks tell, against the links in /proc/PID/map_files: of files that have several, of those that nobody
 * can open, and of one that takes the place of another from walk to walk. By each program that there is.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/process.h"
#include "scratch.h"
#include "two_walks.h"

#define PAGE 4096ul
#define FILES_AT ((char *)0x200000000000ul) /* VMAs of one page, a page apart */
#define ROUNDS 3u /* so often each file is mapped, in turn with the others */
#define NAMES 3u  /* of one file: two links, and the first by another mount */
#define MEMFDS 40u

/* ---- a process ------------------------------------------------------------------------------ */

static void make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)PAGE) < 0)
		_exit(1);
	close(fd);
}

static void map_next(int fd, int flags)
{
	static unsigned int mapped;
	char *at = FILES_AT + (size_t)mapped++ * 2 * PAGE;

	if (mmap(at, PAGE, PROT_READ, MAP_FIXED_NOREPLACE | flags, fd, 0) != at)
		_exit(2);
}

static void map_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		_exit(3);
	map_next(fd, MAP_PRIVATE);
	close(fd);
}

/* Only this process sees the other mount. */
static void have_names(char paths[NAMES][512])
{
	snprintf(paths[0], 512, "%s", in_scratch("first"));
	snprintf(paths[1], 512, "%s", in_scratch("second\n link"));
	snprintf(paths[2], 512, "%s", in_scratch("mount/first"));
	make_file(paths[0]);
	if (link(paths[0], paths[1]) < 0 || mkdir(in_scratch("mount"), 0700) < 0 ||
	    unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(scratch_path(), in_scratch("mount"), NULL, MS_BIND, NULL) < 0)
		_exit(4);
}

static void map_memfds(void)
{
	for (unsigned int i = 0; i < MEMFDS; i++) {
		char name[32];
		int fd;

		snprintf(name, sizeof(name), "buffer %u", i);
		fd = memfd_create(name, MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)PAGE) < 0)
			_exit(5);
		map_next(fd, i % 2 ? MAP_SHARED : MAP_PRIVATE);
		close(fd);
	}
}

static void map_without_names(void)
{
	int segment = shmget(IPC_PRIVATE, PAGE, 0600);

	map_next(-1, MAP_SHARED | MAP_ANONYMOUS);
	if (segment < 0 || shmat(segment, NULL, 0) == (void *)-1)
		_exit(6);
	shmctl(segment, IPC_RMID, NULL);
}

static void map_one_that_is_gone(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s", in_scratch("gone"));
	make_file(path);
	map_path(path);
	unlink(path);
}

static void map_all(void)
{
	char paths[NAMES][512];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	have_names(paths);
	for (unsigned int i = 0; i < ROUNDS * NAMES; i++)
		map_path(paths[i % NAMES]);
	map_memfds();
	map_without_names();
	map_one_that_is_gone();
	for (;;)
		raise(SIGSTOP);
}

static pid_t start(void (*live)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		live();
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- what walks say ------------------------------------------------------------------------- */

struct seen {
	const struct kroot *root;
	pid_t pid;
	size_t files, others; /* VMAs of files; those with another path than they have */
	char first[PATH_MAX]; /* of the first one that was mapped here */
};

static void take_vma(const struct walk_vma *vma, const struct walk_object *object, const char *path,
		     const char *name, void *arg)
{
	struct seen *seen = arg;
	char linked[PATH_MAX];

	(void)name;
	if (vma->tgid != (uint32_t)seen->pid || !object)
		return;
	assert_int_equal(process_mapped_path(seen->root, seen->pid, vma->start, vma->end, linked,
					     sizeof(linked)),
			 0);
	if (strcmp(path, linked) != 0)
		print_message("%s: %s\n", linked, path);
	seen->files++;
	seen->others += strcmp(path, linked) != 0;
	if (vma->start == (uintptr_t)FILES_AT)
		snprintf(seen->first, sizeof(seen->first), "%s", path);
}

static struct seen see(struct walk *walk, const struct kroot *root, pid_t pid)
{
	const struct walk_visitor visitor = { .vma = take_vma };
	struct seen seen = { .root = root, .pid = pid };

	assert_int_equal(walk_tasks(walk, NULL, NULL), 0);
	assert_int_equal(walk_vmas(walk, WALK_ALL, false, &visitor, &seen), 0);
	return seen;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void check(struct seen seen)
{
	assert_int_equal(seen.others, 0);
	assert_true(seen.files >= ROUNDS * NAMES + MEMFDS + 3);
}

static void each_mapping_has_its_own_path(void **state)
{
	struct walks *walks = walks_of(state);
	pid_t pid = start(map_all);

	for (enum walk_program program = WALK_REGIONS; program <= WALK_SUMS; program++) {
		struct walk *walk;

		assert_int_equal(walk_open(walks->root, program, NULL, NULL, &walk, NULL), 0);
		assert_int_equal(walk_loaded(walk), program);
		check(see(walk, walks->root, pid));
		walk_close(walk);
	}
	check(see(walks->locked, walks->root, pid));
	end(pid);
}

static void map_one(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	map_path(in_scratch("taken"));
	for (;;)
		raise(SIGSTOP);
}

/* Its dentry and inode may be the same ones; its path is asked for anew. */
static void who_takes_a_place_has_his_own_path(void **state)
{
	struct walks *walks = walks_of(state);
	char taken[512];

	snprintf(taken, sizeof(taken), "%s", in_scratch("taken"));
	make_file(taken);
	for (unsigned int i = 0; i < 4; i++) {
		pid_t pid = start(map_one);
		char moved[512];

		snprintf(moved, sizeof(moved), "%s %u", in_scratch("moved"), i);
		assert_string_equal(see(walks->free, walks->root, pid).first, taken);
		assert_int_equal(rename(taken, moved), 0);
		assert_string_equal(see(walks->free, walks->root, pid).first, moved);
		assert_int_equal(rename(moved, taken), 0);
		end(pid);
	}
}

static int make_room(void **state)
{
	(void)state;
	return scratch_make();
}

static int remove_room(void **state)
{
	(void)state;
	scratch_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_mapping_has_its_own_path, make_room,
						remove_room),
		cmocka_unit_test_setup_teardown(who_takes_a_place_has_his_own_path, make_room,
						remove_room),
	};

	return cmocka_run_group_tests_name("paths of walks", tests, begin, finish);
}
