// SPDX-License-Identifier: MIT
/*
 * The reverse map of a build without BPF: it says so, and who goes by other means.
 */
#include "kernel/mappers.h"

#include "base/error.h"

#include <errno.h>

int mappers_open(const struct kroot *root, struct mappers **ret_mappers, struct memoir_error *error)
{
	(void)root;
	(void)ret_mappers;
	return error_set(error, -EOPNOTSUPP, "this memoir was built without BPF");
}

void mappers_close(struct mappers *mappers)
{
	(void)mappers;
}

int mappers_at(struct mappers *mappers, pid_t pid, uint64_t addr, enum mappers_question question,
	       mapper_fn each, void *arg, struct mappers_answer *ret_answer)
{
	(void)mappers;
	(void)pid;
	(void)addr;
	(void)question;
	(void)each;
	(void)arg;
	(void)ret_answer;
	return -EOPNOTSUPP;
}

int mappers_calibrate(struct mappers *mappers, const struct kroot *root)
{
	(void)mappers;
	(void)root;
	return -EOPNOTSUPP;
}

int mappers_of_frame(struct mappers *mappers, uint64_t frame, mapper_fn each, void *arg,
		     struct mappers_answer *ret_answer)
{
	(void)frame;
	return mappers_at(mappers, 0, 0, MAPPERS_FRAME, each, arg, ret_answer);
}
