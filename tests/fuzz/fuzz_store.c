// SPDX-License-Identifier: MIT
/*
 * Loads any bytes as a snapshot file: they may be refused, but what is loaded must be sound and
 * come back the same when saved and loaded again.
 *
 * With clang -fsanitize=fuzzer -DMEMOIR_LIBFUZZER a libFuzzer target; else a program that replays
 * the corpus files given as arguments, or without any, files made from a sound one by damage and by
 * changes in SQL that are the same in every run.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "../unit/snapshot_sample.h"
#include "store/schema.h"

#define REQUIRE(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_sound_sharing(const struct memoir_snapshot *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->set_count; i++) {
		const struct memoir_set *set = &s->sets[i];
		const struct memoir_set *parent =
			set->parent == MEMOIR_NONE ? NULL : &s->sets[set->parent];

		REQUIRE(set->parent == MEMOIR_NONE || set->parent < i);
		REQUIRE(set->region < s->region_count);
		REQUIRE(set->members == (parent ? parent->members : 0) + 1);
		REQUIRE(!parent || parent->of_object == set->of_object);
		REQUIRE(!set->of_object || !set->swap_bytes);
		sum += set->ram_bytes + set->swap_bytes + set->freed_bytes;
		REQUIRE(sum <= INT64_MAX);
	}
	for (size_t i = 0; i < s->holder_count; i++) {
		const struct memoir_holder *holder = &s->holders[i];

		REQUIRE(holder->object < s->object_count && holder->process < s->process_count);
		REQUIRE(!s->objects[holder->object].is_family);
		REQUIRE(holder->announced ? holder->fd == MEMOIR_NO_FD : holder->fd >= 0);
		for (size_t j = 0; j + 1 < i; j++)
			REQUIRE(s->holders[j].object != holder->object ||
				holder[-1].object == holder->object);
	}
}

/* What a later part of memoir relies on without looking again. */
static void require_sound(const struct memoir_snapshot *s)
{
	for (size_t i = 0; i < s->process_count; i++) {
		const struct memoir_process *p = &s->processes[i];

		REQUIRE(p->pid > 0);
		REQUIRE((size_t)p->first_region + p->region_count <= s->region_count);
		for (uint32_t j = 0; j < p->region_count; j++)
			REQUIRE(s->regions[p->first_region + j].process == i);
	}
	for (size_t i = 0; i < s->region_count; i++) {
		const struct memoir_region *r = &s->regions[i];

		REQUIRE(r->process < s->process_count && r->start < r->end);
		REQUIRE(r->kind < MEMOIR_KINDS && r->name_source < MEMOIR_NAME_SOURCES);
		REQUIRE(r->object == MEMOIR_NONE || r->object < s->object_count);
		REQUIRE(r->family == MEMOIR_NONE || s->objects[r->family].is_family);
		REQUIRE(strlen(r->perms) == 4);
	}
	for (size_t i = 0; i < s->object_count; i++) {
		char id[MEMOIR_OBJECT_ID_MAX];

		REQUIRE(memoir_object_id(&s->objects[i], id) == id);
		REQUIRE(s->objects[i].fate < MEMOIR_FATES);
		REQUIRE(s->objects[i].elsewhere_bytes <= s->objects[i].resident_bytes);
		REQUIRE(!s->objects[i].is_backed ||
			(s->objects[i].backing < s->object_count && s->objects[i].backing != i));
	}
	for (size_t i = 0; i < s->in_flight_count; i++)
		REQUIRE(s->in_flight[i].process < s->process_count && s->in_flight[i].files);
	require_sound_sharing(s);
}

static const char *scratch_path(const char *name)
{
	static char paths[2][300];
	const char *base = getenv("TMPDIR");
	char *path = paths[name[0] == 'b'];

	snprintf(path, sizeof(paths[0]), "%s/memoir-fuzz-%d-%s", base ? base : "/tmp", getpid(),
		 name);
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = scratch_path("a"), *again_path = scratch_path("b");
	struct memoir_snapshot *s = NULL, *again = NULL;
	struct memoir_error error = { 0 };
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
	int err = memoir_snapshot_load(path, &s, &error);

	unlink(path);
	REQUIRE(err == 0 ? !error.text[0] : error.text[0] && error.code == err && !s);
	if (err)
		return 0;
	require_sound(s);
	REQUIRE(memoir_snapshot_save(s, again_path, NULL) == 0);
	REQUIRE(memoir_snapshot_load(again_path, &again, NULL) == 0);
	unlink(again_path);
	REQUIRE(same_snapshot(s, again));
	memoir_snapshot_free(again);
	memoir_snapshot_free(s);
	return 0;
}

#ifndef MEMOIR_LIBFUZZER

#define FILE_BYTES_MAX (16u << 20)
#define DAMAGED_FILES 3000
#define CHANGED_FILES 1500

static uint8_t *read_whole(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	REQUIRE(fd >= 0 && fstat(fd, &st) == 0 && st.st_size < FILE_BYTES_MAX);
	uint8_t *bytes = malloc((size_t)st.st_size + 1);

	REQUIRE(bytes && read(fd, bytes, (size_t)st.st_size) == st.st_size);
	close(fd);
	*ret_size = (size_t)st.st_size;
	return bytes;
}

static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

/* Bytes, pointers of b-trees, whole pages put in another's place, and cuts. */
static size_t damage(uint8_t *bytes, size_t size, uint64_t *random)
{
	const size_t page = 4096, pages = size / page;
	uint32_t changes = 1 + next_random(random) % 8;

	for (uint32_t i = 0; i < changes; i++) {
		size_t at = next_random(random) % size;

		switch (next_random(random) % 6) {
		case 0:
			bytes[at] ^= (uint8_t)(1u << next_random(random) % 8);
			break;
		case 1:
			bytes[at] = next_random(random) % 2 ? 0xff : 0;
			break;
		case 2: /* a page's header and its first cell pointers */
			bytes[at - at % page + next_random(random) % 24] =
				(uint8_t)next_random(random);
			break;
		case 3:
			memmove(bytes + next_random(random) % pages * page,
				bytes + next_random(random) % pages * page, page);
			break;
		case 4: /* past the file's header, so that it is still taken for a snapshot */
			bytes[100 + next_random(random) % (size - 100)] =
				(uint8_t)next_random(random);
			break;
		default:
			bytes[at] = (uint8_t)(bytes[at] + 1);
			break;
		}
	}
	return next_random(random) % 16 ? size : next_random(random) % size;
}

static const char *one_of(const char *const *words, size_t count, uint64_t *random)
{
	return words[next_random(random) % count];
}

/* One of " a, b, c", without its blank. */
static void any_column(const char *columns, uint64_t *random, char *column, size_t room)
{
	uint32_t count = 1;

	for (const char *at = columns; *at; at++)
		count += *at == ',';
	for (uint32_t n = next_random(random) % count; n; n--)
		columns = strchr(columns, ',') + 1;
	snprintf(column, room, "%.*s", (int)strcspn(columns + 1, ","), columns + 1);
}

/* Give one column of one row another value: the database stays sound, what it says may not. */
static void change(sqlite3 *db, uint64_t *random)
{
	static const char *const tables[][2] = {
		{ "processes", " " STORE_PROCESS_COLUMNS },
		{ "peers", " " STORE_PEER_COLUMNS },
		{ "objects", " " STORE_OBJECT_COLUMNS },
		{ "regions", " " STORE_REGION_COLUMNS },
		{ "sets", " " STORE_SET_COLUMNS },
		{ "holders", " " STORE_HOLDER_COLUMNS },
		{ "objects", STORE_BUFFER_COLUMNS },
		{ "holders", STORE_ANNOUNCED_COLUMN },
		{ "in_flight", " " STORE_IN_FLIGHT_COLUMNS },
	};
	static const char *const values[] = { "0",          "1",       "2",    "3",       "4",
					      "5",          "-1",      "4096", "1 << 31", "1 << 32",
					      "4294967295", "1 << 62", "NULL", "'x'",     "'anon'",
					      "x'ff'",      "1.5",     "''" };
	uint32_t table = next_random(random) % (sizeof(tables) / sizeof(tables[0]));
	char column[40], sql[200];

	any_column(tables[table][1], random, column, sizeof(column));
	snprintf(sql, sizeof(sql), "UPDATE %s SET %s = %s WHERE id = %u", tables[table][0], column,
		 one_of(values, sizeof(values) / sizeof(values[0]), random),
		 next_random(random) % 7);
	/* NULL may be refused where it can't be. */
	(void)sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static void replay_changes(const uint8_t *sound, size_t size)
{
	const char *path = scratch_path("b");
	uint64_t random = 2;

	for (int i = 0; i < CHANGED_FILES; i++) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		size_t changed;
		sqlite3 *db;

		REQUIRE(fd >= 0 && write(fd, sound, size) == (ssize_t)size);
		close(fd);
		REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
		sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF", NULL, NULL,
			     NULL);
		for (uint32_t n = 1 + next_random(&random) % 2; n; n--)
			change(db, &random);
		REQUIRE(sqlite3_close(db) == SQLITE_OK);
		uint8_t *bytes = read_whole(path, &changed);

		LLVMFuzzerTestOneInput(bytes, changed);
		free(bytes);
	}
	unlink(path);
}

static void replay_damage(void)
{
	struct memoir_snapshot *sample = sample_snapshot();
	const char *path = scratch_path("a");
	uint64_t random = 1;
	size_t size;

	REQUIRE(sample && memoir_snapshot_save(sample, path, NULL) == 0);
	uint8_t *sound = read_whole(path, &size), *bytes = malloc(size);

	REQUIRE(bytes && size % 4096 == 0);
	LLVMFuzzerTestOneInput(sound, size);
	replay_changes(sound, size);
	for (int i = 0; i < DAMAGED_FILES; i++) {
		memcpy(bytes, sound, size);
		LLVMFuzzerTestOneInput(bytes, damage(bytes, size, &random));
	}
	free(bytes);
	free(sound);
	memoir_snapshot_free(sample);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t size;
		uint8_t *bytes = read_whole(argv[i], &size);

		LLVMFuzzerTestOneInput(bytes, size);
		free(bytes);
	}
	if (argc == 1)
		replay_damage();
	return 0;
}

#endif
