// SPDX-License-Identifier: MIT
/*
 * Who maps what, as the pass that makes figures notes it on several threads: all that mappings say but for what is
 * merely cache; and footprints by it are those by the mappings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <memoir/analysis.h>

#include "snapshot/capture.h"

#define PROCESSES 67u
#define OBJECTS 97u
/* Several threads, many parts and a last one that is not whole; and one thread, one part. */
#define MANY 40007u
#define FEW 300u
#define PAGE 4096ull

static uint32_t draw(uint32_t below)
{
	return (uint32_t)rand() % below;
}

/* ---- a capture whose pages are counted ------------------------------------------------------ */

static void add_processes(struct capture *c)
{
	for (uint32_t i = 0; i < PROCESSES; i++) {
		struct process_note *note;
		struct memoir_process *process = capture_add_process(c, &note);

		assert_non_null(process);
		process->pid = (int)i + 1;
		process->in_scope = draw(5);
		process->readable = draw(5);
		process->sole_anon_bytes = draw(100) * PAGE;
	}
}

/* Now and then a udmabuf, made of the memfd before it. */
static void add_objects(struct capture *c)
{
	static const uint8_t kinds[] = {
		MEMOIR_KIND_MEMFD,   MEMOIR_KIND_DMABUF, MEMOIR_KIND_FILE,
		MEMOIR_KIND_HUGETLB, MEMOIR_KIND_DEVICE, MEMOIR_KIND_SHMEM
	};

	for (uint32_t i = 0; i < OBJECTS; i++) {
		struct memoir_object *object = snapshot_add_object(c->snap);
		bool driver = i % 6 == 1;

		*object = (struct memoir_object){
			.kind = kinds[i % 6],
			.fate = (uint8_t)(driver ? MEMOIR_FATE_FREED : draw(MEMOIR_FATES)),
			.resident_known = draw(4),
			.resident_bytes = draw(1000) * PAGE,
			.is_backed = driver && draw(2),
			.backing = i - 1,
		};
	}
}

/* A third of them only one process maps. */
static uint32_t draw_object(uint32_t process)
{
	uint32_t object = draw(OBJECTS);

	return draw(4) && (object % 3 || object % PROCESSES == process) ? object : MEMOIR_NONE;
}

static void add_regions(struct capture *c, uint32_t count)
{
	uint32_t last = MEMOIR_NONE;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t process = (uint32_t)((uint64_t)i * PROCESSES / count);
		struct region *region = capture_add_region(c, process);

		assert_non_null(region);
		/* Those of a library stand together. */
		region->object = last = draw(3) ? draw_object(process) : last;
		count_alone(region, draw(4), draw(3));
		region->is_cut = draw(9) == 0;
	}
}

static void add_holders(struct capture *c)
{
	c->snap->holders_known = draw(2);
	for (uint32_t i = 0; i < OBJECTS; i += 1 + draw(7))
		*snapshot_add_holder(c->snap) =
			(struct memoir_holder){ .object = i, .process = draw(PROCESSES) };
}

static struct memoir_snapshot *capture(uint32_t regions, bool without_sets)
{
	struct memoir memoir = { .threads = 4 };
	struct capture c = { .memoir = &memoir, .options.without_sets = without_sets };

	pthread_mutex_init(&c.lock, NULL);
	c.snap = snapshot_new();
	assert_non_null(c.snap);
	c.snap->engine = MEMOIR_ENGINE_TABLES;
	assert_int_equal(tally_init(&c.tally), 0);
	add_processes(&c);
	add_objects(&c);
	add_regions(&c, regions);
	add_holders(&c);
	assert_int_equal(capture_figures(&c), 0);
	tally_free(&c.tally);
	spans_free(&c.spans);
	free(c.notes);
	pthread_mutex_destroy(&c.lock);
	return c.snap;
}

/* ---- against its mappings ------------------------------------------------------------------- */

static void assert_all_are_noted(const struct memoir_snapshot *s)
{
	static bool noted[OBJECTS][PROCESSES], mapped[OBJECTS][PROCESSES];

	memset(noted, 0, sizeof(noted));
	memset(mapped, 0, sizeof(mapped));
	assert_non_null(s->captured.uses);
	assert_in_range(s->captured.use_count, 1, s->captured.count);
	for (size_t i = 0; i < s->captured.use_count; i++)
		noted[s->captured.uses[i].object][s->captured.uses[i].process] = true;
	for (size_t i = 0; i < s->captured.count; i++) {
		const struct region *region = &s->captured.regions[i];

		if (region->object != MEMOIR_NONE &&
		    s->objects[region->object].fate != MEMOIR_FATE_RECLAIMABLE)
			mapped[region->object][region->process] = true;
	}
	assert_memory_equal(noted, mapped, sizeof(noted));
}

static struct memoir_footprint *footprints_of(const struct memoir_snapshot *s)
{
	struct memoir_footprint *footprints;

	assert_int_equal(memoir_footprints(s, &footprints), 0);
	return footprints;
}

static void assert_footprints_are_the_same(struct memoir_snapshot *s)
{
	struct memoir_footprint *by_uses = footprints_of(s), *by_mappings;

	free(s->captured.uses);
	s->captured.uses = NULL;
	s->captured.use_count = 0;
	by_mappings = footprints_of(s);
	for (size_t i = 0; i < s->process_count; i++) {
		const struct memoir_footprint *a = &by_uses[i], *b = &by_mappings[i];

		assert_int_equal(a->footprint_bytes, b->footprint_bytes);
		assert_int_equal(a->freed_if_killed_bytes, b->freed_if_killed_bytes);
		assert_int_equal(a->footprint_known, b->footprint_known);
		assert_int_equal(a->freed_if_killed_known, b->freed_if_killed_known);
	}
	free(by_uses);
	free(by_mappings);
}

static void uses_are_what_mappings_say(void **state)
{
	static const uint32_t counts[] = { FEW, MANY, FEW, MANY, FEW, FEW, FEW };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct memoir_snapshot *s = capture(counts[i], i % 2);

		assert_all_are_noted(s);
		assert_footprints_are_the_same(s);
		memoir_snapshot_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses_are_what_mappings_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
