// SPDX-License-Identifier: MIT
/*
 * Classes of shared buffers: what they make of paths, magic numbers and the texts of fdinfo as drivers
 * really write them; and each holder's share of a buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <memoir/analysis.h>
#include <memoir/buffers.h>

#include "buffers/buffer.h"
#include "kernel/fdinfo.h"
#include "kernel/magic.h"
#include "snapshot/model.h"
#include "tree.h"

#define DRM_RENDER (226u << 20 | 128)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* ---- which class ---------------------------------------------------------------------------- */

static void a_file_is_of_the_class_that_the_kernel_makes_it(void **state)
{
	static const struct {
		struct buffer_clues clues;
		const char *what; /* NULL: no buffer */
		const char *tag;
	} cases[] = {
		{ { .path = "/memfd:a (deleted)", .on_shmem = true, .on_own_shmem = true },
		  "memfd",
		  "a" },
		{ { .path = "/memfd: (deleted) (deleted)", .on_shmem = true, .on_own_shmem = true },
		  "memfd",
		  " (deleted)" },
		{ { .path = "/memfd:", .on_shmem = true, .on_own_shmem = true }, "memfd", "" },
		/* Not on the kernel's own mount anybody may call a file so. */
		{ { .path = "/memfd:a (deleted)", .on_shmem = true }, "file in tmpfs", "/memfd:a" },
		{ { .path = "/memfd:a (deleted)" }, NULL, NULL },
		{ { .path = "/SYSV0000002a (deleted)", .on_shmem = true, .on_own_shmem = true },
		  "System V segment",
		  "SYSV0000002a" },
		{ { .path = "/dev/zero (deleted)", .on_shmem = true, .on_own_shmem = true },
		  "shared anonymous memory",
		  "" },
		{ { .on_shmem = true, .on_own_shmem = true }, "shared anonymous memory", "" },
		{ { .path = "/dev/shm/x", .on_shmem = true }, "file in tmpfs", "/dev/shm/x" },
		{ { .path = "/dev/null", .on_shmem = true, .mode = S_IFCHR }, NULL, NULL },
		{ { .path = "/anon_hugepage (deleted)", .hugetlb = true },
		  "file of huge pages",
		  "" },
		{ { .path = "/memfd:h (deleted)", .magic = HUGETLBFS_MAGIC },
		  "file of huge pages",
		  "h" },
		{ { .path = "/dmabuf:", .magic = DMA_BUF_MAGIC }, "dma-buf", "" },
		{ { .path = "/dmabuf:cam\n", .magic = DMA_BUF_MAGIC, .exporter = "system" },
		  "dma-buf",
		  "cam\n" },
		{ { .path = "/dmabuf:x", .magic = DMA_BUF_MAGIC, .exporter = "udmabuf" },
		  "udmabuf",
		  "x" },
		/* A file of a disk that is called like one. */
		{ { .path = "/dmabuf:x", .magic = 0xef53, .mode = S_IFREG }, NULL, NULL },
		{ { .path = "/dev/dri/renderD128", .mode = S_IFCHR, .rdev = DRM_RENDER },
		  "memory of a DRM client",
		  "" },
		{ { .path = "/dev/kfd", .mode = S_IFCHR, .rdev = 240u << 20 }, NULL, NULL },
		{ { .path = "anon_inode:[io_uring]", .magic = ANON_INODE_FS_MAGIC },
		  "buffers registered with io_uring",
		  "" },
		{ { .path = "anon_inode:[eventfd]", .magic = ANON_INODE_FS_MAGIC }, NULL, NULL },
		{ { .path = "anon_inode:[kvm-gmem]", .magic = ANON_INODE_FS_MAGIC },
		  "memory of a virtual machine",
		  "" },
		{ { .path = "/[kvm-gmem]", .magic = GUEST_MEMFD_MAGIC },
		  "memory of a virtual machine",
		  "" },
		{ { .path = "/secretmem (deleted)", .magic = SECRETMEM_MAGIC },
		  "secret memory",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct buffer_class *class = buffer_class_of(&cases[i].clues);
		struct buffer_facts facts;

		if (!cases[i].what) {
			assert_null(class);
			continue;
		}
		assert_non_null(class);
		assert_string_equal(class->what, cases[i].what);
		buffer_begin(class, &cases[i].clues, &facts);
		assert_string_equal(facts.tag, cases[i].tag);
	}
}

static void every_kind_has_a_class_and_long_tags_are_cut(void **state)
{
	char path[2 * BUFFER_TAG_MAX];
	const struct buffer_clues clues = { .path = path, .on_shmem = true, .on_own_shmem = true };
	struct buffer_facts facts = { 0 };

	(void)state;
	for (unsigned int kind = 0; kind < BUFFER_KINDS; kind++)
		assert_int_equal(buffer_class_of_kind(kind)->kind, kind);
	memset(path, 'x', sizeof(path));
	memcpy(path, "/memfd:", strlen("/memfd:"));
	path[sizeof(path) - 1] = '\0';
	buffer_begin(buffer_class_of(&clues), &clues, &facts);
	assert_int_equal(strlen(facts.tag), BUFFER_TAG_MAX - 1);
}

/* ---- fdinfo --------------------------------------------------------------------------------- */

struct reading {
	const struct buffer_class *class;
	struct buffer_facts *facts;
};

static void take_line(const char *key, const char *value, void *arg)
{
	struct reading *reading = arg;

	reading->class->line(reading->facts, key, value);
}

/* Through a file of a tree, as capture reads it. */
static const struct buffer_class *read_facts(const struct buffer_clues *clues, const char *text,
					     struct buffer_facts *facts)
{
	struct reading reading = { buffer_class_of(clues), facts };
	char *tree = tree_new();
	struct kroot *root;

	tree_put_text(tree, "proc/7/task/8/fdinfo/3", text);
	assert_int_equal(kroot_open(tree, &root), 0);
	buffer_begin(reading.class, clues, facts);
	assert_true(buffer_wants_fdinfo(reading.class, clues));
	assert_int_equal(fdinfo_each(root, 7, 8, 3, take_line, &reading), 0);
	assert_int_equal(fdinfo_each(root, 7, 8, 4, take_line, &reading), -ENOENT);
	kroot_close(root);
	tree_remove(tree);
	return buffer_settle(reading.class, clues, facts);
}

static void a_dmabuf_of_a_heap_is_all_in_ram(void **state)
{
	const struct buffer_clues clues = { .path = "/dmabuf:cam", .magic = DMA_BUF_MAGIC };
	struct buffer_facts facts = { 0 };

	(void)state;
	read_facts(&clues,
		   "pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t77\nsize:\t1048576\ncount:\t1\n"
		   "exp_name:\tsystem\nname:\tcam\n",
		   &facts);
	assert_int_equal(facts.size_bytes, MIB);
	assert_true(facts.resident_known);
	assert_int_equal(facts.resident_bytes, MIB);
	assert_int_equal(facts.elsewhere_bytes, 0);
	assert_string_equal(facts.exporter, "system");
	assert_string_equal(facts.tag, "cam");
}

/* What a graphics driver has allocated so far, it does not say here. */
static void a_dmabuf_of_a_driver_may_not_be_in_ram(void **state)
{
	const struct buffer_clues clues = { .path = "/dmabuf:", .magic = DMA_BUF_MAGIC };
	struct buffer_facts facts = { 0 };

	(void)state;
	read_facts(&clues, "size:\t8192\nexp_name:\tdrm\n", &facts);
	assert_int_equal(facts.size_bytes, 8192);
	assert_false(facts.resident_known);
}

static void a_udmabuf_is_charged_when_its_memfd_is_gone(void **state)
{
	struct buffer_clues clues = { .path = "/dmabuf:", .magic = DMA_BUF_MAGIC };
	const struct buffer_class *class;
	struct buffer_facts facts = { 0 };

	(void)state;
	/* By text it is not known whether the memfd lives. */
	class = read_facts(&clues, "size:\t8192\nexp_name:\tudmabuf\n", &facts);
	assert_string_equal(class->what, "udmabuf");
	assert_int_equal(facts.resident_bytes, 8192);
	assert_int_equal(facts.elsewhere_bytes, 8192);
	/* By BPF it is, and fdinfo need not be read. */
	clues.exporter = "udmabuf";
	clues.size_bytes = 8192;
	clues.backing = 1;
	clues.backing_known = true;
	assert_false(buffer_wants_fdinfo(class, &clues));
	buffer_begin(class, &clues, &facts);
	buffer_settle(class, &clues, &facts);
	assert_int_equal(facts.elsewhere_bytes, 8192);
	clues.backing = 0;
	buffer_settle(class, &clues, &facts);
	assert_int_equal(facts.elsewhere_bytes, 0);
}

static const struct buffer_clues drm = { .mode = S_IFCHR, .rdev = DRM_RENDER };

static void drm_clients_have_a_part_for_each_region(void **state)
{
	struct buffer_facts facts = { 0 };

	(void)state;
	read_facts(&drm,
		   "pos:\t0\nflags:\t0100002\ndrm-driver:\ti915\ndrm-client-id:\t7\n"
		   "drm-pdev:\t0000:00:02.0\ndrm-total-system0:\t8192 KiB\n"
		   "drm-shared-system0:\t2 MiB\ndrm-active-system0:\t0\n"
		   "drm-resident-system0:\t6 MiB\ndrm-purgeable-system0:\t0\n"
		   "drm-total-stolen-system0:\t0\ndrm-total-local0:\t16 MiB\n"
		   "drm-resident-local0:\t16 MiB\ndrm-engine-render:\t100 ns\n",
		   &facts);
	assert_int_equal(facts.id, 7);
	assert_string_equal(facts.exporter, "i915");
	assert_string_equal(facts.device, "0000:00:02.0");
	assert_int_equal(facts.part_count, 3);
	assert_string_equal(facts.parts[0].tag, "system0");
	assert_int_equal(facts.parts[0].size_bytes, 8 * MIB);
	assert_int_equal(facts.parts[0].shared_bytes, 2 * MIB);
	assert_int_equal(facts.parts[0].resident_bytes, 6 * MIB);
	assert_true(facts.parts[0].in_ram);
	assert_string_equal(facts.parts[2].tag, "local0");
	assert_false(facts.parts[2].in_ram);
}

/* amdgpu before 6.11: drm-memory- only, and keys of its own. */
static void older_drivers_tell_resident_memory_only(void **state)
{
	struct buffer_facts facts = { 0 };

	(void)state;
	read_facts(&drm,
		   "drm-driver:\tamdgpu\ndrm-client-id:\t31\ndrm-memory-vram:\t1024 KiB\n"
		   "drm-memory-gtt:\t4 KiB\namd-memory-visible-vram:\t512 KiB\n",
		   &facts);
	assert_int_equal(facts.part_count, 2);
	assert_int_equal(facts.parts[0].resident_bytes, MIB);
	assert_int_equal(facts.parts[0].size_bytes, MIB);
	assert_false(facts.parts[0].in_ram);
	assert_int_equal(facts.parts[1].resident_bytes, 4 * KIB);
	assert_true(facts.parts[1].in_ram);
}

static void hostile_fdinfo_is_bounded(void **state)
{
	struct buffer_facts facts = { 0 };
	char many[40 * 40] = "drm-client-id:\tx\ndrm-total-:\t1\ndrm-total-a:\t-1\n"
			     "drm-total-b:\t99999999999999999999\ndrm-total-c:\t18014398509481984 "
			     "KiB\ndrm-total-d:\t1 KB\n";

	(void)state;
	for (int i = 0; i < 40; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), "drm-total-r%d:\t1\n",
			 i);
	read_facts(&drm, many, &facts);
	assert_int_equal(facts.id, 0);
	assert_int_equal(facts.part_count, BUFFER_PARTS_MAX);
	assert_string_equal(facts.parts[0].tag, "");
	assert_string_equal(facts.parts[1].tag, "r0");
}

static void rings_have_what_is_registered_with_them(void **state)
{
	const struct buffer_clues clues = { .path = "anon_inode:[io_uring]",
					    .magic = ANON_INODE_FS_MAGIC };
	struct buffer_facts facts = { 0 };

	(void)state;
	read_facts(&clues,
		   "SqMask:\t0x7\nSqThread:\t-1\nUserFiles:\t1\n    0: /memfd:0x1/4096 (deleted)\n"
		   "UserBufs:\t3\n    0: 0x7f5db7a7c000/8192\n    1: 0x7f5db7a7e000/4096\n"
		   "    2: 0x1/18446744073709551615\nPollList:\n  op=6, task_works=0\n",
		   &facts);
	assert_int_equal(facts.size_bytes, 12 * KIB);
	assert_int_equal(facts.elsewhere_bytes, 12 * KIB);
}

/* ---- shares --------------------------------------------------------------------------------- */

static void add_process(struct memoir_snapshot *s, pid_t pid)
{
	struct memoir_process *process = snapshot_add_process(s);

	process->pid = pid;
	process->comm = "x";
	process->in_scope = process->readable = true;
	process->first_region = (uint32_t)s->region_count;
}

static void map(struct memoir_snapshot *s, uint32_t object, uint64_t rss_bytes, uint64_t pss_bytes)
{
	struct memoir_region *region = snapshot_add_region(s);

	region->kind = s->objects[object].kind;
	region->process = (uint32_t)s->process_count - 1;
	region->object = object;
	region->family = MEMOIR_NONE;
	region->start = 0x1000000 * s->region_count;
	region->end = region->start + MIB;
	region->figures.bytes[MEMOIR_RSS] = region->figures.bytes[MEMOIR_SHMEM] = rss_bytes;
	region->figures.bytes[MEMOIR_PSS] = pss_bytes;
	region->figures.known = (1u << MEMOIR_FIGURES) - 1;
	s->processes[region->process].region_count++;
}

static void hold(struct memoir_snapshot *s, uint32_t object, uint32_t process, int32_t fd)
{
	*snapshot_add_holder(s) = (struct memoir_holder){ object, process, fd };
}

/* 12 MiB, of which one process has 8 in its rss and another half of these; a third one only an fd. */
static void shares_add_up_by_both_conventions(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_buffers buffers;

	(void)state;
	assert_non_null(s);
	*snapshot_add_object(s) = (struct memoir_object){ .kind = MEMOIR_KIND_MEMFD,
							  .resident_bytes = 12 * MIB,
							  .mapped_bytes = 8 * MIB,
							  .resident_known = true,
							  .fate = MEMOIR_FATE_FREED };
	add_process(s, 1);
	map(s, 0, 8 * MIB, 6 * MIB);
	add_process(s, 2);
	map(s, 0, 4 * MIB, 2 * MIB);
	add_process(s, 3);
	hold(s, 0, 2, 5);
	hold(s, 0, 2, 9);
	assert_int_equal(memoir_buffers(s, NULL, &buffers), 0);
	assert_int_equal(buffers.count, 1);
	assert_int_equal(buffers.rows[0].holder_count, 3);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(buffers.rows[0].holders[i].share_bytes, 4 * MIB);
		assert_int_equal(buffers.rows[0].holders[i].extra_bytes, 4 * MIB / 3);
		assert_int_equal(buffers.rows[0].holders[i].unique_bytes, 0);
	}
	assert_int_equal(buffers.rows[0].holders[0].mapped_share_bytes, 6 * MIB);
	assert_int_equal(buffers.rows[0].holders[2].mapped_share_bytes, 0);
	assert_int_equal(buffers.rows[0].holders[2].fd_count, 2);
	assert_int_equal(buffers.rows[0].holders[2].fds[1], 9);
	memoir_buffers_free(&buffers);
	memoir_snapshot_free(s);
}

/* A process's private copies are its own, not the buffer's. */
static void copies_are_not_the_buffers(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_buffers buffers;

	(void)state;
	*snapshot_add_object(s) = (struct memoir_object){ .kind = MEMOIR_KIND_MEMFD,
							  .resident_bytes = 2 * MIB,
							  .mapped_bytes = MIB,
							  .resident_known = true };
	*snapshot_add_object(s) =
		(struct memoir_object){ .kind = MEMOIR_KIND_ANON, .is_family = true };
	add_process(s, 1);
	map(s, 0, 3 * MIB, 3 * MIB);
	s->regions[0].family = 1;
	s->regions[0].own_anon_bytes = s->regions[0].figures.bytes[MEMOIR_ANON] = 2 * MIB;
	s->regions[0].figures.bytes[MEMOIR_SHMEM] = MIB;
	assert_int_equal(memoir_buffers(s, NULL, &buffers), 0);
	assert_int_equal(buffers.count, 1);
	assert_int_equal(buffers.rows[0].holders[0].rss_bytes, MIB);
	assert_int_equal(buffers.rows[0].holders[0].mapped_share_bytes, MIB);
	assert_int_equal(buffers.rows[0].holders[0].extra_bytes, MIB);
	memoir_buffers_free(&buffers);
	memoir_snapshot_free(s);
}

/* Whoever has a udmabuf keeps the pages of the memfd: killing who has the memfd frees nothing. */
static void a_udmabuf_keeps_its_memfd(void **state)
{
	struct memoir_snapshot *s = snapshot_new();
	struct memoir_footprint *footprints;
	struct memoir_buffers buffers;

	(void)state;
	*snapshot_add_object(s) = (struct memoir_object){ .kind = MEMOIR_KIND_MEMFD,
							  .resident_bytes = MIB,
							  .resident_known = true,
							  .fate = MEMOIR_FATE_FREED };
	*snapshot_add_object(s) = (struct memoir_object){ .kind = MEMOIR_KIND_DMABUF,
							  .resident_bytes = MIB,
							  .elsewhere_bytes = MIB,
							  .resident_known = true,
							  .fate = MEMOIR_FATE_FREED,
							  .is_backed = true,
							  .backing = 0 };
	add_process(s, 1);
	add_process(s, 2);
	hold(s, 0, 0, 3);
	hold(s, 1, 1, 3);
	s->holders_known = s->sets_known = true;
	s->engine = MEMOIR_ENGINE_TABLES;
	for (int i = 0; i < 2; i++)
		s->processes[i].figures.known = 1u << MEMOIR_USS;
	assert_int_equal(memoir_footprints(s, &footprints), 0);
	assert_int_equal(footprints[0].footprint_bytes, MIB);
	assert_int_equal(footprints[1].footprint_bytes, 0);
	assert_int_equal(footprints[0].freed_if_killed_bytes, 0);
	assert_int_equal(footprints[1].freed_if_killed_bytes, 0);
	free(footprints);
	assert_int_equal(memoir_buffers(s, NULL, &buffers), 0);
	assert_int_equal(buffers.rows[0].own_bytes, MIB);
	assert_int_equal(buffers.rows[0].holders[0].unique_bytes, 0);
	assert_int_equal(buffers.rows[1].own_bytes, 0);
	memoir_buffers_free(&buffers);
	memoir_snapshot_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_of_the_class_that_the_kernel_makes_it),
		cmocka_unit_test(every_kind_has_a_class_and_long_tags_are_cut),
		cmocka_unit_test(a_dmabuf_of_a_heap_is_all_in_ram),
		cmocka_unit_test(a_dmabuf_of_a_driver_may_not_be_in_ram),
		cmocka_unit_test(a_udmabuf_is_charged_when_its_memfd_is_gone),
		cmocka_unit_test(drm_clients_have_a_part_for_each_region),
		cmocka_unit_test(older_drivers_tell_resident_memory_only),
		cmocka_unit_test(hostile_fdinfo_is_bounded),
		cmocka_unit_test(rings_have_what_is_registered_with_them),
		cmocka_unit_test(shares_add_up_by_both_conventions),
		cmocka_unit_test(copies_are_not_the_buffers),
		cmocka_unit_test(a_udmabuf_keeps_its_memfd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
