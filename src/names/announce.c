// SPDX-License-Identifier: MIT
/*
 * The calls of memoir/track.h. What they say is ranges of the name table at addresses that no memory has,
 * so that nothing of the table is new: neither its format, nor what a fork in its midst leaves.
 */
#include "names/announce.h"

#include <errno.h>
#include <string.h>

#include <memoir/name.h>
#include <memoir/track.h>

#include "names/announced.h"
#include "names/system.h"
#include "names/table.h"

#define BITS 64u

/* Numbers that are given out. In a child of fork those of its parent stay so, until it removes them. */
static uint64_t taken[ANNOUNCED_NUMBERS / BITS];
static uint32_t next_number;

/* ---- numbers: without the turn, as a handler that interrupts who has it must know its own --------- */

static uint64_t bit_of(uint32_t number)
{
	return 1ull << number % BITS;
}

static bool take_if_free(uint32_t number)
{
	return number &&
	       !(__atomic_fetch_or(&taken[number / BITS], bit_of(number), __ATOMIC_RELAXED) &
		 bit_of(number));
}

/* One that was given back is given out again as late as possible: who still uses it hears that. */
static int take_number(uint32_t *ret_number)
{
	uint32_t first = __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < ANNOUNCED_NUMBERS; i++) {
		uint32_t number = (first + i) % ANNOUNCED_NUMBERS;

		/* A word that is full is passed over. */
		if (__atomic_load_n(&taken[number / BITS], __ATOMIC_RELAXED) == UINT64_MAX)
			i += BITS - 1 - number % BITS;
		else if (take_if_free(number)) {
			if (i)
				__atomic_store_n(&next_number, number + 1, __ATOMIC_RELAXED);
			*ret_number = number;
			return 0;
		}
	}
	return -ENOSPC;
}

static void give_back(uint32_t number)
{
	__atomic_fetch_and(&taken[number / BITS], ~bit_of(number), __ATOMIC_RELAXED);
}

static bool is_taken(uint32_t number)
{
	return number && number < ANNOUNCED_NUMBERS &&
	       __atomic_load_n(&taken[number / BITS], __ATOMIC_RELAXED) & bit_of(number);
}

/* ---- texts ---------------------------------------------------------------------------------- */

static int take_text(struct request *r, const char *text)
{
	size_t length = text ? strnlen(text, MEMOIR_NAME_MAX) : 0;

	r->no_name = !text;
	if (length == MEMOIR_NAME_MAX || !name_is_valid(text, length))
		return -EINVAL;
	if (text)
		memcpy(r->name, text, length);
	r->length = (uint8_t)length;
	r->hash = XXH3_64bits(r->name, length);
	return 0;
}

static bool is_off(void)
{
	return memoir_name_places() == 0;
}

/* ---- the table: for the holder of the turn --------------------------------------------------- */

static int set_range(uint64_t start, uint64_t end, const struct request *text)
{
	struct request r = *text;

	r.what = REQUEST_NAME;
	r.start = start;
	r.end = end;
	return turn_work.carry_out(&r);
}

static int set_plain(uint64_t start, uint64_t end)
{
	struct request r = { 0 };

	take_text(&r, "");
	return set_range(start, end, &r);
}

static int clear(uint64_t start, uint64_t end)
{
	return table_set(start, end, 0);
}

/*
 * What is announced is this process's: what a child of fork inherits goes, but for tags of files, which it
 * inherits too. A child of vfork has its parent's memory, but not its pid: the last who announces counts.
 */
static int own_all(void)
{
	uint32_t *owner = turn_fork_word(), pid = (uint32_t)system_pid();
	int err = 0;

	if (!owner)
		return -ENOMEM;
	if (*owner == pid)
		return 0;
	if (!*owner && space.header)
		err = clear(NAME_ANNOUNCED, announced_sort_from(ANNOUNCED_TAG));
	if (!err)
		err = set_plain(announced_owner((int32_t)pid), announced_owner((int32_t)pid) + 1);
	if (!err && *owner)
		clear(announced_owner((int32_t)*owner), announced_owner((int32_t)*owner) + 1);
	if (!err)
		*owner = pid;
	return err;
}

static bool is_announced(uint32_t number)
{
	uint64_t at = announced_buffer(number);
	const uint32_t *owner = turn_fork_word();
	struct span span;

	return owner && *owner && table_next(at, at + 1, &span);
}

static int begin(const struct request *r)
{
	uint64_t at = announced_buffer((uint32_t)r->start);
	int err = own_all();

	return err ? err : set_range(at, at + r->to_bytes, r);
}

/* References first: there is never one to what is not there. */
static int end(uint32_t number)
{
	uint64_t at = announced_buffer(number);
	int err = is_announced(number) ? 0 : -ENOENT;

	if (!err)
		err = clear(announced_reference(number, 0), announced_reference(number + 1, 0));
	if (!err)
		err = clear(at, at + MEMOIR_BUFFER_BYTES_MAX);
	if (!err || err == -ENOENT)
		give_back(number);
	return err;
}

static int count(const struct request *r)
{
	uint64_t at = announced_reference((uint32_t)r->start, (int32_t)r->to), n = 0;
	struct span span;

	if (!is_announced((uint32_t)r->start))
		return -ENOENT;
	if (table_next(at, at + ANNOUNCED_COUNT_MAX, &span))
		n = span.end - at;
	if (r->what == REQUEST_INSTALL)
		return n == ANNOUNCED_COUNT_MAX ? -EOVERFLOW : set_plain(at, at + n + 1);
	return n ? clear(at + n - 1, at + n) : -ESRCH;
}

int announce_carry_out(const struct request *request)
{
	switch ((enum request_what)request->what) {
	case REQUEST_BUFFER:
		return begin(request);
	case REQUEST_REMOVE:
		return end((uint32_t)request->start);
	case REQUEST_INSTALL:
	case REQUEST_UNINSTALL:
		return count(request);
	default:
		return -EINVAL;
	}
}

/* ---- the calls ------------------------------------------------------------------------------ */

int memoir_buffer_init(uint64_t size_bytes, const char *tag, uint32_t *ret_buffer)
{
	struct request r = { .what = REQUEST_BUFFER, .to_bytes = size_bytes };
	uint32_t number = 0;
	int err = take_text(&r, tag ? tag : "");

	if (!err && (!size_bytes || size_bytes >= MEMOIR_BUFFER_BYTES_MAX))
		err = -EINVAL;
	if (!err)
		err = take_number(&number);
	r.start = number;
	if (!err && !is_off())
		err = turn_carry_out(&r);
	if (!err)
		*ret_buffer = number;
	else if (number)
		give_back(number);
	return err;
}

int memoir_buffer_remove(uint32_t buffer)
{
	if (!is_taken(buffer))
		return buffer && buffer < ANNOUNCED_NUMBERS ? -ENOENT : -EINVAL;
	if (!is_off())
		return turn_carry_out(&(struct request){ .what = REQUEST_REMOVE, .start = buffer });
	give_back(buffer);
	return 0;
}

static int reference(uint32_t buffer, pid_t pid, enum request_what what)
{
	struct request r = { .what = (uint8_t)what, .start = buffer };

	if (!buffer || buffer >= ANNOUNCED_NUMBERS || pid < 0 || pid >= ANNOUNCED_PIDS)
		return -EINVAL;
	if (!is_taken(buffer))
		return -ENOENT;
	if (is_off())
		return 0;
	r.to = (uint64_t)(pid ? pid : system_pid());
	return turn_carry_out(&r);
}

int memoir_buffer_install(uint32_t buffer, pid_t pid)
{
	return reference(buffer, pid, REQUEST_INSTALL);
}

int memoir_buffer_uninstall(uint32_t buffer, pid_t pid)
{
	return reference(buffer, pid, REQUEST_UNINSTALL);
}

int memoir_tag_fd(int fd, const char *tag)
{
	struct request r = { .what = REQUEST_NAME };
	struct system_file file;
	int err = take_text(&r, tag);

	if (err)
		return err;
	err = system_name_dmabuf(fd, tag);
	if (err != -ENOTTY)
		return err;
	err = system_file(fd, &file);
	if (err || is_off())
		return err;
	r.start = announced_tag(file.dev_major, file.dev_minor, file.inode);
	r.end = r.start + 1;
	return turn_carry_out(&r);
}
