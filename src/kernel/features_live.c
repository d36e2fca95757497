// SPDX-License-Identifier: MIT
/*
 * Probes that try an interface of the running kernel on this process itself; none of them leaves
 * anything behind or touches another process.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memoir/memoir.h>

#include "kernel/clear_refs.h"
#include "kernel/damon.h"
#include "kernel/exit_status.h"
#include "kernel/features_probe.h"
#include "kernel/mappers.h"
#include "kernel/dmabufs.h"
#include "kernel/files.h"
#include "kernel/pagemap.h"
#include "kernel/pidfd.h"
#include "kernel/process.h"
#include "kernel/procmap.h"
#include "kernel/walk.h"
#include "kernel/watch.h"

/* Numbers that are the same on every architecture, for C libraries older than the calls. */
enum {
	NR_IO_URING_SETUP = 425,
	NR_PIDFD_OPEN = 434,
	NR_PIDFD_GETFD = 438,
	NR_PROCESS_MADVISE = 440,
	NR_CACHESTAT = 451,
};

/* A call with wrong arguments: ENOSYS says that it is not there, EPERM that it may not be used. */
static int tell_call(struct probing *p, long result)
{
	int err = errno;

	if (result >= 0) {
		close((int)result);
		return 1;
	}
	if (err == ENOSYS)
		return 0;
	if (err == EPERM || err == EACCES)
		return detailed(p, -err, "the call is there, but refused: %s", strerror(err));
	return 1;
}

static void seen_task(const struct walk_task *task, void *arg)
{
	(void)task;
	(void)arg;
}

void live_begin(struct probing *p)
{
	struct memoir_error error = { 0 };

	p->walk_err = walk_open(p->root, WALK_REGIONS, NULL, NULL, &p->walk, &error);
	if (p->walk_err) {
		snprintf(p->walk_why, sizeof(p->walk_why), "%.*s", (int)sizeof(p->walk_why) - 1,
			 error.text);
		p->walk = NULL;
		return;
	}
	/* Which kind of cookie there is shows on the first task. */
	p->walk_err = walk_tasks(p->walk, seen_task, NULL);
	if (p->walk_err)
		snprintf(p->walk_why, sizeof(p->walk_why), "the task iterator failed: %s",
			 strerror(-p->walk_err));
}

void live_end(struct probing *p)
{
	walk_close(p->walk);
	p->walk = NULL;
}

int live_frames(struct probing *p)
{
	int fd = pagemap_open(p->root, getpid());

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	close(fd);
	if (pagemap_shows_frames(p->root))
		return 1;
	return detailed(p, -EPERM,
			"frames read 0: CAP_SYS_ADMIN in the initial user namespace "
			"is needed");
}

int live_scan(struct probing *p)
{
	int err = pagemap_scan_probe(p->root);

	if (err == -EOPNOTSUPP)
		return detailed(p, 0, "Linux 6.7");
	return err < 0 ? err : 1;
}

int live_procmap_query(struct probing *p)
{
	struct procmap_vma vma;
	uint64_t addr = (uint64_t)(uintptr_t)&vma;
	int fd = kroot_fd(p->root, "proc/self/maps");

	if (fd < 0)
		return fd;
	int err = procmap_query(fd, addr, &vma);

	close(fd);
	if (err == -ENOTTY)
		return detailed(p, 0, "Linux 6.11");
	if (err)
		return err;
	return vma.start <= addr && addr < vma.end ? 1 : -EBADMSG;
}

static int read_frame_word(struct probing *p, const char *file, uint64_t frame, uint64_t *ret_word)
{
	int fd = kroot_fd(p->root, "proc/%s", file);

	if (fd < 0)
		return fd;
	ssize_t got = pread(fd, ret_word, sizeof(*ret_word), (off_t)(frame * sizeof(*ret_word)));
	int err = got < 0 ? -errno : 0;

	close(fd);
	return err ? err : got == sizeof(*ret_word) ? 0 : -EIO;
}

static int tell_frame_file(struct probing *p, const char *file)
{
	uint64_t word;
	int err = read_frame_word(p, file, 0, &word);

	if (err == -ENOENT)
		return detailed(p, 0, "CONFIG_PROC_PAGE_MONITOR");
	if (err == -EPERM || err == -EACCES)
		return detailed(p, err, "only root may read it");
	return err ? err : 1;
}

int live_kpagecount(struct probing *p)
{
	return tell_frame_file(p, "kpagecount");
}

int live_kpageflags(struct probing *p)
{
	return tell_frame_file(p, "kpageflags");
}

#define HUGE_BYTES (2ul << 20)
#define PAGE_BYTES 4096ul
#define HUGE_PAGES (HUGE_BYTES / PAGE_BYTES)

/* Whether the 2 MiB at `huge` are one folio: its frames follow each other from an aligned one on. */
static int frames_of_huge(struct probing *p, const char *huge, uint64_t *ret_first)
{
	uint64_t words[HUGE_PAGES];
	int fd = pagemap_open(p->root, getpid());

	if (fd < 0)
		return fd;
	ssize_t got = pagemap_read(fd, (uint64_t)(uintptr_t)huge / PAGE_BYTES, words, HUGE_PAGES);

	close(fd);
	if (got != (ssize_t)HUGE_PAGES || !pagemap_present(words[0]) || !pagemap_frame(words[0]))
		return -EPERM;
	for (size_t i = 0; i < HUGE_PAGES; i++)
		if (pagemap_frame(words[i]) != pagemap_frame(words[0]) + i)
			return -ENODATA;
	*ret_first = pagemap_frame(words[0]);
	return *ret_first % HUGE_PAGES ? -ENODATA : 0;
}

/*
 * The count of one page of a huge page of which the other half is mapped: 0 where each page has a
 * count of its own, 1 where it is the folio's average.
 */
static int count_of_unmapped_part(struct probing *p, char *huge)
{
	uint64_t first, count = 0;
	int err;

	if (madvise(huge, HUGE_BYTES, MADV_HUGEPAGE) < 0)
		return -errno;
	memset(huge, 1, HUGE_BYTES);
	err = frames_of_huge(p, huge, &first);
	if (!err && madvise(huge, HUGE_BYTES / 2, MADV_DONTNEED) < 0)
		err = -errno;
	if (!err)
		err = read_frame_word(p, "kpagecount", first + 1, &count);
	return err ? err : (int)(count > 0);
}

int live_page_mapcount(struct probing *p)
{
	if (!release_at_least(p->root, 6, 15))
		return detailed(p, 1, "always so before Linux 6.15");
	char *area = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	if (area == MAP_FAILED)
		return -errno;
	char *huge = area + (HUGE_BYTES - (uintptr_t)area % HUGE_BYTES) % HUGE_BYTES;
	int averaged = count_of_unmapped_part(p, huge);

	munmap(area, 2 * HUGE_BYTES);
	if (averaged < 0)
		return detailed(p, -ENODATA, "cannot be tried without a huge page and its frames");
	return averaged ? detailed(p, 0, "CONFIG_NO_PAGE_MAPCOUNT") : 1;
}

/* A program that does nothing, of a kind that needs CAP_BPF and CAP_PERFMON as memoir's own do. */
int live_bpf_load(struct probing *p)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACEPOINT,
		.insns = (uint64_t)(uintptr_t)program,
		.insn_cnt = sizeof(program) / sizeof(program[0]),
		.license = (uint64_t)(uintptr_t) "MIT",
	};
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0 && errno == EPERM)
		return detailed(p, -EPERM, "CAP_BPF and CAP_PERFMON are needed");
	if (fd < 0 && errno != ENOSYS)
		return -errno;
	return tell_call(p, fd);
}

int live_bpf_iterators(struct probing *p)
{
	if (!p->walk_err)
		return 1;
	return detailed(p, p->walk_err == -EOPNOTSUPP ? 0 : p->walk_err, "%s", p->walk_why);
}

int live_bpf_tables(struct probing *p)
{
	if (p->walk_err)
		return detailed(p, 0, "they are read by the BPF iterators");
	int err = walk_calibrate(p->walk, p->root);

	return err == -EOPNOTSUPP ? 0 : err < 0 ? err : 1;
}

int live_bpf_casts(struct probing *p)
{
	if (p->walk_err)
		return detailed(p, 0, "the BPF iterators use them");
	return walk_casts(p->walk) ? 1 : detailed(p, 0, "Linux 6.2");
}

int live_bpf_lockless(struct probing *p)
{
	if (p->walk_err)
		return detailed(p, 0, "it goes by the BPF iterator of tasks");
	return walk_is_lockless(p->walk) ? 1 : detailed(p, 0, "Linux 6.14, CAP_SYS_PTRACE");
}

int live_bpf_counters(struct probing *p)
{
	struct walk *sums;
	bool loaded, counted;

	if (p->walk_err || walk_calibrate(p->walk, p->root) < 0 ||
	    walk_open(p->root, WALK_SUMS, NULL, NULL, &sums, NULL) < 0)
		return detailed(p, 0, "it goes with page tables by BPF");
	loaded = walk_loaded(sums) == WALK_SUMS;
	counted = walk_calibrate(sums, p->root) == 0 && walk_has_counters(sums);
	walk_close(sums);
	if (counted)
		return 1;
	return detailed(p, 0,
			loaded ? "at most 32 CPUs, and none of them offline"
			       : "it goes with the lockless walk");
}

int live_open_files(struct probing *p)
{
	struct memoir_error error = { 0 };
	struct files *files;
	int err = files_open(p->root, &files, &error);

	if (err)
		return detailed(p, err == -EOPNOTSUPP ? 0 : err, "%.*s", (int)sizeof(p->detail) - 1,
				error.text);
	files_close(files);
	return 1;
}

static int pass_over(const struct open_file *file, void *arg)
{
	(void)file;
	(void)arg;
	return 0;
}

/* Where there is none the kernel knows no socket of this family to be asked for: ENOENT. */
int live_unix_queues(struct probing *p)
{
	struct unix_queues queues = { 0 };
	int err = unix_queues_ask(&queues);

	unix_queues_free(&queues);
	return err == -ENOENT || err == -EPROTONOSUPPORT ? detailed(p, 0, "CONFIG_UNIX_DIAG")
	       : err                                     ? err
							 : 1;
}

int live_dmabufs(struct probing *p)
{
	int err = dmabufs_each(p->root, pass_over, NULL);

	return err == -EOPNOTSUPP ? detailed(p, 0, "Linux 6.16") : err ? err : 1;
}

int live_watch(struct probing *p)
{
	struct memoir_error error = { 0 };
	struct watch *watch;
	int err = watch_open(p->root, &watch, &error);
	bool light;

	if (err)
		return detailed(p, err == -EOPNOTSUPP ? 0 : err, "%.*s", (int)sizeof(p->detail) - 1,
				error.text);
	light = watch_is_light(watch);
	watch_close(watch);
	return detailed(p, 1, light ? "by fexit" : "by the tracepoint of all system calls");
}

int live_map_files(struct probing *p)
{
	int fd = memfd_create("memoir-check", MFD_CLOEXEC);
	void *page = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_SHARED, fd, 0);
	uintptr_t start = (uintptr_t)page;
	struct statx st;

	if (page == MAP_FAILED) {
		close(fd);
		return -ENODATA;
	}
	int err = kroot_stat(p->root, &st, "proc/self/map_files/%lx-%lx", (unsigned long)start,
			     (unsigned long)(start + PAGE_BYTES));

	munmap(page, PAGE_BYTES);
	close(fd);
	if (err == -EPERM)
		return detailed(p, err, "CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE is needed");
	return err == -ENOENT ? 0 : err < 0 ? err : 1;
}

int live_sysvipc(struct probing *p)
{
	int fd = kroot_fd(p->root, "proc/sysvipc/shm");

	if (fd < 0)
		return fd == -ENOENT ? detailed(p, 0, "CONFIG_SYSVIPC") : fd;
	close(fd);
	return 1;
}

/* Where struct page lies is needed for it as well, so that one's own page is looked for. */
int live_bpf_mappers(struct probing *p)
{
	struct memoir_error error = { 0 };
	struct mappers *mappers;
	int err = mappers_open(p->root, &mappers, &error);

	if (err)
		return detailed(p, err == -EOPNOTSUPP ? 0 : err, "%.200s", error.text);
	err = mappers_calibrate(mappers, p->root);
	mappers_close(mappers);
	return err ? detailed(p, 1, "by address; frames are searched for") : 1;
}

int live_cookie(struct probing *p)
{
	if (p->walk_err)
		return detailed(p, -ENODATA, "read by the BPF iterators");
	switch (walk_seq_kind(p->walk)) {
	case 0:
		return detailed(p, 0, "Linux 6.4, CONFIG_PER_VMA_LOCK");
	case 1:
		return detailed(p, 0, "an int, which does not show a change under way");
	default:
		return detailed(p, 1, "odd while the lock is held");
	}
}

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

int live_anon_names(struct probing *p)
{
	void *page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	int err = prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, page, PAGE_BYTES, "memoir check") < 0
			  ? -errno
			  : 0;

	munmap(page, PAGE_BYTES);
	if (err == -EINVAL)
		return detailed(p, 0, "CONFIG_ANON_VMA_NAME");
	return err ? err : 1;
}

int live_memfd(struct probing *p)
{
	return tell_call(p, memfd_create("memoir-check", MFD_CLOEXEC));
}

static int seen_child(pid_t pid, void *arg)
{
	(void)pid;
	(void)arg;
	return 0;
}

int live_children(struct probing *p)
{
	int err = process_each_child(p->root, getpid(), getpid(), seen_child, NULL);

	return err == -ENOENT ? detailed(p, 0, "CONFIG_PROC_CHILDREN") : err < 0 ? err : 1;
}

/* Of a child, reaped as by another. */
int live_exit_status(struct probing *p)
{
	pid_t child = fork();
	int fd, status = 0, err = -ENODATA;

	if (child == 0)
		_exit(5);
	if (child < 0)
		return -errno;
	fd = pidfd_of(child);
	waitpid(child, NULL, 0);
	if (fd < 0)
		return detailed(p, fd, "there is no pidfd");
	err = exit_status_of(fd, &status);
	close(fd);
	if (err)
		return detailed(p, 0, "Linux 6.15");
	return WIFEXITED(status) && WEXITSTATUS(status) == 5 ? 1 : -EBADMSG;
}

int live_pidfd(struct probing *p)
{
	return tell_call(p, syscall(NR_PIDFD_OPEN, getpid(), 0));
}

int live_pidfd_getfd(struct probing *p)
{
	return tell_call(p, syscall(NR_PIDFD_GETFD, -1, 0, 0));
}

/* Of a memfd, which is a file of tmpfs. */
int live_birth(struct probing *p)
{
	int fd = (int)syscall(SYS_memfd_create, "memoir-check", 1);
	struct statx st = { 0 };
	int err = fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (err)
		return err;
	return st.stx_mask & STATX_BTIME ? 1 : detailed(p, 0, "Linux 5.18");
}

int live_process_madvise(struct probing *p)
{
	int there = tell_call(p, syscall(NR_PROCESS_MADVISE, -1, NULL, 0, 0, 0));

	return there == 1 ? detailed(p, 1, "for other processes with CAP_SYS_NICE") : there;
}

int live_cachestat(struct probing *p)
{
	return tell_call(p, syscall(NR_CACHESTAT, -1, NULL, NULL, 0));
}

int live_userfaultfd(struct probing *p)
{
	return tell_call(p, syscall(SYS_userfaultfd, ~0ul));
}

int live_io_uring(struct probing *p)
{
	return tell_call(p, syscall(NR_IO_URING_SETUP, 0, NULL));
}

int live_soft_dirty(struct probing *p)
{
	int works = clear_refs_soft_dirty_works(p->root);

	return works == 0 ? detailed(p, 0, "CONFIG_MEM_SOFT_DIRTY") : works;
}

/* Of linux/userfaultfd.h since 6.7; spelled out because older headers lack it. */
#define UFFD_ASYNC (1ull << 15)

int live_uffd_async(struct probing *p)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_ASYNC };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (!err && ioctl(fd, UFFDIO_API, &api) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err == -EINVAL || err == -ENOSYS)
		return detailed(p, 0, "Linux 6.7");
	return err ? err : 1;
}

int live_damon(struct probing *p)
{
	int works = damon_vaddr_works(p->root);

	if (works == -EBUSY)
		return detailed(p, works, "it is in use by somebody else");
	return works == 0 ? detailed(p, 0, "CONFIG_DAMON_VADDR and CONFIG_DAMON_SYSFS") : works;
}
