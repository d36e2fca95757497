// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer_scene.h"

void begin(struct scene *s, const char *selector)
{
	memset(s, 0, sizeof(*s));
	if (selector)
		assert_int_equal(memoir_selection_parse(&selector, 1, &s->selection, NULL), 0);
	assert_int_equal(memoir_buffer_watch_new(s->selection, &s->watch), 0);
}

void end(struct scene *s)
{
	memoir_buffer_watch_free(s->watch);
	memoir_selection_free(s->selection);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static uint32_t process_of(struct memoir_snapshot *s, pid_t pid, uint64_t start_ticks,
			   const char *comm)
{
	for (uint32_t i = 0; i < s->process_count; i++)
		if (s->processes[i].pid == pid && s->processes[i].start_ticks == start_ticks)
			return i;
	*snapshot_add_process(s) = (struct memoir_process){
		.pid = pid,
		.start_ticks = start_ticks,
		.comm = snapshot_string(s, comm ? comm : "test"),
		.in_scope = true,
		.readable = true,
	};
	return (uint32_t)s->process_count - 1;
}

void add_thing(struct memoir_snapshot *s, const struct thing *thing)
{
	uint32_t object = (uint32_t)s->object_count;

	*snapshot_add_object(s) = (struct memoir_object){
		.kind = thing->kind ? thing->kind : MEMOIR_KIND_MEMFD,
		.dev_minor = 1,
		.inode = thing->inode,
		.alias = thing->alias,
		.tag = snapshot_string(s, thing->tag),
		.size_bytes = 2 * thing->bytes,
		.resident_bytes = thing->bytes,
		.resident_known = !thing->unknown,
		.fate = thing->fate == UNKNOWN ? MEMOIR_FATE_UNKNOWN
			: thing->fate          ? thing->fate
					       : MEMOIR_FATE_FREED,
	};
	for (size_t i = 0; i < 3 && thing->held[i].pid; i++) {
		uint32_t process = process_of(s, thing->held[i].pid, thing->held[i].start_ticks,
					      thing->held[i].comm);

		if (thing->held[i].fd == MAPPED)
			*snapshot_add_region(s) = (struct memoir_region){
				.start = 4096 * s->region_count,
				.end = 4096 * (s->region_count + 1),
				.process = process,
				.object = object,
				.family = MEMOIR_NONE,
			};
		else
			*snapshot_add_holder(s) =
				(struct memoir_holder){ object, process, thing->held[i].fd };
	}
}

static void tell(const struct memoir_buffer_change *change, void *arg)
{
	struct scene *s = arg;
	const char *inode = strrchr(change->id, ':');
	size_t len = strlen(s->text), room = sizeof(s->text) - len;

	s->events++;
	assert_int_equal(change->time_ns, s->now);
	assert_non_null(inode);
	if (room < 512)
		return;
	len += (size_t)snprintf(s->text + len, room, "%s %s",
				memoir_buffer_event_name(change->event), inode + 1);
	if (change->event == MEMOIR_BUFFER_RENAMED)
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %s ->",
					change->old_tag ? change->old_tag : "-");
	if (change->event != MEMOIR_BUFFER_HELD && change->event != MEMOIR_BUFFER_LEFT)
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %s",
					change->tag ? change->tag : "-");
	else
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %d %s %u+%u",
					(int)change->pid, change->comm, change->fds,
					change->ranges);
	if (change->why)
		len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, " %s", change->why);
	snprintf(s->text + len, sizeof(s->text) - len, "\n");
}

void look_at(struct scene *s, struct memoir_snapshot *snapshot)
{
	snapshot->taken_ns = ++s->now;
	snapshot->holders_known = snapshot->buffers_known = true;
	s->text[0] = '\0';
	s->events = 0;
	assert_int_equal(memoir_buffer_watch_look(s->watch, snapshot, tell, s), 0);
	memoir_snapshot_free(snapshot);
}

void look_in_flight(struct scene *s, const struct thing *things, size_t count, size_t in_flight)
{
	struct memoir_snapshot *snapshot = snapshot_new();

	assert_non_null(snapshot);
	for (size_t i = 0; i < count; i++)
		add_thing(snapshot, &things[i]);
	if (in_flight)
		*snapshot_add_in_flight(snapshot) = (struct memoir_in_flight){
			.socket = 5,
			.process = process_of(snapshot, 1, 1, NULL),
			.files = (uint32_t)in_flight,
		};
	look_at(s, snapshot);
}

void look(struct scene *s, const struct thing *things, size_t count)
{
	look_in_flight(s, things, count, 0);
}

void look_twice(struct scene *s, const struct thing *things, size_t count)
{
	look(s, things, count);
	assert_string_equal(s->text, "");
	assert_true(memoir_buffer_watch_unsure(s->watch));
	look(s, things, count);
	assert_false(memoir_buffer_watch_unsure(s->watch));
}
