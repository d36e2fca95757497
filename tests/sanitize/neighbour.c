// SPDX-License-Identifier: MIT
/*
 * A process with memory of known size for capture.c: built without sanitizers, whose own shadow
 * mappings of many TiB would be what is measured. It must not outlive the one that started it.
 *
 *     neighbour OWN-BYTES SHARED-BYTES     fd 3: a memfd to share; stdout: struct neighbour, raw
 */
#include "neighbour.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const int read_write = PROT_READ | PROT_WRITE;
	struct neighbour n = { 0 };
	size_t own_bytes, shared_bytes;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 3)
		return 2;
	own_bytes = strtoul(argv[1], NULL, 10);
	shared_bytes = strtoul(argv[2], NULL, 10);
	n.own = mmap(NULL, own_bytes, read_write, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	n.shared = mmap(NULL, shared_bytes, read_write, MAP_SHARED, 3, 0);
	if (n.own == MAP_FAILED || n.shared == MAP_FAILED)
		return 1;
	memset(n.own, 1, own_bytes);
	memset(n.shared, 2, shared_bytes);
	if (write(STDOUT_FILENO, &n, sizeof(n)) != sizeof(n))
		return 1;
	for (;;)
		pause();
}
