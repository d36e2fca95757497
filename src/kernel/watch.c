// SPDX-License-Identifier: MIT
/*
 * Loads bpf/watch.h and empties its ring; draws no conclusions.
 */
#include "kernel/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "kernel/capabilities.h"
#include "kernel/process.h"

#include "watch_calls.lskel.h"
#include "watch_functions.lskel.h"

/* As in linux/bpf.h and kernel/bpf/ringbuf.c: an ABI. */
#define RECORD_HEAD_BYTES 8u
#define RECORD_BUSY (1u << 31)
#define RECORD_DISCARDED (1u << 30)

struct watch {
	struct watch_functions_bpf *functions; /* one of the two */
	struct watch_calls_bpf *calls;
	int ring_fd, refused_fd;
	const struct watch_lost *lost;
	uint64_t *consumed; /* how far the ring was read, and written */
	const uint64_t *produced;
	const char *data; /* twice in a row, so that no record is cut in two */
	size_t page_bytes;
};

/* ---- opening -------------------------------------------------------------------------------- */

static int open_functions(struct watch *watch)
{
	int err;

	watch->functions = watch_functions_bpf__open_and_load();
	err = watch->functions ? watch_functions_bpf__attach(watch->functions) : -errno;
	if (err < 0) {
		if (watch->functions)
			watch_functions_bpf__destroy(watch->functions);
		watch->functions = NULL;
		return err;
	}
	watch->ring_fd = watch->functions->maps.ring.map_fd;
	watch->refused_fd = watch->functions->maps.refused.map_fd;
	watch->lost = &watch->functions->bss->lost;
	return 0;
}

static int open_calls(struct watch *watch)
{
	int err;

	watch->calls = watch_calls_bpf__open_and_load();
	err = watch->calls ? watch_calls_bpf__attach(watch->calls) : -errno;
	if (err < 0)
		return err;
	watch->ring_fd = watch->calls->maps.ring.map_fd;
	watch->refused_fd = watch->calls->maps.refused.map_fd;
	watch->lost = &watch->calls->bss->lost;
	return 0;
}

/* The consumer's page, the producer's page, and the data twice. */
static int map_ring(struct watch *watch)
{
	char *at;

	watch->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	at = mmap(NULL, watch->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, watch->ring_fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	watch->consumed = (void *)at;
	at = mmap(NULL, watch->page_bytes + 2 * (size_t)WATCH_RING_BYTES, PROT_READ, MAP_SHARED,
		  watch->ring_fd, (off_t)watch->page_bytes);
	if (at == MAP_FAILED)
		return -errno;
	watch->produced = (const void *)at;
	watch->data = at + watch->page_bytes;
	return 0;
}

static int refused(const struct kroot *root, int err, struct memoir_error *error)
{
	const char *missing = capabilities_missing_for_bpf(root);

	if (*missing)
		return error_set(error, -EPERM, "watching programs needs %s: run memoir as root",
				 missing);
	return error_set(error, err == -EPERM || err == -ENOMEM ? err : -EOPNOTSUPP,
			 "the kernel refused memoir's programs that watch (%s); they need Linux "
			 "5.17 with BPF and BTF",
			 strerror(-err));
}

int watch_open(const struct kroot *root, struct watch **ret_watch, struct memoir_error *error)
{
	struct watch *watch;
	int err;

	if (!kroot_is_live(root))
		return error_set(error, -EOPNOTSUPP, "only the running kernel can be watched");
	if (!process_pids_are_initial(root))
		return error_set(error, -EOPNOTSUPP, "watching needs the initial pid namespace");
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return error_set(error, -ENOMEM, "out of memory");
	err = open_functions(watch);
	if (err)
		err = open_calls(watch);
	if (!err)
		err = map_ring(watch);
	if (err) {
		watch_close(watch);
		return refused(root, err, error);
	}
	*ret_watch = watch;
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->data)
		munmap((void *)watch->produced, watch->page_bytes + 2 * (size_t)WATCH_RING_BYTES);
	if (watch->consumed)
		munmap(watch->consumed, watch->page_bytes);
	if (watch->functions)
		watch_functions_bpf__destroy(watch->functions);
	if (watch->calls)
		watch_calls_bpf__destroy(watch->calls);
	free(watch);
}

bool watch_is_light(const struct watch *watch)
{
	return watch->functions;
}

int watch_fd(const struct watch *watch)
{
	return watch->ring_fd;
}

/* ---- the ring ------------------------------------------------------------------------------- */

static void hand_out(const char *data, size_t bytes, watch_fn each, void *arg)
{
	const struct watch_record *record = (const void *)data;
	const char *name = "";

	if (bytes < sizeof(*record))
		return;
	if (bytes >= sizeof(struct watch_name) && record->name_addr && record->name_bytes > 0)
		name = ((const struct watch_name *)record)->name;
	each(record, name, arg);
}

size_t watch_read(struct watch *watch, size_t most, watch_fn each, void *arg)
{
	uint64_t at = *watch->consumed;
	uint64_t end = __atomic_load_n(watch->produced, __ATOMIC_ACQUIRE);
	size_t count = 0;

	while (at < end && count < most) {
		const char *record = watch->data + at % WATCH_RING_BYTES;
		uint32_t head =
			__atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);
		uint32_t bytes = head & ~(RECORD_BUSY | RECORD_DISCARDED);

		if (head & RECORD_BUSY)
			break;
		if (!(head & RECORD_DISCARDED)) {
			hand_out(record + RECORD_HEAD_BYTES, bytes, each, arg);
			count++;
		}
		at += (bytes + RECORD_HEAD_BYTES + 7u) / 8 * 8;
		__atomic_store_n(watch->consumed, at, __ATOMIC_RELEASE);
	}
	return count;
}

uint64_t watch_life(const struct watch *watch, u32 tgid)
{
	uint64_t life = 0;
	union bpf_attr attr = {
		.map_fd = (u32)watch->refused_fd,
		.key = (uintptr_t)&tgid,
		.value = (uintptr_t)&life,
	};

	return skel_sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) < 0 ? 0 : life;
}

struct watch_lost watch_lost(const struct watch *watch)
{
	return (struct watch_lost){
		.names = __atomic_load_n(&watch->lost->names, __ATOMIC_RELAXED),
		.changes = __atomic_load_n(&watch->lost->changes, __ATOMIC_RELAXED),
		.processes = __atomic_load_n(&watch->lost->processes, __ATOMIC_RELAXED),
	};
}
