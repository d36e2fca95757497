/*
 * lsheld [ENGINE [PID]]: the objects of a snapshot and who holds them, in lines of JSON; of the whole
 * machine, or captured for one process. ENGINE tables-text: page tables, but open files by text. It
 * must not judge.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memoir/snapshot.h>

#include "snapshot/capture.h"

static enum memoir_engine engine_of(const char *name)
{
	for (int i = MEMOIR_ENGINE_AUTO; memoir_engine_name(i); i++)
		if (!strcmp(memoir_engine_name(i), name))
			return i;
	fprintf(stderr, "lsheld: there is no engine %s\n", name);
	exit(2);
}

static bool is_wanted(const struct memoir_process *process, void *arg)
{
	return process->pid == *(pid_t *)arg;
}

static void print_bytes(const char *name, bool known, uint64_t bytes)
{
	printf(known ? ",\"%s\":%lu" : ",\"%s\":null", name, (unsigned long)bytes);
}

static void print_process(const struct memoir_process *process)
{
	printf("{\"process\":%d,\"in_scope\":%s,\"regions\":%u,\"threads\":%u,\"peers\":[",
	       process->pid, process->in_scope ? "true" : "false", process->region_count,
	       process->threads);
	for (uint32_t i = 0; i < process->peer_count; i++)
		printf("%s%d", i ? "," : "", process->peers[i]);
	puts("]}");
}

static void print_object(const struct memoir_snapshot *s, uint32_t index)
{
	const struct memoir_object *o = memoir_snapshot_object(s, index);
	const char *fate = memoir_fate_name(o->fate), *comma = "";

	printf("{\"kind\":\"%s\",\"fate\":\"%s\",\"dev\":[%u,%u],\"inode\":%lu,\"alias\":%u",
	       memoir_kind_name(o->kind), fate ? fate : "", o->dev_major, o->dev_minor,
	       (unsigned long)o->inode, o->alias);
	print_bytes("size_bytes", o->size_bytes, o->size_bytes);
	print_bytes("resident_bytes", o->resident_known, o->resident_bytes);
	print_bytes("swapped_bytes", o->resident_known, o->swapped_bytes);
	printf(",\"own\":%s,\"holders\":[",
	       o->path && strstr(o->path, "memfd:lsheld") ? "true" : "false");
	for (size_t i = 0; i < memoir_snapshot_holder_count(s); i++) {
		const struct memoir_holder *h = memoir_snapshot_holder(s, i);

		if (h->object != index)
			continue;
		printf("%s[%d,%d]", comma, memoir_snapshot_process(s, h->process)->pid, h->fd);
		comma = ",";
	}
	puts("]}");
}

static void print(const struct memoir_snapshot *s)
{
	for (size_t i = 0; i < memoir_snapshot_process_count(s); i++)
		print_process(memoir_snapshot_process(s, i));
	for (size_t i = 0; i < memoir_snapshot_object_count(s); i++)
		if (!memoir_snapshot_object(s, i)->is_family)
			print_object(s, (uint32_t)i);
	printf("{\"known\":%s,\"engine\":\"%s\"}\n",
	       memoir_snapshot_holders_known(s) ? "true" : "false",
	       memoir_engine_name(memoir_snapshot_engine(s)));
}

int main(int argc, char **argv)
{
	bool by_text = argc > 1 && !strcmp(argv[1], "tables-text");
	pid_t pid = argc > 2 ? (pid_t)strtol(argv[2], NULL, 10) : 0;
	struct memoir_options options = {
		.sz = sizeof(options),
		.engine = by_text ? MEMOIR_ENGINE_TABLES : engine_of(argc > 1 ? argv[1] : "auto"),
	};
	struct memoir_capture_options capture = {
		.sz = sizeof(capture),
		.wants = pid ? is_wanted : NULL,
		.wants_arg = &pid,
	};
	struct memoir_error error = { 0 };
	struct memoir_snapshot *snapshot;
	struct memoir *memoir;

	/* Its own fds are to be left out. */
	if (memfd_create("lsheld", 0) < 0)
		return 1;
	if (memoir_open(&options, &memoir, &error) == 0) {
		memoir->files_by_text = by_text;
		if (memoir_capture(memoir, &capture, &snapshot, &error) == 0) {
			print(snapshot);
			memoir_snapshot_free(snapshot);
		}
		memoir_close(memoir);
	}
	if (error.code)
		fprintf(stderr, "lsheld: %s\n", error.text);
	return error.code == -EOPNOTSUPP || error.code == -EPERM ? 77 : error.code != 0;
}
