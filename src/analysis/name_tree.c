// SPDX-License-Identifier: MIT
/*
 * Names as a tree: a group of all that begin alike, up to a place where names are cut. Sums go up from the
 * names to all groups that they are in.
 */
#include <memoir/analysis.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/label.h"
#include "analysis/name_freed.h"
#include "analysis/select.h"
#include "base/grow.h"

/* Groups in groups; what would be deeper stands in the last one. */
#define DEPTH_MAX 24u

struct planting {
	const struct memoir_snapshot *s;
	struct labels labels;
	uint32_t *label_of_region; /* MEMOIR_NONE: it is not meant */
	uint32_t *order;           /* labels, such that those that begin alike stand together */
	uint32_t *node_of_label;
	struct memoir_name_node *nodes;
	size_t count, room;
};

/* ---- what is meant -------------------------------------------------------------------------- */

static int take_region(struct planting *p, const struct memoir_selection *selection, size_t i)
{
	const struct memoir_region *region = &snapshot_regions(p->s)[i];
	struct label label;

	p->label_of_region[i] = MEMOIR_NONE;
	if (!p->s->processes[region->process].in_scope ||
	    !memoir_selection_matches_region(selection, p->s, region))
		return 0;
	label = label_of(p->s, region);
	p->label_of_region[i] = labels_index(&p->labels, &label);
	return p->label_of_region[i] == U64MAP_NONE ? -ENOMEM : 0;
}

static int take_labels(struct planting *p, const struct memoir_selection *selection)
{
	int err = 0;

	p->label_of_region = calloc(p->s->region_count + 1, sizeof(*p->label_of_region));
	if (!p->label_of_region)
		return -ENOMEM;
	for (size_t i = 0; i < p->s->region_count && !err; i++)
		err = take_region(p, selection, i);
	return err;
}

/* Kinds in brackets, then what is named after a file, then names: each is cut in its own way. */
static int class_of(const struct label *label)
{
	return label->source == MEMOIR_NAME_NONE ? 0 : label->source == MEMOIR_NAME_PATH ? 1 : 2;
}

static int compare_labels(const void *left, const void *right, void *arg)
{
	const struct planting *p = arg;
	const struct label *a = &p->labels.entries[*(const uint32_t *)left].label;
	const struct label *b = &p->labels.entries[*(const uint32_t *)right].label;
	int order = class_of(a) - class_of(b);

	if (!order)
		order = strcmp(a->name, b->name);
	return order ? order : (int)a->kind - (int)b->kind;
}

static int put_in_order(struct planting *p)
{
	p->order = calloc(p->labels.count + 1, sizeof(*p->order));
	p->node_of_label = calloc(p->labels.count + 1, sizeof(*p->node_of_label));
	if (!p->order || !p->node_of_label)
		return -ENOMEM;
	for (size_t i = 0; i < p->labels.count; i++)
		p->order[i] = (uint32_t)i;
	qsort_r(p->order, p->labels.count, sizeof(*p->order), compare_labels, p);
	return 0;
}

/* ---- the tree ------------------------------------------------------------------------------- */

static const struct label *label_at(const struct planting *p, size_t i)
{
	return &p->labels.entries[p->order[i]].label;
}

/*
 * How much of a name is in the group that it is cut into next, from a place on where one was cut; all of
 * it where there is none. Names: behind a ':' and what follows of these and spaces, at first also behind '-', '/' or
 * ' '. Paths: behind a '/', but not the first.
 */
static size_t next_cut(const struct label *label, size_t from)
{
	const char *name = label->name;
	size_t at = from;

	switch (class_of(label)) {
	case 0:
		return strlen(name);
	case 1:
		at += from == 0 && name[0];
		at += strcspn(name + at, "/");
		return name[at] ? at + 1 : at;
	default:
		/* What it begins with is no cut. */
		at += strspn(name + at, ":-/ ");
		at += strcspn(name + at, from ? ":" : ":-/ ");
		if (!name[at])
			return at;
		return at + 1 + strspn(name + at + 1, ": ");
	}
}

static bool begins_alike(const struct label *a, const struct label *b, size_t length)
{
	return class_of(a) == class_of(b) && strncmp(a->name, b->name, length) == 0;
}

static struct memoir_name_node *add_node(struct planting *p, uint32_t parent, size_t from,
					 const char *path, size_t length)
{
	struct memoir_name_node *nodes = grow(p->nodes, &p->room, p->count + 1, sizeof(*nodes));
	struct memoir_name_node *node;

	if (!nodes)
		return NULL;
	p->nodes = nodes;
	node = &nodes[p->count];
	*node = (struct memoir_name_node){
		.path = strndup(path, length),
		.parent = parent,
		.depth = parent == MEMOIR_NONE ? 0 : nodes[parent].depth + 1,
		.kind_known = true,
		.source_known = true,
	};
	if (!node->path)
		return NULL;
	node->sum.name = node->path + from;
	p->count++;
	return node;
}

static int add_name(struct planting *p, uint32_t parent, size_t from, size_t i)
{
	const struct label_entry *entry = &p->labels.entries[p->order[i]];
	struct memoir_name_node *node =
		add_node(p, parent, from, entry->label.name, strlen(entry->label.name));

	if (!node)
		return -ENOMEM;
	node->is_name = true;
	node->sum.id = entry->id;
	node->sum.kind = entry->label.kind;
	node->sum.source = entry->label.source;
	p->node_of_label[p->order[i]] = (uint32_t)(p->count - 1);
	return 0;
}

/* Labels [first, end) all begin alike up to `from`, where a group of them ends. */
static int add_group(struct planting *p, uint32_t parent, size_t from, size_t first, size_t end);

/* The longest place where all of them are cut. */
static size_t cut_of_all(const struct planting *p, size_t first, size_t end, size_t cut)
{
	for (;;) {
		const struct label *label = label_at(p, first);
		size_t next = next_cut(label, cut);

		/* They are in order: if the last is like the first, all are. */
		if (!label->name[next] || !begins_alike(label, label_at(p, end - 1), next) ||
		    next == cut)
			return cut;
		cut = next;
	}
}

static int add_part(struct planting *p, uint32_t parent, size_t from, size_t first, size_t end,
		    size_t cut)
{
	uint32_t depth = parent == MEMOIR_NONE ? 0 : p->nodes[parent].depth + 1;
	int err = 0;

	/* What only one name has is no group. */
	if (end - first == 1 || depth >= DEPTH_MAX) {
		for (size_t i = first; i < end && !err; i++)
			err = add_name(p, parent, from, i);
		return err;
	}
	cut = cut_of_all(p, first, end, cut);
	if (!add_node(p, parent, from, label_at(p, first)->name, cut))
		return -ENOMEM;
	return add_group(p, (uint32_t)(p->count - 1), cut, first, end);
}

static int add_group(struct planting *p, uint32_t parent, size_t from, size_t first, size_t end)
{
	int err = 0;

	while (first < end && !err) {
		const struct label *label = label_at(p, first);
		size_t cut = next_cut(label, from), next = first + 1;

		if (!label->name[cut]) {
			err = add_name(p, parent, from, first);
		} else {
			while (next < end && begins_alike(label, label_at(p, next), cut))
				next++;
			err = add_part(p, parent, from, first, next, cut);
		}
		first = next;
	}
	return err;
}

/* ---- sums ----------------------------------------------------------------------------------- */

static void add_region(struct planting *p, uint32_t *last_process, uint32_t node,
		       const struct memoir_region *region)
{
	for (; node != MEMOIR_NONE; node = p->nodes[node].parent) {
		struct memoir_name_sum *sum = &p->nodes[node].sum;

		sum->regions++;
		/* Regions of one process stand together. */
		sum->processes += last_process[node] != region->process;
		last_process[node] = region->process;
		memoir_figures_add(&sum->figures, &region->figures);
	}
}

static int add_regions(struct planting *p)
{
	uint32_t *last_process = malloc((p->count + 1) * sizeof(*last_process));

	if (!last_process)
		return -ENOMEM;
	for (size_t i = 0; i < p->count; i++)
		last_process[i] = MEMOIR_NONE;
	for (size_t i = 0; i < p->s->region_count; i++)
		if (p->label_of_region[i] != MEMOIR_NONE)
			add_region(p, last_process, p->node_of_label[p->label_of_region[i]],
				   &snapshot_regions(p->s)[i]);
	free(last_process);
	return 0;
}

/* A group has the kind and the source that all in it have. */
static void add_kinds(struct planting *p)
{
	for (size_t i = p->count; i-- > 0;) {
		const struct memoir_name_node *node = &p->nodes[i];
		struct memoir_name_node *parent;

		if (node->parent == MEMOIR_NONE)
			continue;
		parent = &p->nodes[node->parent];
		if (!parent->children++) {
			parent->sum.kind = node->sum.kind;
			parent->sum.source = node->sum.source;
		}
		parent->kind_known &= node->kind_known && parent->sum.kind == node->sum.kind;
		parent->source_known &=
			node->source_known && parent->sum.source == node->sum.source;
	}
}

static int add_freed(struct planting *p)
{
	uint32_t *of_region = calloc(p->s->region_count + 1, sizeof(*of_region));
	uint32_t *parent = calloc(p->count + 1, sizeof(*parent));
	uint64_t *freed = calloc(p->count + 1, sizeof(*freed));
	bool *known = calloc(p->count + 1, sizeof(*known));
	struct name_freed nodes = { of_region, parent, p->count, freed, known };
	int err = of_region && parent && freed && known ? 0 : -ENOMEM;

	for (size_t i = 0; i < p->s->region_count && !err; i++)
		of_region[i] = p->label_of_region[i] == MEMOIR_NONE
				       ? MEMOIR_NONE
				       : p->node_of_label[p->label_of_region[i]];
	for (size_t i = 0; i < p->count && !err; i++)
		parent[i] = p->nodes[i].parent;
	if (!err)
		err = name_freed(p->s, &nodes);
	for (size_t i = 0; i < p->count && !err; i++) {
		p->nodes[i].sum.freed_bytes = freed[i];
		p->nodes[i].sum.freed_known = known[i];
	}
	free(of_region);
	free(parent);
	free(freed);
	free(known);
	return err;
}

int memoir_names_tree(const struct memoir_snapshot *snapshot,
		      const struct memoir_selection *selection, struct memoir_name_tree *ret_tree)
{
	struct planting p = { .s = snapshot };
	struct memoir_name_tree tree;
	int err = take_labels(&p, selection);

	if (!err)
		err = put_in_order(&p);
	if (!err)
		err = add_group(&p, MEMOIR_NONE, 0, 0, p.labels.count);
	if (!err)
		err = add_regions(&p);
	if (!err)
		err = add_freed(&p);
	add_kinds(&p);
	tree = (struct memoir_name_tree){ .count = p.count, .nodes = p.nodes };
	if (err)
		memoir_name_tree_free(&tree);
	else
		*ret_tree = tree;
	labels_free(&p.labels);
	free(p.label_of_region);
	free(p.order);
	free(p.node_of_label);
	return err;
}

void memoir_name_tree_free(struct memoir_name_tree *tree)
{
	if (!tree)
		return;
	for (size_t i = 0; i < tree->count; i++)
		free((char *)tree->nodes[i].path);
	free(tree->nodes);
	*tree = (struct memoir_name_tree){ 0 };
}
