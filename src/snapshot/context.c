// SPDX-License-Identifier: MIT
/*
 * The context: options checked, the root opened, the BPF walks loaded when they are first wanted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crew.h"
#include "base/options.h"
#include "kernel/cookie.h"
#include "kernel/mappers.h"
#include "snapshot/capture.h"

int memoir_open(const struct memoir_options *options, struct memoir **ret_memoir,
		struct memoir_error *error)
{
	struct memoir_options set = { .sz = sizeof(set) };
	struct memoir *memoir;
	int err = 0;

	if (options)
		err = options_copy(&set, sizeof(set), options, options->sz, "struct memoir_options",
				   error);
	if (err)
		return err;
	if (set.runtime_dir && set.runtime_dir[0] != '/')
		return error_set_about(error, -EINVAL, 0, set.runtime_dir,
				       "%s is no absolute path: runtime_dir has to be one",
				       set.runtime_dir);
	memoir = calloc(1, sizeof(*memoir));
	if (!memoir)
		return error_set(error, -ENOMEM, "out of memory");
	err = kroot_open(set.root, &memoir->root);
	if (err) {
		free(memoir);
		return error_set_about(error, err, 0, set.root, "%s can't be opened: %s",
				       set.root ? set.root : "/", strerror(-err));
	}
	memoir->runtime_dir = set.runtime_dir ? strdup(set.runtime_dir) : NULL;
	if (set.runtime_dir && !memoir->runtime_dir) {
		memoir_close(memoir);
		return error_set(error, -ENOMEM, "out of memory");
	}
	memoir->engine = set.engine;
	memoir->threads = set.threads;
	memoir->self = getpid();
	if (!memoir->threads)
		memoir->threads = crew_cpus();
	*ret_memoir = memoir;
	return 0;
}

void memoir_close(struct memoir *memoir)
{
	if (!memoir)
		return;
	cookies_close(memoir->cookies);
	files_close(memoir->files);
	mappers_close(memoir->mappers);
	walk_close(memoir->walk);
	walk_close(memoir->sums);
	kept_names_free(memoir->kept_names);
	kroot_close(memoir->root);
	free(memoir->runtime_dir);
	free(memoir->tags_dir);
	free(memoir);
}

/* In the place of what is there; that will do where this can't be had. */
static void load_names(struct memoir *memoir, walk_meanwhile_fn meanwhile, void *arg)
{
	struct walk *walk;

	memoir->names_tried = true;
	if (walk_open(memoir->root, WALK_NAMED_REGIONS, meanwhile, arg, &walk, NULL) < 0)
		return;
	walk_close(memoir->walk);
	memoir->walk = walk;
}

struct walk *memoir_walk_while(struct memoir *memoir, walk_meanwhile_fn meanwhile, void *arg,
			       struct memoir_error *error)
{
	if (!memoir->walk_tried) {
		memoir->walk_tried = true;
		memoir->names_tried = memoir->wants_names;
		walk_open(memoir->root, memoir->wants_names ? WALK_NAMED_REGIONS : WALK_REGIONS,
			  meanwhile, arg, &memoir->walk, &memoir->walk_error);
	}
	if (memoir->wants_names && memoir->walk && walk_is_lockless(memoir->walk) &&
	    !memoir->names_tried)
		load_names(memoir, meanwhile, arg);
	if (!memoir->walk && error)
		*error = memoir->walk_error;
	return memoir->walk;
}

struct walk *memoir_walk(struct memoir *memoir, struct memoir_error *error)
{
	return memoir_walk_while(memoir, NULL, NULL, error);
}

/* If what was had in its place is wanted for regions, it is kept for these. */
static void load_sums(struct memoir *memoir, walk_meanwhile_fn meanwhile, void *arg)
{
	struct walk *walk = NULL;
	int err = walk_open(memoir->root, WALK_SUMS, meanwhile, arg, &walk, &memoir->walk_error);

	memoir->sums_tried = true;
	if (!err && walk_loaded(walk) == WALK_SUMS) {
		memoir->sums = walk;
	} else if (memoir->walk) {
		walk_close(walk);
	} else {
		memoir->walk_tried = true;
		memoir->walk = walk;
	}
}

struct walk *memoir_walk_for_sums(struct memoir *memoir, walk_meanwhile_fn meanwhile, void *arg,
				  struct memoir_error *error)
{
	/* It takes no lock: where regions can't be walked so, sums can't either. */
	bool may = !memoir->walk_tried || (memoir->walk && walk_is_lockless(memoir->walk));

	if (!memoir->sums_tried && may)
		load_sums(memoir, meanwhile, arg);
	return memoir->sums ? memoir->sums : memoir_walk_while(memoir, meanwhile, arg, error);
}

struct cookies *memoir_cookies(struct memoir *memoir)
{
	if (!memoir->cookies_tried) {
		memoir->cookies_tried = true;
		cookies_open(memoir->root, &memoir->cookies, NULL);
	}
	return memoir->cookies;
}

static void *load_files(void *arg)
{
	struct memoir *memoir = arg;

	if (files_open(memoir->root, &memoir->files, NULL) == 0)
		files_ask(memoir->files);
	return NULL;
}

static void end_loading(struct memoir *memoir)
{
	if (memoir->files_loading)
		pthread_join(memoir->files_loader, NULL);
	memoir->files_loading = false;
}

void memoir_files_begin(struct memoir *memoir)
{
	if (memoir->files_tried)
		return;
	memoir->files_tried = true;
	/* It may have this CPU: the thread that asks for it is done with its own work. */
	memoir->files_loading =
		pthread_create(&memoir->files_loader, NULL, load_files, memoir) == 0;
	if (!memoir->files_loading)
		load_files(memoir);
}

struct files *memoir_files(struct memoir *memoir)
{
	memoir_files_begin(memoir);
	end_loading(memoir);
	return memoir->files;
}
