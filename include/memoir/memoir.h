/* SPDX-License-Identifier: MIT */
/**
 * The context of libmemoir: where the kernel is read from, how, and how failures are told.
 *
 * Conventions of every public header:
 * - `int` functions return 0 or a negative errno; `ret_` outputs are untouched on failure.
 * - Destructors accept NULL. The library never prints, never exits and never reads the environment.
 * - Units are in the names: `_bytes`, `_pages`, `_ns`. All addresses are those of the process meant.
 * - A context and all snapshots made from it belong to one thread at a time; different contexts may
 *   be used by different threads. Capture starts its own threads and ends them before it returns.
 * - Option structs start with `size_t sz = sizeof(struct ...)`; unknown non-zero tail bytes are
 *   refused with -E2BIG, so that structs may grow.
 */
#ifndef MEMOIR_MEMOIR_H
#define MEMOIR_MEMOIR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MEMOIR_VERSION_MAJOR 0
#define MEMOIR_VERSION_MINOR 1

/** What went wrong, as a sentence a person can act on. Fill with zeros before use. */
struct memoir_error {
	int code;       /**< negative errno, the same as the function returned */
	pid_t pid;      /**< the process asked about, 0 if none */
	char path[256]; /**< the file asked for, "" if none; cut if longer */
	char text[512]; /**< one sentence: what was wrong and what would help; no newline */
};

/** How pages are read; each method gives the same figures, at another price. */
enum memoir_engine {
	MEMOIR_ENGINE_AUTO = 0, /**< the best that works here */
	MEMOIR_ENGINE_TABLES, /**< BPF iterators that copy page tables (x86-64, Linux 5.17, CAP_BPF and
				     CAP_PERFMON); about 3 ns a page */
	MEMOIR_ENGINE_SCAN,  /**< BPF iterators for the lists, PAGEMAP_SCAN (6.7) and pagemap for
				     pages; 11 to 70 ns a page; CAP_SYS_ADMIN */
	MEMOIR_ENGINE_TEXT,  /**< /proc/PID/maps and /proc/PID/pagemap (any kernel);
				     CAP_SYS_ADMIN in the initial user namespace */
	MEMOIR_ENGINE_SMAPS, /**< /proc/PID/smaps (any kernel), no privileges beyond reading them;
				     what may not be read is left out and counted */
};

struct memoir_options {
	size_t sz;
	const char *root;          /**< read /proc and /sys below this directory; NULL for "/" */
	enum memoir_engine engine; /**< MEMOIR_ENGINE_AUTO unless a test asks for one */
	unsigned int threads;      /**< 0: as many as there are CPUs */
	/** The caller's own runtime directory (XDG_RUNTIME_DIR): where its tags are (memoir/tag.h), if it is not
	    root, whose are below /run. NULL: only root's are seen. */
	const char *runtime_dir;
};

struct memoir;

/**
 * @brief Open a context. Cheap (opens two directories): kernel interfaces are probed when first used.
 * @param options NULL for the defaults
 * @param ret_memoir owned by the caller, to be closed by memoir_close()
 * @return 0; -E2BIG: options from a newer version; -EINVAL: runtime_dir is no absolute path; -ENOENT, -EACCES…: the root can't be opened; -ENOMEM
 */
int memoir_open(const struct memoir_options *options, struct memoir **ret_memoir,
		struct memoir_error *error);

/** Close a context. Snapshots made from it stay good. NULL is accepted. */
void memoir_close(struct memoir *memoir);

/** "auto", "tables", "scan", "text", "smaps"; NULL for an unknown value. */
const char *memoir_engine_name(enum memoir_engine engine);

#ifdef __cplusplus
}
#endif

#endif
