// SPDX-License-Identifier: MIT
/*
 * Asks the program of bpf/who.bpf.c and hands out its records; draws no conclusions.
 */
#include "kernel/mappers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/direct_map.h"
#include "kernel/process.h"
#include "kernel/pte.h"

#include "who.lskel.h"

#define ANSWER_BYTES (MAPPERS_BYTES + MAPPERS_SLACK_BYTES)

struct mappers {
	struct who_bpf *skel;
	int all_link; /* visits every task; -1: not made yet */
	const char *answer;
	bool calibrated;
	uint64_t vmemmap;              /* 0: not known */
	uint64_t direct_map, max_phys; /* 0: not known */
};

static int map_answer(struct mappers *mappers)
{
	void *answer = mmap(NULL, ANSWER_BYTES, PROT_READ, MAP_SHARED,
			    mappers->skel->maps.answer.map_fd, 0);

	if (answer == MAP_FAILED)
		return -errno;
	mappers->answer = answer;
	return 0;
}

int mappers_open(const struct kroot *root, struct mappers **ret_mappers, struct memoir_error *error)
{
	struct mappers *mappers;
	int err;

	if (process_may_iterate(root, error) < 0)
		return -EOPNOTSUPP;
	mappers = calloc(1, sizeof(*mappers));
	if (!mappers)
		return error_set(error, -ENOMEM, "out of memory");
	mappers->all_link = -1;
	mappers->skel = who_bpf__open_and_load();
	err = mappers->skel ? map_answer(mappers) : -errno;
	if (err) {
		mappers_close(mappers);
		return error_set(error, err == -EPERM ? err : -EOPNOTSUPP,
				 "the kernel refused memoir's reverse map by BPF (%s); it needs "
				 "Linux 5.17, CAP_BPF and CAP_PERFMON",
				 strerror(-err));
	}
	*ret_mappers = mappers;
	return 0;
}

void mappers_close(struct mappers *mappers)
{
	if (!mappers)
		return;
	if (mappers->answer)
		munmap((void *)mappers->answer, ANSWER_BYTES);
	if (mappers->all_link >= 0)
		close(mappers->all_link);
	if (mappers->skel)
		who_bpf__destroy(mappers->skel);
	free(mappers);
}

/* ---- running -------------------------------------------------------------------------------- */

/* An iterator over the tasks of one process (Linux 6.1), or of all with pid 0. */
static int make_link(struct mappers *mappers, pid_t pid)
{
	union bpf_iter_link_info info = { .task.pid = (unsigned int)pid };
	union bpf_attr attr = {
		.link_create.prog_fd = (unsigned int)mappers->skel->progs.find_mappers.prog_fd,
		.link_create.attach_type = BPF_TRACE_ITER,
		.link_create.iter_info = pid ? (uint64_t)(uintptr_t)&info : 0,
		.link_create.iter_info_len = pid ? sizeof(info) : 0,
	};
	int link = skel_sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));

	return link < 0 ? -errno : link;
}

static int run(struct mappers *mappers, int link)
{
	union bpf_attr attr = { .iter_create.link_fd = (unsigned int)link };
	int iter = skel_sys_bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
	ssize_t got;
	char byte;

	if (iter < 0)
		return -errno;
	memset(&mappers->skel->bss->state, 0, sizeof(mappers->skel->bss->state));
	/* EAGAIN: very many tasks were passed over. */
	do {
		got = read(iter, &byte, sizeof(byte));
	} while (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)));
	int err = got < 0 ? -errno : 0;

	close(iter);
	return err;
}

static int run_over_all(struct mappers *mappers)
{
	if (mappers->all_link < 0)
		mappers->all_link = make_link(mappers, 0);
	return mappers->all_link < 0 ? mappers->all_link : run(mappers, mappers->all_link);
}

/* Over one process where that can be; 6.1's iterator stops at a leader that has exited. */
static int run_over(struct mappers *mappers, pid_t pid)
{
	int link = make_link(mappers, pid);
	int err = link < 0 ? link : run(mappers, link);

	if (link >= 0)
		close(link);
	if (err || !mappers->skel->bss->state.seen)
		err = run_over_all(mappers);
	return err;
}

#define BUSY_TRIES 100
#define BUSY_PAUSE_NS 100000

static int ask(struct mappers *mappers, const struct mappers_request *request)
{
	const struct mappers_state *state = &mappers->skel->bss->state;
	const struct timespec pause = { .tv_nsec = BUSY_PAUSE_NS };

	mappers->skel->bss->request = *request;
	mappers->skel->bss->request.direct_map = mappers->direct_map;
	mappers->skel->bss->request.max_phys = mappers->max_phys;
	mappers->skel->bss->request.levels = direct_map_levels(mappers->direct_map);
	for (int i = 0; i < BUSY_TRIES; i++) {
		int err = run_over(mappers, (pid_t)request->tgid);

		if (err)
			return err;
		if (!state->seen)
			return -ESRCH;
		if (state->found != -EBUSY)
			return state->found;
		nanosleep(&pause, NULL);
	}
	return -EBUSY;
}

/* The low bits of page->mapping, since 2.6.32. */
#define MAPPING_FLAGS 3u
#define MAPPING_KSM 3u

static void hand_out(const struct mappers *mappers, mapper_fn each, void *arg,
		     struct mappers_answer *ret_answer)
{
	const struct mappers_state *state = &mappers->skel->bss->state;

	for (uint64_t at = 0; at < state->used;) {
		const struct mapper_record *record = (const void *)(mappers->answer + at);

		each(record, record->bits & MAPPER_NAMED ? record->name : NULL, arg);
		at += record->bytes;
	}
	*ret_answer = (struct mappers_answer){
		.index = state->index,
		.torn = state->torn,
		.merged = (state->page_mapping & MAPPING_FLAGS) == MAPPING_KSM,
	};
}

int mappers_at(struct mappers *mappers, pid_t pid, uint64_t addr, enum mappers_question question,
	       mapper_fn each, void *arg, struct mappers_answer *ret_answer)
{
	struct mappers_request request = {
		.addr = addr,
		.tgid = (uint32_t)pid,
		.question = question,
	};
	int err = ask(mappers, &request);

	if (!err)
		hand_out(mappers, each, arg, ret_answer);
	return err;
}

int mappers_of_frame(struct mappers *mappers, uint64_t frame, mapper_fn each, void *arg,
		     struct mappers_answer *ret_answer)
{
	struct mappers_request request = {
		.frame = frame,
		.vmemmap = mappers->vmemmap,
		.tgid = (uint32_t)getpid(),
		.question = MAPPERS_FRAME,
	};
	int err = mappers->vmemmap ? ask(mappers, &request) : -EOPNOTSUPP;

	if (!err)
		hand_out(mappers, each, arg, ret_answer);
	return err;
}

/* ---- the array of struct page --------------------------------------------------------------- */

static void ignore(const struct mapper_record *record, const char *name, void *arg)
{
	(void)record;
	(void)name;
	(void)arg;
}

#ifdef __x86_64__
static int probe(struct mappers *mappers, const struct own_page *page)
{
	struct mappers_answer answer;

	return mappers_at(mappers, getpid(), page->addr, MAPPERS_PROBE, ignore, NULL, &answer);
}

/*
 * A file of one page has that page for its tree of pages: its struct page is seen by BPF and its frame by
 * pagemap, so it is known where struct page 0 would be. The kernel randomises that by whole GiB.
 */
static uint64_t find_vmemmap(const struct mappers *mappers, const struct own_page *page)
{
	const struct mappers_state *state = &mappers->skel->bss->state;
	uint64_t base;

	if (!state->page_struct_bytes || state->probe_page < page->frame * state->page_struct_bytes)
		return 0;
	base = state->probe_page - page->frame * state->page_struct_bytes;
	return base % (1ull << 30) == 0 ? base : 0;
}

/* Where the objects around our page lie tells the direct map; that our page's entry is found by it proves it. */
static void find_direct_map(struct mappers *mappers, const struct kroot *root,
			    const struct own_page *page)
{
	const struct mappers_state *state = &mappers->skel->bss->state;
	struct witnesses witnesses = { .count = 0 };
	struct kpage kpage;

	if (kpage_open(root, &kpage) < 0)
		return;
	for (size_t i = 0; i < MAPPERS_WITNESSES; i++)
		witnesses_add(&witnesses, state->witnesses[i]);
	mappers->max_phys = kpage_end(&kpage) << 12;
	mappers->direct_map = direct_map_find(&kpage, mappers->max_phys, &witnesses);
	kpage_close(&kpage);
	if (!mappers->direct_map)
		return;
	if (probe(mappers, page) < 0 || !pte_present(state->probe_entry) ||
	    pte_frame(state->probe_entry) != page->frame)
		mappers->direct_map = 0;
}

static void calibrate(struct mappers *mappers, const struct kroot *root)
{
	struct own_page page;

	if (own_page_make(root, &page) == 0 && probe(mappers, &page) == 0) {
		mappers->vmemmap = find_vmemmap(mappers, &page);
		find_direct_map(mappers, root, &page);
	}
	own_page_end(&page);
}
#else
static void calibrate(struct mappers *mappers, const struct kroot *root)
{
	(void)mappers, (void)root;
}
#endif

int mappers_calibrate(struct mappers *mappers, const struct kroot *root)
{
	if (!mappers->calibrated)
		calibrate(mappers, root);
	mappers->calibrated = true;
	return mappers->vmemmap ? 0 : -EOPNOTSUPP;
}
