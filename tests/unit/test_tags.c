// SPDX-License-Identifier: MIT
/*
 * Links that say what buffers are to be called: replaced in one step, bound to the object that was meant, and of
 * directories and links that somebody else may have had a hand in, none. As an ordinary user, whose own ones these are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memoir/tag.h>

#include "snapshot/capture.h"
#include "snapshot/tag_links.h"
#include "scratch.h"

#define NOBODY 65534

static bool was_root;

static int set_up(void **state)
{
	(void)state;
	if (scratch_make() < 0)
		return -1;
	was_root = geteuid() == 0;
	return was_root && (chown(scratch_path(), NOBODY, NOBODY) < 0 || seteuid(NOBODY) < 0) ? -1
											      : 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (was_root && seteuid(0) < 0)
		return -1;
	scratch_remove();
	return 0;
}

static struct links *open_made(void)
{
	struct links *links;

	assert_int_equal(links_open(scratch_path(), TAGS_NAME, geteuid(), true, &links), 0);
	return links;
}

static struct memoir *open_memoir(void)
{
	struct memoir_options options = { .sz = sizeof(options), .runtime_dir = scratch_path() };
	struct memoir *memoir;

	assert_int_equal(memoir_open(&options, &memoir, NULL), 0);
	return memoir;
}

/* ---- links ---------------------------------------------------------------------------------- */

static void a_link_is_replaced_and_removed(void **state)
{
	struct links *links = open_made();
	char text[LINKS_TEXT_MAX];

	(void)state;
	assert_int_equal(links_set(links, "memfd:00:01:5", "one"), 1);
	assert_int_equal(links_set(links, "memfd:00:01:5", "one"), 0);
	assert_int_equal(links_set(links, "memfd:00:01:5", "other"), 1);
	assert_int_equal(links_read(links, "memfd:00:01:5", text), 5);
	assert_string_equal(text, "other");
	assert_int_equal(links_set(links, "memfd:00:01:5", ""), -EINVAL);
	assert_int_equal(links_remove(links, "memfd:00:01:5"), 0);
	assert_int_equal(links_remove(links, "memfd:00:01:5"), -ENOENT);
	links_close(links);
}

/* Who reads meanwhile sees the one or the other, and nothing else. */
static void a_link_is_never_away_while_it_is_replaced(void **state)
{
	struct links *links = open_made();
	char text[LINKS_TEXT_MAX];
	int wrong = 0, changes = 0;
	char last = 'n';
	pid_t child;

	(void)state;
	assert_int_equal(links_set(links, "memfd:00:01:5", "one"), 1);
	child = fork();
	if (child == 0)
		for (int i = 0;; i++)
			if (links_set(links, "memfd:00:01:5", i % 2 ? "one" : "other") < 0)
				_exit(1);
	/* Until it was seen being replaced often enough, however the two take turns. */
	for (int i = 0; i < 1000000 && changes < 300; i++) {
		bool good = links_read(links, "memfd:00:01:5", text) >= 0 &&
			    (strcmp(text, "one") == 0 || strcmp(text, "other") == 0);

		wrong += !good;
		changes += good && text[1] != last;
		last = good ? text[1] : last;
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(wrong, 0);
	assert_true(changes > 0);
	links_close(links);
}

static enum link_verdict count_one(const char *word, const char *text, uint64_t made_ns, void *arg)
{
	(void)word;
	(void)text;
	(void)made_ns;
	++*(size_t *)arg;
	return LINK_KEEP;
}

/* Somebody's who fills his own directory. */
static void no_more_than_a_bound_is_looked_at(void **state)
{
	struct links *links = open_made();
	int dir = open(in_scratch("memoir/tags"), O_RDONLY | O_DIRECTORY);
	size_t count = 0, strange = 0;
	char word[32];

	(void)state;
	for (unsigned int i = 0; i < LINKS_ENTRIES_MAX + 100; i++) {
		snprintf(word, sizeof(word), "memfd:00:01:%u", i);
		assert_int_equal(symlinkat("x", dir, word), 0);
	}
	close(dir);
	assert_int_equal(links_each(links, count_one, &count, &strange), 0);
	assert_true(count + 2 >= LINKS_ENTRIES_MAX && count <= LINKS_ENTRIES_MAX);
	assert_int_equal(links_set(links, "one:more", "x"), -ENOSPC);
	/* What is there may be called otherwise, even so. */
	assert_int_equal(links_set(links, word, "y"), 1);
	links_close(links);
}

static void another_owner_is_not_believed(void **state)
{
	struct links *links;

	(void)state;
	links_close(open_made());
	assert_int_equal(links_open(scratch_path(), TAGS_NAME, geteuid() + 1, false, &links),
			 -EPERM);
	assert_int_equal(links_open(scratch_path(), TAGS_NAME, 0, false, &links),
			 geteuid() ? -EPERM : 0);
}

/* ---- whose tag it is ------------------------------------------------------------------------ */

static struct memoir_snapshot *sample(void)
{
	struct memoir_snapshot *s = snapshot_new();

	assert_non_null(s);
	for (uint64_t inode = 1; inode <= 12; inode++)
		*snapshot_add_object(s) = (struct memoir_object){ .kind = MEMOIR_KIND_MEMFD,
								  .dev_minor = 1,
								  .inode = inode };
	s->objects[10].kind = MEMOIR_KIND_SHARED_ANON;
	s->objects[11].inode = 1;
	s->objects[11].alias = 2;
	s->taken_ns = UINT64_MAX;
	return s;
}

static const char *tag_of(struct memoir *memoir, const struct memoir_snapshot *s, uint32_t object,
			  struct tags *ret_tags)
{
	struct tag_sights sights = { .memoir = memoir, .snapshot = s };
	const char *tag;

	assert_int_equal(tags_load(memoir, ret_tags), 0);
	tag = tags_of(ret_tags, &sights, object);
	tag_sights_free(&sights);
	return tag;
}

static void assert_tag(struct memoir *memoir, const struct memoir_snapshot *s, uint32_t object,
		       const char *expected)
{
	struct tags tags;
	const char *tag = tag_of(memoir, s, object, &tags);

	if (!expected)
		assert_null(tag);
	else
		assert_string_equal(tag, expected);
	tags_free(&tags);
}

static void a_tag_is_of_the_object_that_was_meant(void **state)
{
	struct memoir *memoir = open_memoir();
	struct memoir_snapshot *s = sample();
	struct memoir_error error = { 0 };
	const char *kept_in = NULL;

	(void)state;
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], "camera", &kept_in, &error), 0);
	assert_string_equal(kept_in, in_scratch("memoir/tags"));
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], "camera", NULL, NULL), 1);
	assert_tag(memoir, s, 0, "camera");
	/* 10 begins with a 1; 11 is of another kind. */
	for (uint32_t i = 1; i < 12; i++)
		assert_tag(memoir, s, i, NULL);
	s->objects[0].dev_minor = 2;
	assert_tag(memoir, s, 0, NULL);
	s->objects[0].dev_minor = 1;
	assert_int_equal(memoir_tag(memoir, s, &s->objects[10], "frames", NULL, NULL), 0);
	assert_tag(memoir, s, 10, "frames");
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], NULL, NULL, NULL), 0);
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], NULL, NULL, NULL), 1);
	assert_tag(memoir, s, 0, NULL);
	memoir_snapshot_free(s);
	memoir_close(memoir);
}

/* Nothing tells such objects from later ones. */
static void what_a_tag_cannot_be_bound_to_is_refused(void **state)
{
	struct memoir *memoir = open_memoir();
	struct memoir_snapshot *s = sample();
	static const uint8_t kinds[] = { MEMOIR_KIND_DRM, MEMOIR_KIND_IO_URING, MEMOIR_KIND_FILE };
	struct memoir_error error = { 0 };

	(void)state;
	assert_int_equal(memoir_tag(memoir, s, &s->objects[11], "x", NULL, &error), -EOPNOTSUPP);
	assert_non_null(strstr(error.text, "memfd:00:01:1#2"));
	for (size_t i = 0; i < sizeof(kinds); i++) {
		s->objects[5].kind = kinds[i];
		assert_int_equal(memoir_tag(memoir, s, &s->objects[5], "x", NULL, &error),
				 -EOPNOTSUPP);
	}
	/* Of files it has to be known when they were made, and nobody has this one. */
	s->objects[5].kind = MEMOIR_KIND_SHMEM;
	assert_int_equal(memoir_tag(memoir, s, &s->objects[5], "x", NULL, &error), -ESTALE);
	assert_non_null(strstr(error.text, "gone"));
	/* Nor has anybody this one an fd of. */
	s->objects[5].kind = MEMOIR_KIND_DMABUF;
	assert_int_equal(memoir_tag(memoir, s, &s->objects[5], "x", NULL, &error), -EOPNOTSUPP);
	assert_non_null(strstr(error.text, "no process has an fd"));
	memoir_snapshot_free(s);
	memoir_close(memoir);
}

static void what_no_tag_can_be_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "a\nb", "\x1b[31m", "\x7f", "b\xff", "a\xe2\x80\xae"
	};
	struct memoir *memoir = open_memoir();
	struct memoir_snapshot *s = sample();
	struct memoir_error error = { 0 };
	char text[MEMOIR_TAG_BYTES_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(memoir_tag(memoir, s, &s->objects[0], bad[i], NULL, &error),
				 -EINVAL);
	memset(text, 'x', sizeof(text));
	text[MEMOIR_TAG_BYTES_MAX + 1] = '\0';
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], text, NULL, &error), -EINVAL);
	text[MEMOIR_TAG_BYTES_MAX] = '\0';
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], text, NULL, &error), 0);
	assert_tag(memoir, s, 0, text);
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], "../a b/\xc3\xa9", NULL, &error), 0);
	assert_tag(memoir, s, 0, "../a b/\xc3\xa9");
	s->objects[0].kind = MEMOIR_KIND_DMABUF;
	text[MEMOIR_DMABUF_TAG_BYTES_MAX + 1] = '\0';
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], text, NULL, &error), -EINVAL);
	memoir_snapshot_free(s);
	memoir_close(memoir);
}

/* ---- what others put there ------------------------------------------------------------------ */

static void links_of_others_are_bounded_and_harmless(void **state)
{
	struct memoir *memoir = open_memoir();
	struct memoir_snapshot *s = sample();
	struct memoir_given_tags tags;
	char longest[3000];

	(void)state;
	links_close(open_made());
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(symlink(longest, in_scratch("memoir/tags/memfd:00:01:2")), 0);
	assert_int_equal(symlink("x", in_scratch("memoir/tags/memfd:00:01:3@0123456789abcdef")), 0);
	assert_int_equal(symlink("a\n\x1b[31m", in_scratch("memoir/tags/memfd:00:01:4")), 0);
	assert_int_equal(symlink("x", in_scratch("memoir/tags/a \n word:")), 0);
	assert_int_equal(symlink("x", in_scratch("memoir/tags/no id")), 0);
	close(open(in_scratch("memoir/tags/memfd:00:01:5"), O_CREAT | O_WRONLY, 0600));
	assert_int_equal(mkdir(in_scratch("memoir/tags/memfd:00:01:6"), 0700), 0);
	assert_tag(memoir, s, 1, NULL);
	assert_tag(memoir, s, 2, NULL);          /* one that was there before it */
	assert_tag(memoir, s, 3, "a\n\x1b[31m"); /* escaped where it is shown */
	assert_tag(memoir, s, 4, NULL);
	assert_tag(memoir, s, 5, NULL);
	assert_int_equal(memoir_given_tags(memoir, s, true, &tags, NULL), 0);
	assert_int_equal(tags.strange, 4);
	for (size_t i = 0; i < tags.count; i++)
		if (tags.rows[i].own)
			assert_int_equal(tags.rows[i].dropped, !tags.rows[i].object);
	memoir_given_tags_free(&tags);
	assert_int_equal(access(in_scratch("memoir/tags/memfd:00:01:5"), F_OK), 0);
	assert_int_equal(access(in_scratch("memoir/tags/memfd:00:01:6"), F_OK), 0);
	assert_tag(memoir, s, 3, "a\n\x1b[31m");
	memoir_snapshot_free(s);
	memoir_close(memoir);
}

static void assert_directory_refused(struct memoir *memoir, struct memoir_snapshot *s, int code)
{
	struct memoir_error error = { 0 };

	assert_tag(memoir, s, 0, NULL);
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], "y", NULL, &error), code);
	assert_non_null(strstr(error.text, "memoir/tags"));
}

static void a_directory_that_others_reach_into_is_not_believed(void **state)
{
	static const char *const dirs[] = { "", "memoir", "memoir/tags" };
	struct memoir *memoir = open_memoir();
	struct memoir_snapshot *s = sample();

	(void)state;
	assert_int_equal(memoir_tag(memoir, s, &s->objects[0], "camera", NULL, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		chmod(in_scratch(dirs[i]), 0777);
		assert_directory_refused(memoir, s, -EPERM);
		chmod(in_scratch(dirs[i]), 0755);
	}
	assert_tag(memoir, s, 0, "camera");
	/* Swapped for a link to what somebody prepared. */
	assert_int_equal(rename(in_scratch("memoir/tags"), in_scratch("prepared")), 0);
	assert_int_equal(symlink(in_scratch("prepared"), in_scratch("memoir/tags")), 0);
	assert_directory_refused(memoir, s, -ENOTDIR);
	unlink(in_scratch("memoir/tags"));
	if (was_root) {
		assert_int_equal(seteuid(0), 0);
		assert_int_equal(rename(in_scratch("prepared"), in_scratch("memoir/tags")), 0);
		assert_int_equal(chown(in_scratch("memoir/tags"), NOBODY - 1, NOBODY), 0);
		assert_int_equal(seteuid(NOBODY), 0);
		assert_directory_refused(memoir, s, -EPERM);
	}
	memoir_snapshot_free(s);
	memoir_close(memoir);
}

/* ---- those that are gone -------------------------------------------------------------------- */

static size_t own_rows(const struct memoir_given_tags *tags)
{
	size_t count = 0;

	for (size_t i = 0; i < tags->count; i++)
		count += tags->rows[i].own;
	return count;
}

static void tags_of_what_is_gone_are_dropped(void **state)
{
	struct memoir *memoir = open_memoir();
	struct memoir_snapshot *s = sample();
	struct memoir_given_tags tags;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(memoir_tag(memoir, s, &s->objects[i], "x", NULL, NULL), 0);
	s->objects[1].inode = 100;
	s->objects[2].kind = MEMOIR_KIND_SHARED_ANON;
	/* Nothing that was made since the snapshot. */
	s->taken_ns = 1;
	assert_int_equal(memoir_given_tags(memoir, s, true, &tags, NULL), 0);
	assert_int_equal(own_rows(&tags), 4);
	for (size_t i = 0; i < tags.count; i++)
		assert_false(tags.rows[i].dropped);
	memoir_given_tags_free(&tags);
	s->taken_ns = UINT64_MAX;
	assert_int_equal(memoir_given_tags(memoir, s, false, &tags, NULL), 0);
	assert_ptr_equal(tags.rows[0].object, &s->objects[0]);
	assert_null(tags.rows[1].object);
	assert_null(tags.rows[2].object);
	assert_ptr_equal(tags.rows[3].object, &s->objects[3]);
	assert_string_equal(tags.rows[3].id, "memfd:00:01:4");
	memoir_given_tags_free(&tags);
	assert_int_equal(memoir_given_tags(memoir, s, true, &tags, NULL), 0);
	assert_true(!tags.rows[0].dropped && tags.rows[1].dropped && tags.rows[2].dropped);
	memoir_given_tags_free(&tags);
	assert_int_equal(memoir_given_tags(memoir, s, false, &tags, NULL), 0);
	assert_int_equal(own_rows(&tags), 2);
	memoir_given_tags_free(&tags);
	memoir_given_tags_free(&tags);
	memoir_snapshot_free(s);
	memoir_close(memoir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_link_is_replaced_and_removed),
		TEST(a_link_is_never_away_while_it_is_replaced),
		TEST(no_more_than_a_bound_is_looked_at),
		TEST(another_owner_is_not_believed),
		TEST(a_tag_is_of_the_object_that_was_meant),
		TEST(what_a_tag_cannot_be_bound_to_is_refused),
		TEST(what_no_tag_can_be_is_refused),
		TEST(links_of_others_are_bounded_and_harmless),
		TEST(a_directory_that_others_reach_into_is_not_believed),
		TEST(tags_of_what_is_gone_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
