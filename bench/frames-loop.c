/*
 * The baseline for the ledger: reads /proc/kpageflags and then /proc/kpagecount from end to end, as
 * fast as one plain loop can; it must not look at what it reads.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "timing.h"

#define BUFFER_BYTES (256 * 1024)

/* Returns the bytes read, or -1. */
static long long read_whole(const char *path, char *buffer)
{
	long long total_bytes = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	while (fd >= 0 && (got = read(fd, buffer, BUFFER_BYTES)) > 0)
		total_bytes += got;
	if (fd >= 0)
		close(fd);
	if (got < 0)
		perror(path);
	return got < 0 ? -1 : total_bytes;
}

int main(void)
{
	char *buffer = aligned_alloc(4096, BUFFER_BYTES);
	uint64_t start_ns;
	long long flags_bytes, count_bytes;

	if (!buffer)
		return 1;
	/* Neither side is to wait for its buffer's pages. */
	memset(buffer, 1, BUFFER_BYTES);
	start_ns = now_ns();
	flags_bytes = read_whole("/proc/kpageflags", buffer);
	count_bytes = read_whole("/proc/kpagecount", buffer);
	fprintf(stderr, "loop_ns %" PRIu64 " frames %lld\n", now_ns() - start_ns, flags_bytes / 8);
	free(buffer);
	return flags_bytes <= 0 || count_bytes < 0;
}
