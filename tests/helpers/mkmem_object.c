/*
 * Scenarios of System V segments, hugetlb pages and rings of the kernel: memory that smaps counts
 * in a way of its own, or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "mkmem.h"

#define NR_HUGEPAGES "/proc/sys/vm/nr_hugepages"
#define HUGETLB_PAGES 8
#define SEGMENT_PAGES 64

static void make_sysv(void)
{
	int id = shmget(IPC_PRIVATE, SEGMENT_PAGES * PAGE_BYTES, IPC_CREAT | 0600);
	uint8_t *start = place(SEGMENT_PAGES);
	struct truth truth = truth_of("parent", start, SEGMENT_PAGES);

	if (id < 0)
		skip("no System V shared memory (%s)", strerror(errno));
	start = shmat(id, start, SHM_REMAP);
	/* Gone with its last mapping from here on. */
	shmctl(id, IPC_RMID, NULL);
	if (start != truth.start)
		broken("shmat");
	write_pages(start, 0, 32);
	if (fork_child()) {
		write_pages(start, 16, 48);
		truth.role = "child";
	}
	add_shmem(&truth, 16, 1);
	add_shmem(&truth, 16, 2);
	say(&truth);
}

static long hugepages_before = -1;

static void restore_hugepages(void)
{
	char value[32];

	snprintf(value, sizeof(value), "%ld", hugepages_before);
	if (hugepages_before >= 0)
		write_setting(NR_HUGEPAGES, value);
}

static void prepare_hugepages(void)
{
	char value[32];

	/* Held until mkmem exits: two at once would restore each other's settings. */
	flock(open("/tmp/mkmem-hugetlb.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600), LOCK_EX);
	hugepages_before = read_setting(NR_HUGEPAGES);
	snprintf(value, sizeof(value), "%ld", hugepages_before + HUGETLB_PAGES);
	if (hugepages_before >= 0)
		write_setting(NR_HUGEPAGES, value);
}

/* Neither in Rss nor in Pss: smaps has lines of its own for it. */
static void say_hugetlb(const char *role, uint8_t *start, uint64_t huge_pages, uint64_t touched)
{
	struct truth truth = truth_of(role, start, huge_pages * HUGE_PAGES);

	snprintf(truth.extra, sizeof(truth.extra), ",\"hugetlb_bytes\":%lu", touched * HUGE_BYTES);
	say(&truth);
}

static uint8_t *map_hugetlb(int flags)
{
	uint8_t *start = mmap(NULL, 2 * HUGE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_HUGETLB | flags, -1, 0);

	if (start == MAP_FAILED)
		skip("no hugetlb pages (%s)", strerror(errno));
	return start;
}

static void make_hugetlb(void)
{
	uint8_t *private, *shared;

	if (read_setting(NR_HUGEPAGES) < hugepages_before + HUGETLB_PAGES)
		skip("the kernel gave no hugetlb pages");
	private = map_hugetlb(MAP_PRIVATE);
	shared = map_hugetlb(MAP_SHARED);
	memset(private, 1, 2 * HUGE_BYTES);
	memset(shared, 1, HUGE_BYTES);
	if (fork_child()) {
		memset(private, 2, HUGE_BYTES);
		shared[0] = 3;
		say_hugetlb("child, private", private, 2, 2);
		say_hugetlb("child, shared", shared, 2, 1);
		stay();
	}
	say_hugetlb("parent, private", private, 2, 2);
	say_hugetlb("parent, shared", shared, 2, 1);
}

static void say_there(const char *role, uint8_t *start, uint64_t pages)
{
	struct truth truth = truth_of(role, start, pages);

	truth.unknown = true;
	say(&truth);
}

static void make_io_uring(void)
{
	static const off_t offsets[] = { 0, 0x10000000 }; /* the ring, the entries */
	static uint32_t parameters[30];                   /* struct io_uring_params */
	int fd = (int)syscall(SYS_io_uring_setup, 64, parameters);
	uint8_t *start;

	if (fd < 0)
		skip("io_uring is refused (%s)", strerror(errno));
	for (int i = 0; i < 2; i++) {
		/* It takes no address. */
		start = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			     fd, offsets[i]);
		if (start == MAP_FAILED)
			broken("mmap of an io_uring");
		read_pages(start, 0, 1);
		say_there(i ? "entries" : "ring", start, 1);
	}
}

static void make_perf_ring(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attributes),
		.disabled = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	uint8_t *start;

	if (fd < 0)
		skip("perf events are refused (%s)", strerror(errno));
	start = map_fd(fd, 0, 9, PROT_READ | PROT_WRITE, MAP_SHARED);
	read_pages(start, 0, 9);
	say_there("ring", start, 9);
}

const struct scenario object_scenarios[] = {
	{ "sysv", "a System V segment in two processes", 2, make_sysv, NULL, NULL },
	{ "hugetlb", "hugetlb pages, private and shared", 2, make_hugetlb, prepare_hugepages,
	  restore_hugepages },
	{ "io-uring", "the rings of an io_uring", 1, make_io_uring, NULL, NULL },
	{ "perf-ring", "the buffer of a perf event", 1, make_perf_ring, NULL, NULL },
	{ 0 },
};
