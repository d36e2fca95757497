#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static inline void stamp(const char *w)
{
	struct timespec t, c;
	if (!getenv("STAMP"))
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c);
	fprintf(stderr, "STAMP %s %ld %ld\n", w, t.tv_sec * 1000000000L + t.tv_nsec,
		c.tv_sec * 1000000000L + c.tv_nsec);
}
