// SPDX-License-Identifier: MIT
/*
 * Name tables come by two ways: sent by the walk of page tables, and kept from capture to capture; or read through
 * /proc/PID/mem. Whatever a process does, both have to say the same of it: captures by page tables are compared with one
 * that knows only the second way. How often each way was gone is counted on its way (by the linker's --wrap).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <memoir/snapshot.h>

#include "kernel/memory.h"
#include "names/reader.h"
#include "named_child.h"

#define FAMILY 30

/* ---- how tables came ------------------------------------------------------------------------ */

static pid_t watched; /* whose memory is opened */
static unsigned int opened, parsed;

int __real_memory_open(const struct kroot *root, pid_t pid);
int __wrap_memory_open(const struct kroot *root, pid_t pid);
int __real_names_reader_read(struct names_reader *reader, const struct names_source *source,
			     uint64_t anchor, struct names_table *ret_table);
int __wrap_names_reader_read(struct names_reader *reader, const struct names_source *source,
			     uint64_t anchor, struct names_table *ret_table);

int __wrap_memory_open(const struct kroot *root, pid_t pid)
{
	if (pid == watched)
		__atomic_add_fetch(&opened, 1, __ATOMIC_RELAXED);
	return __real_memory_open(root, pid);
}

int __wrap_names_reader_read(struct names_reader *reader, const struct names_source *source,
			     uint64_t anchor, struct names_table *ret_table)
{
	parsed++;
	return __real_names_reader_read(reader, source, anchor, ret_table);
}

/* ---- captures ------------------------------------------------------------------------------- */

static struct memoir *open_engine(enum memoir_engine engine)
{
	struct memoir_options options = { .sz = sizeof(options), .engine = engine };
	struct memoir *memoir = NULL;

	assert_int_equal(memoir_open(&options, &memoir, NULL), 0);
	return memoir;
}

static bool is_child(const struct memoir_process *process, void *arg)
{
	const struct named_child *child = arg;

	return process->pid == child->pid || process->ppid == child->pid;
}

static struct memoir_snapshot *capture(struct memoir *memoir, const struct named_child *child)
{
	struct memoir_capture_options options = {
		.sz = sizeof(options),
		.wants = is_child,
		.wants_arg = (void *)child,
		.without_holders = true,
		.without_kinds = true,
	};
	struct memoir_snapshot *snapshot = NULL;
	struct memoir_error error = { 0 };

	watched = child->pid;
	opened = parsed = 0;
	if (memoir_capture(memoir, &options, &snapshot, &error) < 0)
		fail_msg("%s", error.text);
	return snapshot;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void assert_same_region(const struct memoir_region *a, const struct memoir_region *b)
{
	if (a->start != b->start || a->end != b->end || !same_name(a->name, b->name))
		fail_msg("%lx-%lx %s, and %lx-%lx %s", a->start, a->end, a->name, b->start, b->end,
			 b->name);
	assert_int_equal(a->name_source, b->name_source);
	/* What is shared with others changes as they come and go. */
	for (unsigned int i = 0; i < MEMOIR_FIGURES && a->name_source == MEMOIR_NAME_TABLE; i++)
		assert_int_equal(a->figures.bytes[i], b->figures.bytes[i]);
}

/* Of processes asked for; returns how many names there are. */
static unsigned int assert_same(const struct memoir_snapshot *a, const struct memoir_snapshot *b)
{
	unsigned int names = 0;
	size_t k = 0;

	for (size_t i = 0; i < memoir_snapshot_process_count(a); i++) {
		const struct memoir_process *p = memoir_snapshot_process(a, i), *q;

		if (!p->in_scope)
			continue;
		while ((q = memoir_snapshot_process(b, k)) && !q->in_scope)
			k++;
		assert_non_null(q);
		k++;
		assert_int_equal(p->pid, q->pid);
		assert_int_equal(p->region_count, q->region_count);
		for (uint32_t r = 0; r < p->region_count; r++) {
			const struct memoir_region *region =
				memoir_snapshot_region(a, p->first_region + r);

			assert_same_region(region, memoir_snapshot_region(b, q->first_region + r));
			names += region->name_source == MEMOIR_NAME_TABLE;
		}
	}
	assert_int_equal(memoir_snapshot_note_count(a), memoir_snapshot_note_count(b));
	for (size_t i = 0; i < memoir_snapshot_note_count(a); i++)
		assert_string_equal(memoir_snapshot_note(a, i), memoir_snapshot_note(b, i));
	return names;
}

struct scene {
	struct named_child child;
	struct memoir *walked, *read;
};

/* What the walk has for it is what reading has. */
static unsigned int both_ways(struct scene *s)
{
	struct memoir_snapshot *read = capture(s->read, &s->child), *walked;
	unsigned int names;

	assert_true(opened > 0);
	walked = capture(s->walked, &s->child);
	names = assert_same(walked, read);
	memoir_snapshot_free(walked);
	memoir_snapshot_free(read);
	return names;
}

static int begin(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct memoir_snapshot *snapshot;

	if (!s)
		return -1;
	child_start(&s->child);
	child_do(&s->child, CHILD_NAME);
	s->walked = open_engine(MEMOIR_ENGINE_AUTO);
	s->read = open_engine(MEMOIR_ENGINE_SCAN);
	snapshot = capture(s->walked, &s->child);
	if (memoir_snapshot_engine(snapshot) != MEMOIR_ENGINE_TABLES) {
		print_message("skipped: page tables can't be read here\n");
		memoir_close(s->walked);
		s->walked = NULL;
	} else {
		assert_int_equal(opened, 1);
		assert_int_equal(parsed, 0);
	}
	memoir_snapshot_free(snapshot);
	*state = s;
	return 0;
}

static int end(void **state)
{
	struct scene *s = *state;

	memoir_close(s->walked);
	memoir_close(s->read);
	child_end(&s->child);
	free(s);
	return 0;
}

static struct scene *scene_of(void **state)
{
	struct scene *s = *state;

	if (!s->walked)
		skip();
	return s;
}

/* ---- what a process does -------------------------------------------------------------------- */

static void a_table_comes_with_the_walk_and_only_once(void **state)
{
	struct scene *s = scene_of(state);

	/* What sends it is loaded for those who capture again, and have met one; then it is kept. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(both_ways(s), CHILD_NAMES);
		assert_int_equal(opened, 0);
		assert_int_equal(parsed, 1);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(both_ways(s), CHILD_NAMES);
		assert_int_equal(opened, 0);
		assert_int_equal(parsed, 0);
	}
}

static void what_has_changed_is_read_anew(void **state)
{
	struct scene *s = scene_of(state);

	both_ways(s);
	for (int i = 0; i < 5; i++) {
		child_do(&s->child, CHILD_RENAME);
		both_ways(s);
		assert_int_equal(opened, 0);
		assert_int_equal(parsed, 1);
		both_ways(s);
		assert_int_equal(opened + parsed, 0);
	}
}

static void what_is_not_in_ram_is_read_elsewhere(void **state)
{
	struct scene *s = scene_of(state);
	unsigned int names = both_ways(s);

	child_do(&s->child, CHILD_HIDE);
	assert_int_equal(both_ways(s), names);
	assert_int_equal(opened, 1);
	assert_int_equal(parsed, 0);
	child_do(&s->child, CHILD_SHOW);
	assert_int_equal(both_ways(s), names);
	assert_int_equal(opened, 0);
}

static void what_is_large_is_read_elsewhere(void **state)
{
	struct scene *s = scene_of(state);

	child_do(&s->child, CHILD_MANY_NAMES);
	assert_true(both_ways(s) >= CHILD_MANY);
	assert_int_equal(opened, 1);
}

static void a_child_of_fork_is_another_process(void **state)
{
	struct scene *s = scene_of(state);

	both_ways(s);
	both_ways(s);
	child_do(&s->child, CHILD_FORK);
	/* With the same generation at the same place, of the same memfd. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(both_ways(s), 2 * CHILD_NAMES);
	child_do(&s->child, CHILD_RENAME);
	for (int i = 0; i < 3; i++)
		both_ways(s);
	assert_int_equal(opened + parsed, 0);
}

/* So many that they are named by a thread beside. */
static void all_of_a_family_have_their_names(void **state)
{
	struct scene *s = scene_of(state);

	for (int i = 0; i < FAMILY; i++)
		child_do(&s->child, CHILD_FORK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(both_ways(s), (FAMILY + 1) * CHILD_NAMES);
	assert_int_equal(parsed, 0);
}

/* ---- what is in a table --------------------------------------------------------------------- */

/* Where the first leaf is. */
static uint64_t leaf_of(const struct named_child *child, const struct name_header *header)
{
	uint64_t directory = (header->root >> 32) * NAME_BLOCK_BYTES;
	struct name_slot slot;

	child_read(child, header->segments[0] + directory, &slot, sizeof(slot));
	return slot.leaf * NAME_BLOCK_BYTES;
}

/* The writer of a change is stopped between its generation and its store: until that comes, nothing is kept. */
static void a_change_that_was_begun_is_waited_for(void **state)
{
	struct scene *s = scene_of(state);
	struct name_header header = child_header(&s->child);
	uint64_t space = header.segments[0];
	uint64_t where = leaf_of(&s->child, &header) + offsetof(struct name_leaf, entries) +
			 offsetof(struct name_entry, what);
	struct name_change change = { .generation = ++header.generation, .where = where };
	uint64_t word, other;

	child_read(&s->child, space + where, &word, sizeof(word));
	child_read(&s->child, space + where + sizeof(struct name_entry), &other, sizeof(other));
	change.before = word;
	child_write(&s->child,
		    space + header.journal +
			    header.generation % header.journal_changes * sizeof(change),
		    &change, sizeof(change));
	child_write(&s->child, s->child.anchor, &header, sizeof(header));
	for (int i = 0; i < 3; i++) {
		both_ways(s);
		assert_int_equal(opened, 0);
		assert_int_equal(parsed, 1);
	}
	word = (word & ~(uint64_t)0xffffff) | (other & 0xffffff);
	child_write(&s->child, space + where, &word, sizeof(word));
	both_ways(s);
	assert_int_equal(parsed, 1);
	both_ways(s);
	assert_int_equal(opened + parsed, 0);
}

/* A number that may mean something there, or anything. */
static uint64_t any_number(uint64_t was)
{
	static const uint64_t some[] = { 0, 1, 63, 64, 1024, 65536, 1ull << 32, UINT64_MAX };

	switch (rand() % 4) {
	case 0:
		return was ^ 1ull << rand() % 64;
	case 1:
		return was + (uint64_t)(rand() % 64) * 8 - 256;
	case 2:
		return some[(size_t)rand() % (sizeof(some) / sizeof(some[0]))];
	default:
		return (uint64_t)rand() << 33 ^ (uint64_t)rand();
	}
}

/* Of the header, the directory, the leaf and a block with names, some words. */
static void spoil(const struct named_child *child, struct name_header header)
{
	uint64_t space = header.segments[0], leaf = leaf_of(child, &header), what, word;
	uint64_t places[4] = { child->anchor + 16, space + (header.root >> 32) * NAME_BLOCK_BYTES,
			       space + leaf };
	uint64_t sizes[4] = { sizeof(header) - 16, 16, NAME_BLOCK_BYTES, NAME_BLOCK_BYTES };

	child_read(child, space + leaf + 24, &what, sizeof(what));
	places[3] = space + (what & 0xffffff) / 128 * NAME_BLOCK_BYTES;
	for (int i = rand() % 4; i >= 0; i--) {
		int which = rand() % 4;
		uint64_t at = places[which] + (uint64_t)rand() % (sizes[which] / 8) * 8;

		child_read(child, at, &word, sizeof(word));
		word = any_number(word);
		child_write(child, at, &word, sizeof(word));
	}
}

static void nothing_that_is_in_a_table_makes_a_difference(void **state)
{
	struct scene *s = scene_of(state);
	struct name_header header = child_header(&s->child);
	static char space[NAME_SEGMENT_BYTES];
	unsigned int walked = 0;

	srand(1);
	child_read(&s->child, header.segments[0], space, header.used_bytes);
	for (int i = 0; i < 60; i++) {
		struct name_header changed = header;

		changed.generation += (uint64_t)i + 2;
		child_write(&s->child, s->child.anchor, &changed, sizeof(changed));
		spoil(&s->child, changed);
		both_ways(s);
		walked += !opened;
		child_write(&s->child, header.segments[0], space, header.used_bytes);
	}
	/* Of most enough is left. */
	assert_in_range(walked, 5, 59);
}

/* ---- too much ------------------------------------------------------------------------------- */

#define GREEDY 17

/* A table as large as one may be, of nothing: 64 MiB that nobody has touched. */
static _Noreturn void be_greedy(int ready, pid_t parent)
{
	struct name_header header = {
		.magic = NAME_TABLE_MAGIC,
		.version = NAME_TABLE_VERSION,
		.header_bytes = sizeof(header),
		.block_bytes = NAME_BLOCK_BYTES,
		.segment_bytes = NAME_SEGMENT_BYTES,
		.generation = 1,
		.used_bytes = NAME_SPACE_BYTES,
	};
	char *space = mmap(NULL, NAME_SPACE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int fd = memfd_create(NAME_ANCHOR, MFD_CLOEXEC);
	void *anchor;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || space == MAP_FAILED || fd < 0 || ftruncate(fd, 4096) < 0)
		_exit(1);
	anchor = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (anchor == MAP_FAILED)
		_exit(1);
	for (uint64_t k = 0, begin = 0; begin < NAME_SPACE_BYTES; k++) {
		header.segments[k] = (uintptr_t)space + begin;
		begin = (uint64_t)NAME_SEGMENT_BYTES << k;
	}
	memcpy(anchor, &header, sizeof(header));
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

struct greedy {
	pid_t pids[GREEDY];
	const struct named_child *child;
};

static bool is_greedy_or_child(const struct memoir_process *process, void *arg)
{
	const struct greedy *g = arg;

	for (int i = 0; i < GREEDY; i++)
		if (process->pid == g->pids[i])
			return true;
	return process->pid == g->child->pid;
}

/* What is read of all tables is bounded; one that asks for more than is left gets nothing, and takes nothing from others. */
static void tables_that_claim_too_much_refuse_no_others(void **state)
{
	struct scene *s = scene_of(state);
	struct greedy greedy = { .child = &s->child };
	struct memoir_capture_options options = {
		.sz = sizeof(options),
		.wants = is_greedy_or_child,
		.wants_arg = &greedy,
		.without_holders = true,
		.without_kinds = true,
	};
	struct memoir_snapshot *snapshot = NULL;
	unsigned int names = 0;
	pid_t parent = getpid();
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	for (int i = 0; i < GREEDY; i++) {
		greedy.pids[i] = fork();
		if (greedy.pids[i] == 0)
			be_greedy(ready[1], parent);
		assert_int_equal(read(ready[0], &byte, 1), 1);
	}
	/* Behind them, as tables are read in the order of pids. */
	child_end(&s->child);
	child_start(&s->child);
	child_do(&s->child, CHILD_NAME);
	assert_int_equal(memoir_capture(s->read, &options, &snapshot, NULL), 0);
	for (int i = 0; i < GREEDY; i++) {
		kill(greedy.pids[i], SIGKILL);
		waitpid(greedy.pids[i], NULL, 0);
	}
	for (size_t i = 0; i < memoir_snapshot_region_count(snapshot); i++)
		names += memoir_snapshot_region(snapshot, i)->name_source == MEMOIR_NAME_TABLE;
	assert_int_equal(names, CHILD_NAMES);
	assert_int_equal(memoir_snapshot_note_count(snapshot), 1);
	assert_non_null(strstr(memoir_snapshot_note(snapshot, 0), "not believed"));
	memoir_snapshot_free(snapshot);
	close(ready[0]);
	close(ready[1]);
}

#define with_child(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_child(a_table_comes_with_the_walk_and_only_once),
		with_child(what_has_changed_is_read_anew),
		with_child(what_is_not_in_ram_is_read_elsewhere),
		with_child(what_is_large_is_read_elsewhere),
		with_child(a_child_of_fork_is_another_process),
		with_child(all_of_a_family_have_their_names),
		with_child(a_change_that_was_begun_is_waited_for),
		with_child(nothing_that_is_in_a_table_makes_a_difference),
		with_child(tables_that_claim_too_much_refuse_no_others),
	};

	/* The children's calls, not this process's, which memoir leaves out. */
	setenv("MEMOIR_NAMES", "table", 1);
	return cmocka_run_group_tests_name("where names come from", tests, NULL, NULL);
}
