// SPDX-License-Identifier: MIT
/*
 * Names of kept tables, put on regions by another thread while the capture looks for what processes hold: it reads
 * regions, and writes their names and parts, which nobody else does meanwhile. Strings were made before.
 */
#include <errno.h>

#include "base/crew.h"
#include "base/grow.h"
#include "snapshot/naming.h"

/* Below this a thread costs more than it saves. */
#define MANY_JOBS 16u

/* The list of the last job, if its table has the same names. */
static struct name_list *list_for(struct naming *n, const struct kept_table *kept)
{
	struct name_list *lists;

	if (n->list_count && n->list == kept->list)
		return &n->lists[n->list_count - 1];
	lists = grow(n->lists, &n->list_room, n->list_count + 1, sizeof(*lists));
	if (!lists)
		return NULL;
	n->lists = lists;
	lists[n->list_count] = (struct name_list){ 0 };
	return &lists[n->list_count++];
}

int naming_later(struct capture *c, uint32_t process, const struct kept_table *kept)
{
	struct naming *n = c->naming;
	struct naming_job *jobs;
	struct name_list *list;

	if (!naming_claims(c, process, &kept->table))
		return 0;
	jobs = grow(n->jobs, &n->job_room, n->job_count + 1, sizeof(*jobs));
	list = list_for(n, kept);
	if (jobs)
		n->jobs = jobs;
	if (!jobs || !list)
		return -ENOMEM;
	if (!list->count && naming_intern(c, &kept->table, list) < 0)
		return -ENOMEM;
	n->list = kept->list;
	jobs[n->job_count++] = (struct naming_job){
		.process = process,
		.source = MEMOIR_NAME_TABLE,
		.ranges = kept->table.ranges,
		.count = kept->table.count,
		.names = list->names,
	};
	return 0;
}

static void *do_jobs(void *arg)
{
	struct capture *c = arg;
	struct naming *n = c->naming;

	for (size_t i = 0; i < n->job_count && !n->error; i++)
		n->error = naming_regions(c, &n->jobs[i]);
	n->job_count = 0;
	return NULL;
}

int naming_begin(struct capture *c)
{
	struct naming *n = c->naming;

	n->is_threaded = n->job_count >= MANY_JOBS && c->memoir->threads > 1 &&
			 crew_thread(&n->thread, do_jobs, c) == 0;
	if (!n->is_threaded)
		do_jobs(c);
	return n->is_threaded ? 0 : n->error;
}

int naming_end(struct capture *c)
{
	struct naming *n = c->naming;

	if (n->is_threaded)
		pthread_join(n->thread, NULL);
	n->is_threaded = false;
	return n->error;
}
