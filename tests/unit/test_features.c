// SPDX-License-Identifier: MIT
/*
 * memoir check's probes: what they say of two captured machines, and that on this one they say what
 * is so and leave nothing behind. Also /proc/meminfo of the same machines.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/features.h"
#include "kernel/meminfo.h"

#define GOLDEN TEST_DATA "/../golden/"
#define DEBIAN_6_1 GOLDEN "root-debian-6.1"
#define MIXED_6_18 GOLDEN "root-6.18"

struct features {
	struct kfeature *list;
	size_t count;
};

static struct features probe(const char *prefix)
{
	struct features f = { 0 };
	struct kroot *root = NULL;

	assert_int_equal(kroot_open(prefix, &root), 0);
	assert_int_equal(kfeatures_probe(root, &f.list, &f.count), 0);
	kroot_close(root);
	return f;
}

static void forget(struct features *f)
{
	kfeatures_free(f->list, f->count);
}

static const struct kfeature *find(const struct features *f, const char *feature)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->list[i].feature, feature) == 0)
			return &f->list[i];
	fail_msg("no feature %s", feature);
	return NULL;
}

static int available(const struct features *f, const char *feature)
{
	return find(f, feature)->available;
}

static void every_row_says_what_for_and_what_else(void **state)
{
	struct features f = probe(NULL);

	(void)state;
	assert_true(f.count > 30);
	for (size_t i = 0; i < f.count; i++) {
		const struct kfeature *row = &f.list[i];

		assert_true(row->feature[0] && row->used_for[0] && row->otherwise[0]);
		assert_true(row->available <= 1);
		/* What is not known or not usable has a reason. */
		assert_true(row->available >= 0 || row->detail);
		assert_null(strchr(row->detail ? row->detail : "", '\n'));
		assert_ptr_equal(find(&f, row->feature), row);
	}
	forget(&f);
}

struct expectation {
	const char *feature;
	int available;
	const char *detail;
};

static void assert_expected(const struct features *f, const struct expectation *expected)
{
	for (; expected->feature; expected++) {
		const struct kfeature *row = find(f, expected->feature);
		const char *detail = row->detail ? row->detail : "";

		if (row->available != expected->available || strcmp(detail, expected->detail) != 0)
			fail_msg("%s: %d \"%s\"", row->feature, row->available, detail);
	}
}

static void debians_6_1_is_told_from_its_texts(void **state)
{
	static const struct expectation expected[] = {
		{ "kernel release", 1, "6.1.0" },
		{ "/proc/PID/maps", 1, "" },
		{ "/proc/PID/smaps", 1, "" },
		{ "PAGEMAP_SCAN", -ENODATA, "not known from a captured tree" },
		{ "BPF iterators", -ENODATA, "not known from a captured tree" },
		{ "anonymous names", -ENODATA, "not known from a captured tree" },
		{ "kernel memory readable", 1, "none" },
		{ "BTF", 1, "" },
		{ "seccomp user notification", 1, "" },
		{ "ptrace of others", 1, "Yama's ptrace_scope is 0" },
		{ "cgroup freezer", 1, "cgroup.freeze" },
		{ "memory.reclaim", 1, "" },
		{ "cgroup v2 memory", 1, "/sys/fs/cgroup" },
		{ "cgroup v1 memory", 0, "" },
		{ "pressure (PSI)", 1, "" },
		{ "swap", 0, "no swap space is on" },
		{ "zram", 0, "not loaded" },
		{ "KSM", 1, "not running" },
		{ "transparent huge pages", 0, "never" },
		{ "dma-buf heaps", 0, "" },
		{ 0 },
	};
	struct features f = probe(DEBIAN_6_1);

	(void)state;
	assert_expected(&f, expected);
	forget(&f);
}

static void a_machine_with_both_cgroup_versions_is_told_from_its_texts(void **state)
{
	static const struct expectation expected[] = {
		{ "kernel release", 1, "6.18.44" },
		{ "kernel memory readable", -ENODATA, "securityfs is not mounted here" },
		{ "ptrace of others", 1, "no Yama" },
		{ "cgroup freezer", 1, "cgroup.freeze" },
		{ "memory.reclaim", 0, "/sys/fs/cgroup/unified has no memory controller" },
		{ "cgroup v2 memory", 0, "/sys/fs/cgroup/unified has no memory controller" },
		{ "cgroup v1 memory", 1, "" },
		{ "zram", 1, "" },
		{ "transparent huge pages", 1, "madvise" },
		{ 0 },
	};
	struct features f = probe(MIXED_6_18);

	(void)state;
	assert_expected(&f, expected);
	forget(&f);
}

/* A tree of one's own below TMPDIR, for texts that no machine at hand has. */
static void put_text(const char *tree, const char *path, const char *text)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", tree, path);
	for (char *slash = full + strlen(tree) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
		*slash = '/';
	}
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static char *new_tree(void)
{
	const char *base = getenv("TMPDIR");
	char *tree = malloc(300);

	assert_non_null(tree);
	snprintf(tree, 300, "%s/memoir-features-XXXXXX", base ? base : "/tmp");
	assert_non_null(mkdtemp(tree));
	return tree;
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char child[512];

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		if (unlink(child) < 0)
			remove_tree(child);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static void what_forbids_or_lacks_something_is_seen(void **state)
{
	static const struct expectation expected[] = {
		{ "kernel release", 1, "5.15.0-test" },
		{ "/proc/PID/smaps", 0, "" },
		{ "kernel memory readable", 0, "confidentiality" },
		{ "ptrace of others", 0, "Yama's ptrace_scope is not 0" },
		{ "seccomp user notification", 0, "" },
		{ "cgroup v2 memory", 0, "/sys/fs/cgroup has no memory controller" },
		{ "cgroup freezer", 1, "cgroup.freeze" },
		{ "swap", 1, "2 areas" },
		{ "pressure (PSI)", 0, "" },
		{ "KSM", 1, "running" },
		{ 0 },
	};
	char *tree = new_tree();

	(void)state;
	put_text(tree, "proc/sys/kernel/osrelease", "5.15.0-test\n");
	put_text(tree, "proc/sys/kernel/yama/ptrace_scope", "1\n");
	put_text(tree, "proc/sys/kernel/seccomp/actions_avail", "kill_process trap errno allow\n");
	put_text(tree, "proc/swaps", "Filename Type\n/dev/a partition\n/dev/b partition\n");
	put_text(tree, "sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	put_text(tree, "sys/kernel/mm/ksm/run", "1\n");
	put_text(tree, "sys/fs/cgroup/cgroup.controllers", "cpu memoryless io\n");
	struct features f = probe(tree);

	assert_expected(&f, expected);
	forget(&f);
	remove_tree(tree);
	free(tree);
}

static void an_empty_tree_has_nothing_and_breaks_nothing(void **state)
{
	char *tree = new_tree();
	struct features f = probe(tree);

	(void)state;
	for (size_t i = 0; i < f.count; i++)
		if (strcmp(f.list[i].feature, "ptrace of others") != 0)
			assert_true(f.list[i].available <= 0);
	forget(&f);
	remove_tree(tree);
	free(tree);
}

/* What a mainline release promises, if the configuration does not take it away. */
static void this_kernel_has_what_its_release_promises(void **state)
{
	struct features f = probe(NULL);
	struct utsname name;
	int major = 0, minor = 0;

	(void)state;
	assert_int_equal(uname(&name), 0);
	assert_int_equal(sscanf(name.release, "%d.%d", &major, &minor), 2);
	int release = major * 1000 + minor;

	assert_string_equal(find(&f, "kernel release")->detail, name.release);
	assert_int_equal(available(&f, "/proc/PID/maps"), 1);
	assert_int_equal(available(&f, "/proc/PID/smaps"), 1);
	assert_int_equal(available(&f, "memfd_create"), 1);
	assert_int_equal(available(&f, "pidfd_open"), 1);
	if (release >= 6007)
		assert_int_equal(available(&f, "PAGEMAP_SCAN"), 1);
	if (release >= 6011)
		assert_int_equal(available(&f, "PROCMAP_QUERY"), 1);
	if (release >= 6005)
		assert_int_equal(available(&f, "cachestat"), 1);
	if (release < 6004)
		assert_true(available(&f, "mm_lock_seq") <= 0);
	forget(&f);
}

static int count_of(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void probing_leaves_nothing_behind(void **state)
{
	struct features f = probe(NULL); /* what libraries keep from the first time is kept now */
	char line[512];

	(void)state;
	forget(&f);
	int before = count_of("/proc/self/fd");

	f = probe(NULL);
	forget(&f);
	assert_int_equal(count_of("/proc/self/fd"), before);
	FILE *maps = fopen("/proc/self/maps", "re");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		assert_null(strstr(line, "memoir check"));
	fclose(maps);
}

/* In a child that has given up root; its exit code says which row was wrong. */
static int probe_without_privileges(const struct features *as_root)
{
	struct kroot *root;
	struct features f;

	/* Who gives up root may no longer read even his own /proc files, until dumpable again. */
	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		return 7;
	if (kroot_open(NULL, &root) < 0 || kfeatures_probe(root, &f.list, &f.count) < 0)
		return 1;
	if (available(&f, "pagemap frames") != -EPERM)
		return 2;
	if (available(as_root, "kpagecount") == 1 && available(&f, "kpagecount") >= 0)
		return 3;
	if (available(&f, "BPF programs") == 1 || available(&f, "BPF iterators") == 1)
		return 4;
	if (available(as_root, "PAGEMAP_SCAN") != available(&f, "PAGEMAP_SCAN"))
		return 5;
	return available(&f, "/proc/PID/maps") == 1 ? 0 : 6;
}

static void without_privileges_it_says_what_is_missing(void **state)
{
	int status;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: giving up root needs root\n");
		skip();
	}
	struct features as_root = probe(NULL);

	assert_int_equal(available(&as_root, "pagemap frames"), 1);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(probe_without_privileges(&as_root));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	forget(&as_root);
}

/* "| feature | since | needs | used for | without it |" of the documentation, row by row. */
static void the_documentation_has_the_same_table(void **state)
{
	FILE *doc = fopen(TEST_DATA "/../../docs/KERNEL-SUPPORT.md", "re");
	struct features f = probe(GOLDEN "root-6.18");
	char line[1024], start[128], end[512];
	size_t i = 0;

	(void)state;
	assert_non_null(doc);
	while (fgets(line, sizeof(line), doc) && strcmp(line, "|---|---|---|---|---|\n") != 0)
		;
	for (; fgets(line, sizeof(line), doc) && line[0] == '|'; i++) {
		assert_true(i < f.count);
		snprintf(start, sizeof(start), "| %s | ", f.list[i].feature);
		snprintf(end, sizeof(end), "| %s | %s |\n", f.list[i].used_for,
			 f.list[i].otherwise);
		assert_memory_equal(line, start, strlen(start));
		assert_string_equal(
			strlen(line) > strlen(end) ? line + strlen(line) - strlen(end) : line, end);
	}
	assert_int_equal(i, f.count);
	fclose(doc);
	forget(&f);
}

struct meminfo_seen {
	uint64_t total_bytes, huge_page_bytes, huge_pages;
	int lines;
};

static void see(const char *key, uint64_t value, void *arg)
{
	struct meminfo_seen *seen = arg;

	seen->lines++;
	if (strcmp(key, "MemTotal") == 0)
		seen->total_bytes = value;
	else if (strcmp(key, "Hugepagesize") == 0)
		seen->huge_page_bytes = value;
	else if (strcmp(key, "HugePages_Total") == 0)
		seen->huge_pages = value;
}

static int read_meminfo(const char *prefix, struct meminfo_seen *seen)
{
	struct kroot *root;

	*seen = (struct meminfo_seen){ .huge_pages = 99 };
	assert_int_equal(kroot_open(prefix, &root), 0);
	int err = meminfo_read(root, see, seen);

	kroot_close(root);
	return err;
}

static void meminfo_of_both_machines_is_read_in_bytes(void **state)
{
	struct meminfo_seen seen;

	(void)state;
	assert_int_equal(read_meminfo(DEBIAN_6_1, &seen), 0);
	assert_int_equal(seen.total_bytes, UINT64_C(468416) * 1024);
	assert_int_equal(seen.huge_page_bytes, 2 << 20);
	assert_int_equal(seen.huge_pages, 0);
	assert_true(seen.lines > 45);
	assert_int_equal(read_meminfo(MIXED_6_18, &seen), 0);
	assert_int_equal(seen.total_bytes, UINT64_C(24684092) * 1024);
}

static void what_is_no_meminfo_is_refused(void **state)
{
	static const char *const wrong[] = {
		"MemTotal 5 kB\n",
		"MemTotal: kB\n",
		"MemTotal: 5 MB\n",
		"MemTotal: 99999999999999999999 kB\n",
		"MemTotal: 18446744073709551615 kB\n",
	};
	char *tree = new_tree();
	struct meminfo_seen seen;

	(void)state;
	assert_int_equal(read_meminfo(tree, &seen), -ENOENT);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		put_text(tree, "proc/meminfo", wrong[i]);
		assert_int_equal(read_meminfo(tree, &seen), -EBADMSG);
		assert_int_equal(seen.lines, 0);
	}
	put_text(tree, "proc/meminfo", "MemTotal: 5 kB");
	assert_int_equal(read_meminfo(tree, &seen), 0);
	assert_int_equal(seen.total_bytes, 5120);
	remove_tree(tree);
	free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_says_what_for_and_what_else),
		cmocka_unit_test(debians_6_1_is_told_from_its_texts),
		cmocka_unit_test(a_machine_with_both_cgroup_versions_is_told_from_its_texts),
		cmocka_unit_test(what_forbids_or_lacks_something_is_seen),
		cmocka_unit_test(an_empty_tree_has_nothing_and_breaks_nothing),
		cmocka_unit_test(this_kernel_has_what_its_release_promises),
		cmocka_unit_test(probing_leaves_nothing_behind),
		cmocka_unit_test(without_privileges_it_says_what_is_missing),
		cmocka_unit_test(the_documentation_has_the_same_table),
		cmocka_unit_test(meminfo_of_both_machines_is_read_in_bytes),
		cmocka_unit_test(what_is_no_meminfo_is_refused),
	};

	return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
