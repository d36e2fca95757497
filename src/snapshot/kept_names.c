// SPDX-License-Identifier: MIT
/*
 * A table a process, found by pid; what else there is to know who it is, is compared.
 */
#include "snapshot/kept_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"
#include "base/u64map.h"

/* More would be tables that differ in each of thousands of processes. */
#define KEPT_BYTES_MAX (16u << 20)

struct kept_names {
	struct kept_table *tables;
	size_t count, room;
	struct u64map by_pid;
	size_t bytes;
	uint64_t capture;
	uint32_t epoch, lists;
	bool missed;
	size_t last; /* that was kept last, if it is among them */
};

struct kept_names *kept_names_new(void)
{
	struct kept_names *kept = calloc(1, sizeof(*kept));

	if (kept)
		kept->epoch = 1;
	return kept;
}

void kept_names_free(struct kept_names *kept)
{
	if (!kept)
		return;
	for (size_t i = 0; i < kept->count; i++)
		names_table_free(&kept->tables[i].table);
	free(kept->tables);
	u64map_free(&kept->by_pid);
	free(kept);
}

uint32_t kept_names_begin(struct kept_names *kept)
{
	kept->capture++;
	/* 0 is no epoch. */
	if (kept->missed && ++kept->epoch == 0)
		kept->epoch = 1;
	kept->missed = false;
	return kept->epoch;
}

static size_t bytes_of(const struct names_table *table)
{
	return sizeof(struct kept_table) + table->count * sizeof(*table->ranges) +
	       table->name_count * sizeof(*table->names) + table->text_bytes;
}

static void drop(struct kept_names *kept, struct kept_table *of)
{
	kept->bytes -= bytes_of(&of->table);
	names_table_free(&of->table);
}

void kept_names_end(struct kept_names *kept, bool all)
{
	size_t left = 0;

	for (size_t i = 0; all && i < kept->count; i++) {
		if (kept->tables[i].seen == kept->capture)
			kept->tables[left++] = kept->tables[i];
		else
			drop(kept, &kept->tables[i]);
	}
	if (!all || left == kept->count)
		return;
	kept->count = left;
	kept->last = SIZE_MAX;
	u64map_free(&kept->by_pid);
	for (uint32_t i = 0; i < left; i++)
		if (u64map_set(&kept->by_pid, (uint64_t)kept->tables[i].key.pid, i) < 0)
			kept->missed = true;
}

static struct kept_table *table_of(struct kept_names *kept, pid_t pid)
{
	uint32_t i = u64map_get(&kept->by_pid, (uint64_t)pid);

	return i == U64MAP_NONE ? NULL : &kept->tables[i];
}

const struct kept_table *kept_names_find(struct kept_names *kept, const struct kept_key *key)
{
	struct kept_table *of = table_of(kept, key->pid);

	if (!of || memcmp(&of->key, key, sizeof(*key)) != 0) {
		kept->missed = true;
		return NULL;
	}
	of->seen = kept->capture;
	return of;
}

static struct kept_table *add(struct kept_names *kept, pid_t pid)
{
	struct kept_table *tables =
		grow(kept->tables, &kept->room, kept->count + 1, sizeof(*tables));

	if (!tables)
		return NULL;
	kept->tables = tables;
	if (u64map_set(&kept->by_pid, (uint64_t)pid, (uint32_t)kept->count) < 0)
		return NULL;
	tables[kept->count] = (struct kept_table){ 0 };
	kept->bytes += bytes_of(&tables[kept->count].table);
	return &tables[kept->count++];
}

/* Names are a list again if they are those of the table before. */
static uint32_t list_of(struct kept_names *kept, const struct names_table *table)
{
	const struct kept_table *last = kept->last < kept->count ? &kept->tables[kept->last] : NULL;

	if (last && last->table.text && last->table.name_count == table->name_count &&
	    last->table.text_bytes == table->text_bytes &&
	    memcmp(last->table.text, table->text, table->text_bytes) == 0)
		return last->list;
	return ++kept->lists;
}

void kept_names_keep(struct kept_names *kept, const struct kept_key *key,
		     const struct names_table *table, uint64_t space, uint64_t bytes)
{
	struct kept_table *of = table_of(kept, key->pid);
	struct names_table copy = { 0 };

	if (!of)
		of = add(kept, key->pid);
	if (!of)
		return;
	drop(kept, of);
	if (table && (kept->bytes > KEPT_BYTES_MAX || names_table_copy(table, &copy) < 0))
		/* Found by no key. */
		*of = (struct kept_table){ 0 };
	else
		*of = (struct kept_table){
			.key = *key,
			.table = copy,
			.space = space,
			.bytes = bytes,
			.elsewhere = !table,
			.list = table ? list_of(kept, &copy) : 0,
			.seen = kept->capture,
		};
	kept->last = (size_t)(of - kept->tables);
	kept->bytes += bytes_of(&of->table);
}
