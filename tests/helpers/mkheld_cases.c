/*
 * What mkheld makes: one function a case.
 */
#include "mkheld.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGES 16
#define SHARED_MEMORY "/dev/shm"

static int memfd(const char *name, uint64_t written, uint64_t pages)
{
	int fd = memfd_create(name, 0);

	if (fd < 0 || ftruncate(fd, (off_t)(pages * PAGE_BYTES)) < 0)
		broken("memfd");
	write_pages(fd, written);
	return fd;
}

static uint8_t *map(int fd, uint64_t pages)
{
	uint8_t *start = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
			      fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (start == MAP_FAILED)
		broken("mmap");
	return start;
}

static void touch(uint8_t *start, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++)
		start[i * PAGE_BYTES] = 1;
}

static int file(const char *directory, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/mkheld-%s-%d", directory, name, getppid());
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		broken(path);
	write_pages(fd, PAGES);
	return fd;
}

/* ---- memfds --------------------------------------------------------------------------------- */

static void make_duplicated(const char *name, const char *directory)
{
	int fd = memfd(name, PAGES, 2 * PAGES), other = dup(fd);
	struct held held = of_fd(name, "memfd", "freed", fd);

	(void)directory;
	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	held_by(&held, getpid(), other);
	say(&held);
}

#define CROWD 600   /* more than are listed in one go */
#define FAR_FD 5000 /* behind a gap */

/* Held by the first, one amidst many others, and the last of a large table with a hole in it. */
static void make_crowd(const char *name, const char *directory)
{
	const struct rlimit limit = { 2 * FAR_FD, 2 * FAR_FD };
	int fd = memfd(name, PAGES, PAGES), amidst = -1, far;
	struct held held = of_fd(name, "memfd", "freed", fd);

	(void)directory;
	for (int i = 0; i < CROWD; i++) {
		(void)memfd("crowd", 1, 1);
		if (i == CROWD / 2)
			amidst = dup(fd);
	}
	far = setrlimit(RLIMIT_NOFILE, &limit) == 0 ? fcntl(fd, F_DUPFD, FAR_FD) : -1;
	if (amidst < 0 || far < 0)
		broken("crowd");
	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	held_by(&held, getpid(), amidst);
	held_by(&held, getpid(), far);
	say(&held);
}

static void make_mapped(const char *name, const char *directory)
{
	int fd = memfd(name, PAGES, PAGES);
	struct held held = of_fd(name, "memfd", "freed", fd);

	(void)directory;
	held.resident_pages = PAGES;
	map(fd, PAGES / 2);
	close(fd);
	say(&held);
}

static void make_inherited(const char *name, const char *directory)
{
	int fd = memfd(name, PAGES, PAGES);
	struct held held = of_fd(name, "memfd", "freed", fd);
	pid_t child;

	(void)directory;
	held.resident_pages = PAGES;
	map(fd, PAGES);
	child = fork_child();
	if (!child)
		stay();
	held_by(&held, getpid(), fd);
	held_by(&held, child, fd);
	say(&held);
}

/* The same, mapped by nobody. */
static void make_handed_on(const char *name, const char *directory)
{
	int fd = memfd(name, PAGES, PAGES);
	struct held held = of_fd(name, "memfd", "freed", fd);
	pid_t child = fork_child();

	(void)directory;
	if (!child)
		stay();
	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	held_by(&held, child, fd);
	say(&held);
}

/* What the page cache lacks of pages that were written is in swap. */
static void make_swapped(const char *name, const char *directory)
{
	enum { MANY = 4 * PAGES };
	int fd = memfd(name, MANY, MANY);
	struct held held = of_fd(name, "memfd", "freed", fd);
	uint8_t *start = map(fd, MANY);
	unsigned char cached[MANY];

	(void)directory;
	touch(start, MANY);
	for (int i = 0; i < 3; i++)
		madvise(start, MANY * PAGE_BYTES, MADV_PAGEOUT);
	touch(start, 3);
	if (mincore(start, MANY * PAGE_BYTES, cached) < 0)
		broken("mincore");
	for (int i = 0; i < MANY; i++)
		*(cached[i] & 1 ? &held.resident_pages : &held.swapped_pages) += 1;
	if (!held.swapped_pages)
		skip(name, "no page went to swap");
	munmap(start, MANY * PAGE_BYTES);
	held_by(&held, getpid(), fd);
	say(&held);
}

static void make_hugetlb(const char *name, const char *directory)
{
	int fd = memfd_create(name, MFD_HUGETLB);

	(void)directory;
	if (fd < 0 || ftruncate(fd, 2 << 20) < 0)
		skip(name, "no hugetlb memfd");
	struct held held = of_fd(name, "hugetlb", "freed", fd);

	held_by(&held, getpid(), fd);
	say(&held);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void make_deleted(const char *name, const char *directory)
{
	char path[256];
	int fd = file(SHARED_MEMORY, name, path, sizeof(path));

	(void)directory;
	unlink(path);
	struct held held = of_fd(name, "shmem", "freed", fd);

	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	say(&held);
}

/* It has another link: held_cleanup() removes that. Its path says that it is deleted all the same. */
static void make_linked(const char *name, const char *directory)
{
	char path[256], other[300];
	int fd = file(SHARED_MEMORY, name, path, sizeof(path)), pin = open(path, O_PATH);

	(void)directory;
	snprintf(other, sizeof(other), "%s-2", path);
	if (pin < 0 || link(path, other) < 0 || unlink(path) < 0)
		broken(path);
	struct held held = of_fd(name, "shmem", "kept", fd);

	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	held_by(&held, getpid(), pin);
	say(&held);
}

static int disk_file(const char *directory, const char *name, char *path, size_t size)
{
	struct statfs fs;

	if (statfs(directory, &fs) < 0 || fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC)
		skip(name, "the directory is not on a disk");
	return file(directory, name, path, size);
}

static void make_disk_deleted(const char *name, const char *directory)
{
	char path[256];
	int fd = disk_file(directory, name, path, sizeof(path));

	unlink(path);
	struct held held = of_fd(name, "file", "freed", fd);

	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	say(&held);
}

static void make_disk_mapped(const char *name, const char *directory)
{
	char path[256];
	int fd = disk_file(directory, name, path, sizeof(path));
	struct held held = of_fd(name, "file", "reclaimable", fd);

	held.resident_pages = PAGES;
	touch(map(fd, PAGES), 1);
	say(&held);
}

static void make_called_deleted(const char *name, const char *directory)
{
	char path[256], other[300];
	int fd = disk_file(directory, name, path, sizeof(path));
	struct held held = of_fd(name, "file", "reclaimable", fd);

	snprintf(other, sizeof(other), "%s (deleted)", path);
	if (rename(path, other) < 0)
		broken(other);
	held.resident_pages = PAGES;
	touch(map(fd, PAGES), 1);
	say(&held);
}

static bool mount_overlay(const char *directory)
{
	char options[1000];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("mkheld", directory, "tmpfs", 0, NULL) < 0 || chdir(directory) < 0 ||
	    mkdir("low", 0700) < 0 || mkdir("up", 0700) < 0 || mkdir("work", 0700) < 0 ||
	    mkdir("all", 0700) < 0)
		return false;
	snprintf(options, sizeof(options), "lowerdir=%s/low,upperdir=%s/up,workdir=%s/work",
		 directory, directory, directory);
	return mount("mkheld", "all", "overlay", 0, options) == 0;
}

/* Deleted on a file system that only this process sees; below lies a file of tmpfs. */
static void make_overlay(const char *name, const char *directory)
{
	char path[256], path_below[300];
	int fd, below;

	if (!mount_overlay(directory))
		skip(name, "no overlayfs can be mounted");
	fd = file("all", name, path, sizeof(path));
	snprintf(path_below, sizeof(path_below), "up%s", strchr(path, '/'));
	below = open(path_below, O_RDONLY);
	if (below < 0 || unlink(path) < 0)
		broken(path);
	struct held held = of_fd(name, "shmem", "freed", below);

	close(below);
	held.only = "bpf";
	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	say(&held);
}

/* ---- memory without fds --------------------------------------------------------------------- */

static void make_shared_anon(const char *name, const char *directory)
{
	uint8_t *start = map(-1, PAGES);
	struct held held = of_mapping(name, "shared-anon", "freed", start, PAGES);

	(void)directory;
	touch(start, PAGES / 2);
	held.resident_pages = PAGES / 2;
	say(&held);
}

static void attach(const char *name, const char *fate, int id, bool remove)
{
	uint8_t *start = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

	if (start == (void *)-1)
		skip(name, "no System V shared memory");
	if (remove)
		shmctl(id, IPC_RMID, NULL);
	touch(start, PAGES / 2);
	struct held held = of_mapping(name, "sysv", fate, start, PAGES);

	held.resident_pages = PAGES / 2;
	say(&held);
}

static void make_sysv_removed(const char *name, const char *directory)
{
	(void)directory;
	attach(name, "freed", shmget(IPC_PRIVATE, PAGES * PAGE_BYTES, IPC_CREAT | 0600), true);
}

#define SYSV_KEY(root) (0x6d000000 + (root))

static void make_sysv_kept(const char *name, const char *directory)
{
	(void)directory;
	attach(name, "kept", shmget(SYSV_KEY(getppid()), PAGES * PAGE_BYTES, IPC_CREAT | 0600),
	       false);
}

/* Of an IPC namespace whose list memoir does not see; not the first one, whose id others have too. */
static void make_sysv_elsewhere(const char *name, const char *directory)
{
	(void)directory;
	if (unshare(CLONE_NEWIPC) < 0)
		skip(name, "no IPC namespace of its own");
	int id = -1;

	for (int i = 0; i < 40; i++)
		id = shmget(IPC_PRIVATE, PAGES * PAGE_BYTES, IPC_CREAT | 0600);
	attach(name, "", id, false);
}

/* ---- tables of fds that are not the leader's -------------------------------------------------- */

static void *hold_alone(void *arg)
{
	if (unshare(CLONE_FILES) < 0)
		broken("unshare");
	int fd = memfd(arg, PAGES, PAGES);
	struct held held = of_fd(arg, "memfd", "freed", fd);

	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	say(&held);
	stay();
}

static void make_thread(const char *name, const char *directory)
{
	pthread_t thread;

	(void)directory;
	if (pthread_create(&thread, NULL, hold_alone, (void *)name) != 0)
		broken("pthread_create");
	pthread_join(thread, NULL);
}

static void *stay_on(void *arg)
{
	pthread_t *leader = arg;

	if (leader)
		pthread_join(*leader, NULL);
	stay();
}

/* Its threads live on, and share one table. */
static void make_leader_exited(const char *name, const char *directory)
{
	static pthread_t leader;
	int fd = memfd(name, PAGES, PAGES);
	struct held held = of_fd(name, "memfd", "freed", fd);
	pthread_t thread;

	(void)directory;
	leader = pthread_self();
	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	say(&held);
	if (pthread_create(&thread, NULL, stay_on, &leader) != 0 ||
	    pthread_create(&thread, NULL, stay_on, NULL) != 0)
		broken("pthread_create");
	pthread_exit(NULL);
}

static int hold_as_peer(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = memfd(arg, PAGES, PAGES);
	struct held held = of_fd(arg, "memfd", "freed", fd);

	held.resident_pages = PAGES;
	held_by(&held, getpid(), fd);
	say(&held);
	stay();
}

/* A process with the same address space, and fds of its own. */
static void make_peer(const char *name, const char *directory)
{
	static char stack[1 << 16] __attribute__((aligned(16)));

	(void)directory;
	if (clone(hold_as_peer, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)name) < 0)
		broken("clone");
}

const struct held_case held_cases[] = {
	{ "duplicated", make_duplicated, 1 },
	{ "crowd", make_crowd, 1 },
	{ "mapped", make_mapped, 1 },
	{ "inherited", make_inherited, 2 },
	{ "handed-on", make_handed_on, 2 },
	{ "swapped", make_swapped, 1 },
	{ "hugetlb", make_hugetlb, 1 },
	{ "deleted", make_deleted, 1 },
	{ "linked", make_linked, 1 },
	{ "disk-deleted", make_disk_deleted, 1 },
	{ "disk-mapped", make_disk_mapped, 1 },
	{ "called-deleted", make_called_deleted, 1 },
	{ "overlay", make_overlay, 1 },
	{ "shared-anon", make_shared_anon, 1 },
	{ "sysv-removed", make_sysv_removed, 1 },
	{ "sysv-kept", make_sysv_kept, 1 },
	{ "sysv-elsewhere", make_sysv_elsewhere, 1 },
	{ "thread", make_thread, 1 },
	{ "leader-exited", make_leader_exited, 2 },
	{ "peer", make_peer, 2 },
	{ NULL, NULL, 0 },
};

void held_cleanup(void)
{
	char path[256];

	snprintf(path, sizeof(path), SHARED_MEMORY "/mkheld-linked-%d-2", getpid());
	unlink(path);
	shmctl(shmget(SYSV_KEY(getpid()), 0, 0), IPC_RMID, NULL);
}
