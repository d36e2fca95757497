// SPDX-License-Identifier: MIT
/*
 * Who maps a page by text: regions from /proc/PID/maps, pages from pagemap. For kernels without BPF; it
 * finds the same, at the cost of reading all processes.
 */
#include "snapshot/who_live.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/maps.h"
#include "kernel/pagemap.h"
#include "kernel/process.h"

/* A process as text: of the leader, or of a thread whose leader has exited. */
struct text_process {
	const struct kroot *root;
	pid_t pid, tid; /* tid 0: it has no memory */
	struct process_stat stat;
	struct kbuf maps;
};

static int read_maps(pid_t tid, void *arg)
{
	struct text_process *p = arg;

	if (!p->tid && process_text(p->root, p->pid, tid, PROCESS_MAPS, &p->maps) > 0)
		p->tid = tid;
	return 0;
}

/* 0, or -ESRCH: there is none, or it has no memory. */
static int read_process(struct text_process *p, pid_t pid)
{
	p->pid = pid;
	p->tid = 0;
	if (process_stat(p->root, pid, &p->stat) < 0 || p->stat.kernel_thread)
		return -ESRCH;
	read_maps(pid, p);
	if (!p->tid)
		process_each_thread(p->root, pid, read_maps, p);
	return p->tid ? 0 : -ESRCH;
}

/* The inode may be 0: that of the first System V segment is. */
static bool is_of_file(const struct maps_line *line)
{
	return line->inode || line->dev_major || line->dev_minor;
}

static void take_line(struct inquiry *q, struct candidate *c, const struct text_process *p,
		      const struct maps_line *line, uint64_t address)
{
	const char *perms = line->perms;

	*c = (struct candidate){
		.start = line->start,
		.end = line->end,
		.flags = (perms[0] == 'r' ? VM_READ : 0) | (perms[1] == 'w' ? VM_WRITE : 0) |
			 (perms[2] == 'x' ? VM_EXEC : 0) |
			 (perms[3] == 's' ? VM_MAYSHARE | VM_SHARED : 0),
		.first = line->offset_bytes / PAGE_BYTES,
		.address = address,
		.start_ticks = p->stat.start_ticks,
		.pid = p->pid,
		.tid = p->tid,
		.ppid = p->stat.ppid,
		.has_file = is_of_file(line),
		.comm = who_keep(q, p->stat.comm),
		.label = line->path[0] ? who_keep(q, line->path) : NULL,
		.name = who_keep(q, line->name),
	};
}

/* ---- the region asked about ----------------------------------------------------------------- */

static int find_line(struct text_process *p, uint64_t address, struct maps_line *ret_line)
{
	for (char *at = p->maps.data; maps_next(&at, ret_line) == 1;)
		if (address >= ret_line->start && address < ret_line->end &&
		    !maps_is_gate(ret_line))
			return 0;
	return -ENOENT;
}

int who_locate_text(struct inquiry *q)
{
	struct text_process p = { .root = q->memoir->root };
	struct maps_line line;
	int err = read_process(&p, q->pid);

	if (!err)
		err = find_line(&p, q->address, &line);
	if (!err)
		take_line(q, &q->asked, &p, &line, q->address);
	kbuf_free(&p.maps);
	return err ? err : q->error;
}

/* ---- searches ------------------------------------------------------------------------------- */

#define CHUNK_WORDS 8192
#define RUNS 256
/* Without PAGEMAP_SCAN such a reservation would be read word by word, for minutes. */
#define SPARSE_BYTES (1ull << 36)

struct search {
	struct inquiry *q;
	struct text_process process;
	int pagemap;
	bool scan_works;
	size_t passed_over;
	bool by_part; /* only a part of a file is searched for, not a page */
	struct maps_line part;
	uint64_t index;
	uint64_t words[CHUNK_WORDS];
};

/* Whether this process shares its address space with one that was searched already. */
static bool is_peer_of_another(const struct search *s, uint64_t address)
{
	for (size_t i = 0; i < s->q->count; i++) {
		const struct candidate *c = &s->q->list[i];

		if (c->address == address && c->pid != s->process.pid &&
		    process_same_memory(c->pid, s->process.pid))
			return true;
	}
	return false;
}

static void take_region(struct search *s, const struct maps_line *line, uint64_t address)
{
	struct candidate *c = is_peer_of_another(s, address) ? NULL : who_add_candidate(s->q);

	if (c)
		take_line(s->q, c, &s->process, line, address);
}

static int search_words(struct search *s, const struct maps_line *line, uint64_t from, uint64_t to)
{
	while (from < to) {
		uint64_t want = (to - from) / PAGE_BYTES;
		ssize_t got = pagemap_read(s->pagemap, from / PAGE_BYTES, s->words,
					   want < CHUNK_WORDS ? want : CHUNK_WORDS);

		if (got <= 0)
			return got < 0 ? (int)got : -ESRCH;
		for (ssize_t i = 0; i < got; i++)
			if (who_has_sought(s->q, s->words[i]))
				take_region(s, line, from + (uint64_t)i * PAGE_BYTES);
		from += (uint64_t)got * PAGE_BYTES;
	}
	return 0;
}

static int search_runs(struct search *s, const struct maps_line *line)
{
	struct pagemap_run runs[RUNS];
	uint64_t at = line->start;

	while (at < line->end) {
		uint64_t walked = at;
		ssize_t got = pagemap_scan(s->pagemap, at, line->end, false, runs, RUNS, &walked);

		if (got < 0 || walked <= at)
			return got < 0 ? (int)got : -ESRCH;
		for (ssize_t i = 0; i < got; i++) {
			int err = search_words(s, line, runs[i].start, runs[i].end);

			if (err)
				return err;
		}
		at = walked;
	}
	return 0;
}

static int search_region(struct search *s, const struct maps_line *line)
{
	if (s->scan_works)
		return search_runs(s, line);
	if (line->end - line->start >= SPARSE_BYTES) {
		s->passed_over++;
		return 0;
	}
	return search_words(s, line, line->start, line->end);
}

static void search_pages(struct search *s)
{
	struct maps_line line;
	int err = 0;

	s->pagemap = pagemap_open_thread(s->process.root, s->process.pid, s->process.tid);
	if (s->pagemap < 0)
		return;
	/* Should it end meanwhile, what it had is gone. */
	for (char *at = s->process.maps.data; !err && maps_next(&at, &line) == 1;)
		if (!maps_is_gate(&line))
			err = search_region(s, &line);
	close(s->pagemap);
}

static void search_part(struct search *s)
{
	struct maps_line line;
	uint64_t address;

	for (char *at = s->process.maps.data; maps_next(&at, &line) == 1;)
		if (line.inode == s->part.inode && line.dev_major == s->part.dev_major &&
		    line.dev_minor == s->part.dev_minor &&
		    who_address_of(line.start, line.end, line.offset_bytes / PAGE_BYTES, s->index,
				   &address))
			take_region(s, &line, address);
}

static int search_process(pid_t pid, void *arg)
{
	struct search *s = arg;

	if (read_process(&s->process, pid) < 0)
		return 0;
	if (s->by_part)
		search_part(s);
	else
		search_pages(s);
	return s->q->error;
}

static struct search *search_begin(struct inquiry *q)
{
	struct search *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	q->count = 0;
	q->incomplete = false;
	s->q = q;
	s->process.root = q->memoir->root;
	return s;
}

static int search_all(struct search *s)
{
	int err = process_each(s->process.root, search_process, s);

	if (!err && s->passed_over)
		err = who_note(s->q->answer, true,
			       "%zu mappings of 64 GiB and more were not searched; Linux 6.7 or "
			       "BPF would help",
			       s->passed_over);
	return err;
}

static void search_end(struct search *s)
{
	kbuf_free(&s->process.maps);
	free(s);
}

int who_gather_text(struct inquiry *q)
{
	struct search *s = search_begin(q);

	if (!s)
		return -ENOMEM;
	int err = read_process(&s->process, q->asked.pid);

	if (!err)
		err = find_line(&s->process, q->address, &s->part);
	if (!err && !is_of_file(&s->part))
		err = -ENOENT;
	if (!err) {
		s->by_part = true;
		s->index = (s->part.offset_bytes + q->address - s->part.start) / PAGE_BYTES;
		err = search_all(s);
	}
	search_end(s);
	return err;
}

int who_scan_text(struct inquiry *q)
{
	struct search *s = search_begin(q);

	if (!s)
		return -ENOMEM;
	s->scan_works = pagemap_scan_probe(q->memoir->root) == 0;
	int err = search_all(s);

	search_end(s);
	return err;
}
