/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Where records go: an array that user space maps, of STREAM_ARENAS pieces. Before it is included STREAM_BYTES
 * says how large these are, a power of two, and STREAM_SLACK_BYTES what the last record may need beyond.
 */
#ifndef MEMOIR_WALK_STREAM_H
#define MEMOIR_WALK_STREAM_H

struct arena {
	char bytes[STREAM_BYTES + STREAM_SLACK_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STREAM_ARENAS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct arena);
} arenas SEC(".maps");

static __always_inline struct arena *stream_arena(const struct walk_state *state)
{
	u32 i = state->arena;

	return bpf_map_lookup_elem(&arenas, &i);
}

/* Room for one record at the end of the stream, or NULL when the arena is full. */
static __always_inline void *stream_end(struct walk_state *state, struct arena *arena)
{
	u64 used = state->used;

	if (used >= STREAM_BYTES) {
		state->full = 1;
		return NULL;
	}
	/* Older verifiers refuse the sum if the compiler forms it before the check. */
	barrier_var(arena);
	return arena->bytes + (used & (STREAM_BYTES - 1));
}

static __always_inline void stream_add(struct walk_state *state, struct walk_head *head, u32 kind,
				       u32 bytes)
{
	head->kind = kind;
	head->bytes = bytes;
	state->used += bytes;
}

#endif
