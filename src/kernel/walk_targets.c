// SPDX-License-Identifier: MIT
/*
 * Whom the walk without locks visits: its program iterates over nothing, but is called for one task after the other, of
 * those that were listed last. Two walkers take turns at that list.
 */
#include <errno.h>

#include "base/grow.h"
#include "kernel/walk_skeleton.h"

/* From here on not for the second walker, who has other work between two. */
#define LARGE_TABLES_BYTES (1u << 20)

int walk_targets_add(struct walk_targets *targets, const struct walk_task *task)
{
	struct walk_target *list =
		grow(targets->list, &targets->room, targets->count + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	targets->list = list;
	list[targets->count++] = (struct walk_target){
		.task = task->task,
		.mm = task->mm,
		.born_ns = task->born_ns,
		.tgid = task->tgid,
		.tid = task->tid,
		.large = task->page_table_bytes > LARGE_TABLES_BYTES,
	};
	return 0;
}

static bool is_wanted(const struct target_walk *tw, const struct walk_target *target)
{
	if (tw->only && target->tgid != (uint32_t)tw->only)
		return false;
	return tw->walk->config->scope != WALK_LISTED_MMS || walk_is_listed(tw->walk, target->mm);
}

/* The next that nobody has taken. */
static enum walk_fill take(struct target_walk *tw, unsigned int walker,
			   struct walk_target **ret_target)
{
	struct walk_targets *targets = &tw->walk->targets;
	size_t i = __atomic_load_n(&tw->next, __ATOMIC_RELAXED);

	do {
		if (i >= targets->count)
			return WALK_FILL_END;
		if (walker && targets->list[i].large)
			return WALK_FILL_NOT_NOW;
	} while (!__atomic_compare_exchange_n(&tw->next, &i, i + 1, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	*ret_target = &targets->list[i];
	return WALK_FILL_GOES_ON;
}

/* What the program returned, or a negative errno. */
static int call(int program, const uint64_t args[WALK_ARGS])
{
	union bpf_attr attr = {
		.test.prog_fd = (uint32_t)program,
		.test.ctx_in = (uint64_t)(uintptr_t)args,
		.test.ctx_size_in = WALK_ARGS * sizeof(*args),
	};

	return skel_sys_bpf(BPF_PROG_RUN, &attr, sizeof(attr)) < 0 ? -errno : (int)attr.test.retval;
}

bool walk_may_call(int program)
{
	const uint64_t nobody[WALK_ARGS] = { [WALK_IDS] = 1 };

	return call(program, nobody) == WALK_GONE;
}

static int run(struct target_walk *tw, unsigned int walker)
{
	struct walk_target *target = tw->current[walker];
	int result = call(tw->walk->program,
			  (uint64_t[WALK_ARGS]){
				  [WALK_WALKER] = walker,
				  [WALK_TASK_AT] = target->task,
				  [WALK_IDS] = (uint64_t)target->tgid << 32 | target->tid,
				  [WALK_BORN] = target->born_ns,
			  });

	target->gone = result == WALK_GONE;
	return result < 0 ? result : 0;
}

/* So that an arena ends where a process does, and what comes next may be the other walker's. */
static bool has_enough(const struct walk_state *state, unsigned int walker)
{
	return state->used > (walker ? 0 : WALK_ARENA_BYTES / 2);
}

static int fill(struct walk_source *source, unsigned int walker, enum walk_fill *ret_fill)
{
	struct target_walk *tw = (struct target_walk *)source;
	struct walk_state *state = source->states[walker];
	int err = 0;

	*ret_fill = WALK_FILL_GOES_ON;
	while (!err && !state->full && (state->begun || !has_enough(state, walker))) {
		if (!state->begun)
			*ret_fill = take(tw, walker, &tw->current[walker]);
		if (*ret_fill != WALK_FILL_GOES_ON)
			break;
		if (state->begun || is_wanted(tw, tw->current[walker]))
			err = run(tw, walker);
	}
	return err;
}

#define MANY_TARGETS 16u

void walk_targets_source(struct walk *walk, pid_t only, struct target_walk *ret_tw)
{
	*ret_tw = (struct target_walk){
		.source = {
			.fill = fill,
			.states = { &walk->walkers[0].state, &walk->walkers[1].state },
			.bytes = walk->arena,
			.stride = WALK_ARENA_STRIDE,
			.many = !only && walk->config->scope == WALK_ALL &&
				walk->targets.count >= MANY_TARGETS,
		},
		.walk = walk,
		.only = only,
	};
}

struct walk_targets walk_targets_take_gone(struct walk *walk)
{
	struct walk_targets gone = walk->targets;
	size_t kept = 0;

	for (size_t i = 0; i < gone.count; i++)
		if (gone.list[i].gone)
			gone.list[kept++] = gone.list[i];
	gone.count = kept;
	walk->targets = (struct walk_targets){ 0 };
	return gone;
}

static bool succeeds(const struct walk_target *target, const struct walk_targets *gone)
{
	for (size_t i = 0; i < gone->count; i++)
		if (gone->list[i].tgid == target->tgid)
			return true;
	return false;
}

bool walk_targets_keep_successors(struct walk_targets *targets, const struct walk_targets *gone)
{
	size_t kept = 0;

	for (size_t i = 0; i < targets->count; i++)
		if (succeeds(&targets->list[i], gone))
			targets->list[kept++] = targets->list[i];
	targets->count = kept;
	return kept;
}
