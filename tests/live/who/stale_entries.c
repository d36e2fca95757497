// SPDX-License-Identifier: MIT
/*
 * What BPF reads of candidates may be stale or lack something: `who` believes it only if the kernel counts just as
 * many mappings. Here what it reads of a real family is changed on its way (by the linker's --wrap), as it
 * would be by a race; the answer has to be right all the same.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <memoir/who.h>

#include "kernel/mappers.h"

#define CHILDREN 3
#define RECORD_MAX 1024

/* A parent, and children that have its page; the last one has a copy of its own. */
struct family {
	pid_t parent, children[CHILDREN];
	uint64_t address;
};

/* What happens to records of a process. */
enum lie {
	LIE_NONE,
	LIE_LOST,   /* the tree did not lead there */
	LIE_STALE,  /* its entry still has the frame: that of the one before */
	LIE_MISSED, /* its entry was read before there was one */
};

static struct {
	enum lie lie;
	pid_t about;
	unsigned int told;
	struct mapper_record last;
	mapper_fn each;
	void *arg;
} liar;

/* ---- between BPF and memoir ----------------------------------------------------------------- */

static void pass_on(const struct mapper_record *record, const char *name, void *arg)
{
	char changed[RECORD_MAX];
	struct mapper_record *copy = (struct mapper_record *)changed;
	bool about = (pid_t)record->tgid == liar.about;

	(void)arg;
	assert_true(record->bytes <= sizeof(changed));
	memcpy(changed, record, record->bytes);
	liar.told += about && liar.lie != LIE_NONE;
	if (about && liar.lie == LIE_LOST)
		return;
	if (about && liar.lie == LIE_STALE) {
		assert_true(liar.last.entry_shift);
		copy->entry = liar.last.entry;
		copy->entry_shift = liar.last.entry_shift;
	}
	if (about && liar.lie == LIE_MISSED)
		copy->entry = 0;
	if (!about)
		liar.last = *record;
	liar.each(copy, name, liar.arg);
}

int __real_mappers_of_frame(struct mappers *mappers, uint64_t frame, mapper_fn each, void *arg,
			    struct mappers_answer *ret_answer);
int __wrap_mappers_of_frame(struct mappers *mappers, uint64_t frame, mapper_fn each, void *arg,
			    struct mappers_answer *ret_answer);

int __wrap_mappers_of_frame(struct mappers *mappers, uint64_t frame, mapper_fn each, void *arg,
			    struct mappers_answer *ret_answer)
{
	liar.each = each;
	liar.arg = arg;
	return __real_mappers_of_frame(mappers, frame, pass_on, NULL, ret_answer);
}

/* ---- the family ----------------------------------------------------------------------------- */

static _Noreturn void wait_for_the_end(void)
{
	for (;;)
		pause();
}

static _Noreturn void be_parent(int ready)
{
	struct family family = { .parent = getpid() };
	volatile char *page;
	int copied[2];
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED || pipe(copied) < 0)
		_exit(1);
	madvise((void *)page, 4096, MADV_NOHUGEPAGE);
	*page = 1;
	family.address = (uint64_t)(uintptr_t)page;
	for (int i = 0; i < CHILDREN; i++) {
		family.children[i] = fork();
		if (family.children[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (i + 1 == CHILDREN) {
				*page = 2;
				byte = write(copied[1], &byte, 1) != 1;
			}
			wait_for_the_end();
		}
	}
	if (read(copied[0], &byte, 1) != 1 ||
	    write(ready, &family, sizeof(family)) != sizeof(family))
		_exit(1);
	wait_for_the_end();
}

static int begin(void **state)
{
	static struct family family;
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_parent(ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &family, sizeof(family)), sizeof(family));
	close(ready[0]);
	*state = &family;
	return 0;
}

static int end(void **state)
{
	const struct family *family = *state;

	for (int i = 0; i < CHILDREN; i++)
		kill(family->children[i], SIGKILL);
	kill(family->parent, SIGKILL);
	return waitpid(family->parent, NULL, 0) == family->parent ? 0 : -1;
}

/* ---- asking --------------------------------------------------------------------------------- */

static bool has_row(const struct memoir_who *who, pid_t pid)
{
	for (size_t i = 0; i < who->row_count; i++)
		if (who->rows[i].pid == pid)
			return true;
	return false;
}

/* Those that have the parent's page have to be it and the first two, whatever is said of `about`. */
static void ask(const struct family *family, enum lie lie, pid_t about)
{
	struct memoir_target target = {
		.kind = MEMOIR_TARGET_PAGE,
		.pid = family->parent,
		.address = family->address,
	};
	struct memoir_error error = { 0 };
	struct memoir *memoir = NULL;
	struct memoir_who *who = NULL;

	assert_int_equal(memoir_open(NULL, &memoir, &error), 0);
	memset(&liar, 0, sizeof(liar));
	liar.lie = lie;
	liar.about = about;
	if (memoir_who(memoir, &target, &who, &error) < 0)
		fail_msg("%s", error.text);
	bool asked = liar.each;

	assert_int_equal(who->row_count, CHILDREN);
	assert_true(has_row(who, family->parent));
	for (size_t i = 0; i + 1 < CHILDREN; i++)
		assert_true(has_row(who, family->children[i]));
	assert_false(who->partial);
	memoir_who_free(who);
	memoir_close(memoir);
	if (!asked) {
		print_message("skipped: the reverse map can't be asked for a frame here\n");
		skip();
	}
	assert_true(lie == LIE_NONE || liar.told > 0);
}

static void those_that_have_the_page_are_found(void **state)
{
	ask(*state, LIE_NONE, 0);
}

static void one_that_the_tree_did_not_lead_to_is_found_all_the_same(void **state)
{
	const struct family *family = *state;

	ask(family, LIE_LOST, family->children[0]);
	ask(family, LIE_LOST, family->children[1]);
}

static void one_that_had_the_page_but_has_copied_it_is_none(void **state)
{
	const struct family *family = *state;

	ask(family, LIE_STALE, family->children[CHILDREN - 1]);
}

static void one_whose_entry_was_read_too_early_is_found_all_the_same(void **state)
{
	const struct family *family = *state;

	ask(family, LIE_MISSED, family->children[0]);
	ask(family, LIE_MISSED, family->parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_that_have_the_page_are_found),
		cmocka_unit_test(one_that_the_tree_did_not_lead_to_is_found_all_the_same),
		cmocka_unit_test(one_that_had_the_page_but_has_copied_it_is_none),
		cmocka_unit_test(one_whose_entry_was_read_too_early_is_found_all_the_same),
	};

	return cmocka_run_group_tests_name("who with stale entries", tests, begin, end);
}
