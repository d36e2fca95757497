// SPDX-License-Identifier: MIT
/*
 * The table of what memoir can make use of: one row a feature, with its probe. Decides nothing:
 * every user of an interface tries it by itself.
 */
#include "kernel/features.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/cgroup.h"
#include "kernel/features_probe.h"

#define TEXT_BYTES_MAX 16384

int detailed(struct probing *p, int available, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->detail, sizeof(p->detail), format, args);
	va_end(args);
	return available;
}

static int read_release(const struct kroot *root, char *buf, size_t size)
{
	ssize_t len = kroot_read(root, buf, size, "proc/sys/kernel/osrelease");

	if (len < 0)
		return (int)len;
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

bool release_at_least(const struct kroot *root, int major, int minor)
{
	char release[128], *end;

	if (read_release(root, release, sizeof(release)) < 0)
		return false;
	long there_major = strtol(release, &end, 10);
	long there_minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	return there_major > major || (there_major == major && there_minor >= minor);
}

static int text_release(struct probing *p)
{
	char release[128];
	int err = read_release(p->root, release, sizeof(release));

	return err ? err : detailed(p, 1, "%s", release);
}

/* 1 where it can be opened, 0 where it is not there. */
static int tell_file(struct probing *p, const char *path)
{
	int fd = kroot_fd(p->root, "%s", path);

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	close(fd);
	return 1;
}

/* The same; a short text becomes the detail, the chosen one of "a [b] c" if there are brackets. */
static int tell_text(struct probing *p, const char *path)
{
	char text[1024], *chosen = text, *open, *close;
	ssize_t len = kroot_read(p->root, text, sizeof(text), "%s", path);

	if (len < 0)
		return len == -ENOENT || len == -ENOTDIR ? 0 : (int)len;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close) {
		chosen = open + 1;
		*close = '\0';
	}
	chosen[strcspn(chosen, "\n")] = '\0';
	return detailed(p, 1, "%.60s", chosen);
}

static int text_lockdown(struct probing *p)
{
	int there = tell_text(p, "sys/kernel/security/lockdown");

	if (there == 0)
		return detailed(p, -ENODATA, "securityfs is not mounted here");
	return there == 1 ? strcmp(p->detail, "confidentiality") != 0 : there;
}

static int text_yama(struct probing *p)
{
	int there = tell_text(p, "proc/sys/kernel/yama/ptrace_scope");

	if (there == 0)
		return detailed(p, 1, "no Yama");
	if (there < 0)
		return there;
	bool open = strcmp(p->detail, "0") == 0;

	return detailed(p, open, "Yama's ptrace_scope is %s", open ? "0" : "not 0");
}

static int text_maps(struct probing *p)
{
	return tell_file(p, "proc/self/maps");
}

static int text_smaps(struct probing *p)
{
	return tell_file(p, "proc/self/smaps");
}

static int text_btf(struct probing *p)
{
	int there = tell_file(p, "sys/kernel/btf/vmlinux");

	return there == 0 ? detailed(p, 0, "CONFIG_DEBUG_INFO_BTF") : there;
}

static int text_seccomp(struct probing *p)
{
	char text[512];
	ssize_t len =
		kroot_read(p->root, text, sizeof(text), "proc/sys/kernel/seccomp/actions_avail");

	if (len < 0)
		return len == -ENOENT ? 0 : (int)len;
	return strstr(text, "user_notif") != NULL;
}

static int text_ksm(struct probing *p)
{
	int there = tell_text(p, "sys/kernel/mm/ksm/run");

	if (there != 1)
		return there;
	return detailed(p, 1, strcmp(p->detail, "1") == 0 ? "running" : "not running");
}

static int text_thp(struct probing *p)
{
	int there = tell_text(p, "sys/kernel/mm/transparent_hugepage/enabled");

	return there == 1 ? strcmp(p->detail, "never") != 0 : there;
}

static int text_psi(struct probing *p)
{
	char text[512];
	ssize_t len = kroot_read(p->root, text, sizeof(text), "proc/pressure/memory");

	if (len == -EOPNOTSUPP)
		return detailed(p, 0, "off until booted with psi=1");
	return len == -ENOENT || len == -ENOTDIR ? 0 : len < 0 ? (int)len : 1;
}

/* The space-separated words of a file's first line. */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at += len)
		if ((at == text || at[-1] == ' ') && strchr(" \n", at[len]))
			return true;
	return false;
}

static int text_cgroup2_memory(struct probing *p)
{
	const char *dir = cgroup2_dir(p->root);
	char text[512];

	if (!dir)
		return detailed(p, 0, "no unified hierarchy is mounted");
	ssize_t len = kroot_read(p->root, text, sizeof(text), "%s/cgroup.controllers", dir);

	if (len < 0)
		return (int)len;
	if (has_word(text, "memory"))
		return detailed(p, 1, "/%s", dir);
	return detailed(p, 0, "/%s has no memory controller", dir);
}

static int text_cgroup1_memory(struct probing *p)
{
	return tell_file(p, "sys/fs/cgroup/memory/memory.usage_in_bytes");
}

static int text_reclaim(struct probing *p)
{
	if (text_cgroup2_memory(p) != 1)
		return 0;
	p->detail[0] = '\0';
	return release_at_least(p->root, 5, 19) ? 1 : detailed(p, 0, "Linux 5.19");
}

/* The files are in every cgroup but the root: none may be there yet to look at. */
static int text_freezer(struct probing *p)
{
	if (cgroup2_dir(p->root) && release_at_least(p->root, 5, 2))
		return detailed(p, 1, "cgroup.freeze");
	if (tell_file(p, "sys/fs/cgroup/freezer") == 1)
		return detailed(p, 1, "the freezer of version 1");
	return 0;
}

static int text_swap(struct probing *p)
{
	char text[TEXT_BYTES_MAX];
	ssize_t len = kroot_read(p->root, text, sizeof(text), "proc/swaps");
	int lines = 0;

	if (len < 0)
		return len == -ENOENT ? 0 : (int)len;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	if (lines < 2)
		return detailed(p, 0, "no swap space is on");
	return detailed(p, 1, "%d area%s", lines - 1, lines == 2 ? "" : "s");
}

static int text_zram(struct probing *p)
{
	int there = tell_file(p, "sys/class/zram-control");

	if (there == 0)
		return detailed(p, 0, "not loaded");
	return there;
}

static int text_dmabuf_heaps(struct probing *p)
{
	return tell_file(p, "sys/class/dma_heap");
}

static int text_dmabuf_stats(struct probing *p)
{
	return tell_file(p, "sys/kernel/dmabuf/buffers");
}

static int text_clear_refs(struct probing *p)
{
	struct statx st;
	int err = kroot_stat(p->root, &st, "proc/self/clear_refs");

	return err == -ENOENT ? detailed(p, 0, "CONFIG_PROC_PAGE_MONITOR") : err ? err : 1;
}

static int text_page_idle(struct probing *p)
{
	struct statx st;
	int err = kroot_stat(p->root, &st, "sys/kernel/mm/page_idle/bitmap");

	return err == -ENOENT || err == -ENOTDIR ? detailed(p, 0, "CONFIG_IDLE_PAGE_TRACKING")
	       : err                             ? err
						 : 1;
}

static int text_lru_gen(struct probing *p)
{
	int there = tell_text(p, "sys/kernel/mm/lru_gen/enabled");

	if (there == 0)
		return detailed(p, 0, "CONFIG_LRU_GEN");
	return there == 1 && strcmp(p->detail, "0x0000") == 0 ? detailed(p, 0, "off") : there;
}

struct probe {
	const char *feature;
	probe_fn probe;
	bool live; /* cannot be told from a captured tree */
	const char *used_for;
	const char *otherwise;
};

/* In the order of docs/KERNEL-SUPPORT.md, which a test holds against this. */
static const struct probe probes[] = {
	{ "kernel release", text_release, false, "telling what to expect of the rest",
	  "every interface is tried all the same" },
	{ "/proc/PID/maps", text_maps, false,
	  "lists of mappings where BPF iterators cannot be used",
	  "nothing can be captured without BPF iterators" },
	{ "/proc/PID/smaps", text_smaps, false, "figures of processes whose pages may not be read",
	  "such processes are listed without figures" },
	{ "pagemap frames", live_frames, true, "which pages are shared, and by whom",
	  "figures come from smaps, for the processes the caller may read" },
	{ "PAGEMAP_SCAN", live_scan, true,
	  "counting present and swapped pages without looking at each",
	  "every page's word is read from pagemap: the same figures, slower" },
	{ "PROCMAP_QUERY", live_procmap_query, true,
	  "asking for one mapping before a hint is given", "all of /proc/PID/maps is read again" },
	{ "kpagecount", live_kpagecount, true,
	  "which pages of huge pages are mapped; whether the kernel counts as memoir does",
	  "it is not told; what RAM is used for goes by meminfo" },
	{ "kpageflags", live_kpageflags, true,
	  "what every frame is used for, the zero page, and the direct map for BPF",
	  "page tables are not read by BPF; what RAM is used for goes by meminfo" },
	{ "exact map counts", live_page_mapcount, true,
	  "the kernel and memoir divide each page by the same number",
	  "smaps divides pages of large folios by an average: Pss differs from it" },
	{ "kernel memory readable", text_lockdown, false,
	  "BPF iterators, unless lockdown is at confidentiality", "capture reads /proc, slower" },
	{ "BTF", text_btf, false, "BPF programs built once that run on any kernel",
	  "no BPF: capture reads /proc, slower" },
	{ "BPF programs", live_bpf_load, true, "BPF iterators",
	  "no BPF: capture reads /proc, slower" },
	{ "BPF iterators", live_bpf_iterators, true,
	  "lists of tasks and mappings, anonymous families, and which object a mapping is of",
	  "lists come from /proc, families are not known" },
	{ "page tables by BPF", live_bpf_tables, true, "reading pages at about 3 ns each",
	  "pages are read by PAGEMAP_SCAN and pagemap, 11 to 70 ns each" },
	{ "casts in BPF", live_bpf_casts, true,
	  "reading mappings ahead, and single numbers without a call",
	  "they are read one by one with helpers: the same figures, slower" },
	{ "lockless walk by BPF", live_bpf_lockless, true,
	  "reading mappings and pages without making their processes wait",
	  "the mmap lock of each process is held while it is read" },
	{ "memory counters by BPF", live_bpf_counters, true,
	  "sums of all processes, without reading the memory that is theirs alone",
	  "all of it is read page by page: the same figures, slower" },
	{ "reverse map by BPF", live_bpf_mappers, true,
	  "finding who maps one page without looking at all", "all pages are searched for it" },
	{ "open files by BPF", live_open_files, true,
	  "who has memfds, files of tmpfs and deleted files open, and what of them is in RAM",
	  "/proc/PID/fd is read, slower; what of a deleted file is in RAM is not known" },
	{ "unix_diag", live_unix_queues, true,
	  "which sockets may have files in flight, where BPF iterators cannot be used",
	  "fdinfo of every socket is read, slower" },
	{ "dma-bufs by BPF", live_dmabufs, true, "dma-bufs that no process has, but the kernel",
	  "dma-bufs are found by their fds and mappings" },
	{ "/proc/PID/map_files", live_map_files, true,
	  "which mapped files are deleted, where BPF iterators cannot be used",
	  "it is not known of files whose path says (deleted)" },
	{ "/proc/sysvipc/shm", live_sysvipc, true,
	  "which System V segments stay when nobody has them attached", "it is not known" },
	{ "mm_lock_seq", live_cookie, true,
	  "noticing by one number that a process has changed its mappings meanwhile",
	  "shared pages are found by their frames; mappings are read again to be sure" },
	{ "anonymous names", live_anon_names, true, "names of memory that every tool can see",
	  "names are kept in the program's own name table" },
	{ "memfd_create", live_memfd, true, "the anchor by which a name table is found",
	  "programs cannot keep a name table" },
	{ "seccomp user notification", text_seccomp, false,
	  "memoir run: names from programs as they are",
	  "only programs that use memoir's library" },
	{ "children of threads", live_children, true,
	  "memoir run: forked children have the names of the moment they were forked",
	  "they get their parent's names when they first name something" },
	{ "exit status by pidfd", live_exit_status, true,
	  "memoir run knows how its program ended though its supervisor was killed",
	  "it says that it does not know, and exits with 1" },
	{ "watching prctl", live_watch, true,
	  "names --watch: names that running programs try to give their memory",
	  "only names of programs that keep a table, or run under memoir run" },
	{ "ptrace of others", text_yama, false,
	  "looking into one's own other programs: their name tables, and of what kind their memory "
	  "is",
	  "looking into other programs needs CAP_SYS_PTRACE" },
	{ "pidfd_open", live_pidfd, true, "hints that cannot reach another process by mistake",
	  "no hints are given" },
	{ "pidfd_getfd", live_pidfd_getfd, true,
	  "memoir tag: tags of dma-bufs, which the kernel keeps",
	  "they keep what their makers call them" },
	{ "birth of files in tmpfs", live_birth, true,
	  "memoir tag: telling a file from a later one that has its number",
	  "a tag goes by the number alone" },
	{ "process_madvise", live_process_madvise, true,
	  "memoir trim: handing memory of other processes back", "no hints are given" },
	{ "clear_refs", text_clear_refs, false, "memoir idle: seeing what is touched from now on",
	  "only what the kernel's own aging or DAMON shows" },
	{ "soft-dirty bits", live_soft_dirty, true, "memoir idle: telling writes from reads",
	  "reads and writes are not told apart" },
	{ "uffd write-protection, async", live_uffd_async, true,
	  "nothing: a program can only ask for it for its own memory",
	  "written pages are told by soft-dirty bits" },
	{ "DAMON of address spaces", live_damon, true,
	  "memoir idle: estimates for very large processes",
	  "accessed bits, for which the whole process is walked" },
	{ "page idle bitmap", text_page_idle, false,
	  "nothing: it is off in the kernels of distributions", "accessed bits of page tables" },
	{ "multi-generational LRU", text_lru_gen, false,
	  "telling why accessed bits are cleared by themselves; its generations are of cgroups",
	  "the kernel clears them only when memory is short" },
	{ "cgroup freezer", text_freezer, false,
	  "holding a whole cgroup still while hints are given",
	  "targets are held by ptrace, one by one" },
	{ "memory.reclaim", text_reclaim, false, "taking back pages that several processes share",
	  "shared pages stay" },
	{ "cgroup v2 memory", text_cgroup2_memory, false, "figures and limits of cgroups",
	  "those of version 1, where there are" },
	{ "cgroup v1 memory", text_cgroup1_memory, false,
	  "figures of cgroups where version 2 has none", "those of version 2, where there are" },
	{ "pressure (PSI)", text_psi, false, "policies that act when memory is short",
	  "such conditions are never met" },
	{ "swap", text_swap, false, "a place for anonymous memory to go to",
	  "only files' pages can be handed back" },
	{ "zram", text_zram, false, "telling what compressed swap itself costs",
	  "swap is not in RAM, or its cost not known" },
	{ "KSM", text_ksm, false, "pages merged by content are counted by their sharers",
	  "there are none" },
	{ "transparent huge pages", text_thp, false, "the share of memory in huge pages",
	  "there are none" },
	{ "userfaultfd", live_userfaultfd, true,
	  "its write-protect markers are told from swapped pages", "there are none" },
	{ "cachestat", live_cachestat, true, "what of a buffer is resident though nobody maps it",
	  "its blocks are counted; while swap is in use it is not known" },
	{ "io_uring", live_io_uring, true, "finding buffers that only a ring holds",
	  "there are none" },
	{ "dma-buf heaps", text_dmabuf_heaps, false, "finding shared buffers made from heaps",
	  "buffers of other exporters are found all the same" },
	{ "dma-buf statistics", text_dmabuf_stats, false,
	  "comparing memoir's list of dma-bufs with the kernel's, by hand",
	  "memoir itself needs them for nothing" },
};

#define PROBES (sizeof(probes) / sizeof(probes[0]))

static int probe_one(struct probing *p, const struct probe *probe, struct kfeature *ret)
{
	p->detail[0] = '\0';
	*ret = (struct kfeature){
		.feature = probe->feature,
		.used_for = probe->used_for,
		.otherwise = probe->otherwise,
	};
	if (probe->live && !kroot_is_live(p->root))
		ret->available = detailed(p, -ENODATA, "not known from a captured tree");
	else
		ret->available = probe->probe(p);
	if (ret->available < 0 && !p->detail[0])
		detailed(p, 0, "%s", strerror(-ret->available));
	if (!p->detail[0])
		return 0;
	ret->detail = strdup(p->detail);
	return ret->detail ? 0 : -ENOMEM;
}

int kfeatures_probe(const struct kroot *root, struct kfeature **ret_list, size_t *ret_count)
{
	struct probing p = { .root = root };
	struct kfeature *list = calloc(PROBES, sizeof(*list));
	int err = 0;

	if (!list)
		return -ENOMEM;
	if (kroot_is_live(root))
		live_begin(&p);
	for (size_t i = 0; i < PROBES && !err; i++)
		err = probe_one(&p, &probes[i], &list[i]);
	live_end(&p);
	if (err) {
		kfeatures_free(list, PROBES);
		return err;
	}
	*ret_list = list;
	*ret_count = PROBES;
	return 0;
}

void kfeatures_free(struct kfeature *list, size_t count)
{
	if (!list)
		return;
	for (size_t i = 0; i < count; i++)
		free((char *)list[i].detail);
	free(list);
}
