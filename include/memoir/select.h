/* SPDX-License-Identifier: MIT */
/**
 * Selectors: which processes and regions are meant, in the one language of all commands.
 *
 * `key:glob[,glob…]`, keys pid comm user cgroup name path kind object; commas mean or (`\,` is a
 * comma), several selectors mean and; a bare number is `pid:`; `PID:START-END` is a range (hex).
 */
#ifndef MEMOIR_SELECT_H
#define MEMOIR_SELECT_H

#include <memoir/snapshot.h>

#ifdef __cplusplus
extern "C" {
#endif

struct memoir_selection;

/**
 * @brief Parse selectors. Owned by the caller: memoir_selection_free().
 * @return 0; -EINVAL: error->text says which selector and what is wrong; -ENOMEM
 */
int memoir_selection_parse(const char *const *selectors, size_t count,
			   struct memoir_selection **ret_selection, struct memoir_error *error);
void memoir_selection_free(struct memoir_selection *selection);

/** Room for a user's name and its NUL. */
#define MEMOIR_USER_NAME_MAX 256
/**
 * Say what users are called, for `user:`; without, it means numbers only. `name_of` is asked once for
 * each uid and selector: it writes the name into buf and returns buf, or NULL: there is no such user.
 */
void memoir_selection_set_users(struct memoir_selection *selection,
				const char *(*name_of)(uid_t uid, char buf[MEMOIR_USER_NAME_MAX],
						       void *arg),
				void *arg);

/** Whether no selector was given: everything matches. NULL counts as empty. */
bool memoir_selection_empty(const struct memoir_selection *selection);
/** Whether a selector speaks of regions (name path kind object, a range). */
bool memoir_selection_has_region_keys(const struct memoir_selection *selection);

/** pid (also of peers), comm, user, cgroup; needs no regions, so it may drive capture's `wants`. */
bool memoir_selection_matches_process(const struct memoir_selection *selection,
				      const struct memoir_process *process);
/** All of it: the process's part and name, path, kind, object, range. */
bool memoir_selection_matches_region(const struct memoir_selection *selection,
				     const struct memoir_snapshot *snapshot,
				     const struct memoir_region *region);
/** If the selection names exactly one pid by number: that pid, else 0. */
pid_t memoir_selection_single_pid(const struct memoir_selection *selection);

#ifdef __cplusplus
}
#endif

#endif
