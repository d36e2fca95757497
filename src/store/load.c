// SPDX-License-Identifier: MIT
/*
 * Loads a snapshot file: whether it is one, and whole, before SQLite sees it; never writes to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "store/schema.h"
#include "store/tables.h"

#define HEADER_BYTES 100

static uint32_t big_endian_32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int check_header(const char *path, const uint8_t *header, ssize_t len, int64_t size_bytes,
			struct memoir_error *error)
{
	if (len < 16 || memcmp(header, "SQLite format 3", 16) != 0)
		return error_set_about(error, -EBADMSG, 0, path, "%s is not a memoir snapshot",
				       path);
	if (len < HEADER_BYTES)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is truncated or damaged: it ends in its header", path);
	if (big_endian_32(header + 68) != STORE_APPLICATION_ID)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is an SQLite file, but not a memoir snapshot", path);

	int32_t format = (int32_t)big_endian_32(header + 60);

	if (format > STORE_FORMAT)
		return error_set_about(
			error, -EPROTONOSUPPORT, 0, path,
			"%s was written by a newer memoir (format %d, this one reads %d)", path,
			format, STORE_FORMAT);
	if (format < 1)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is truncated or damaged: there is no format %d", path,
				       format);
	int64_t page_bytes = header[16] << 8 | header[17];
	int64_t pages = big_endian_32(header + 28);

	/* The size of 65,536 does not fit the field: 1 stands for it. */
	if (size_bytes < pages * (page_bytes == 1 ? 65536 : page_bytes))
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is truncated or damaged: %" PRId64 " bytes are missing",
				       path,
				       pages * (page_bytes == 1 ? 65536 : page_bytes) - size_bytes);
	return 0;
}

/* The header and the size of an open file; a size below 0 stands for what is not a file. */
static int read_header(int fd, uint8_t header[HEADER_BYTES], ssize_t *ret_len,
		       int64_t *ret_size_bytes)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode)) {
		*ret_size_bytes = -1;
		return 0;
	}
	*ret_len = pread(fd, header, HEADER_BYTES, 0);
	if (*ret_len < 0)
		return -errno;
	*ret_size_bytes = st.st_size;
	return 0;
}

/* What can be told without SQLite: whether this is a file, and a snapshot, and all of it. */
static int check_file(const char *path, int64_t *ret_size_bytes, struct memoir_error *error)
{
	uint8_t header[HEADER_BYTES];
	int64_t size_bytes = 0;
	ssize_t len = 0;
	int err;
	/* Not to wait for the other end of a pipe. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0) {
		err = -errno;
	} else {
		err = read_header(fd, header, &len, &size_bytes);
		close(fd);
	}
	if (err)
		return error_set_about(error, err, 0, path, "cannot read %s: %s", path,
				       strerror(-err));
	if (size_bytes < 0)
		return error_set_about(error, -EBADMSG, 0, path,
				       "%s is not a memoir snapshot: it is not a file", path);
	*ret_size_bytes = size_bytes;
	return check_header(path, header, len, size_bytes, error);
}

static int load_file(const char *path, int64_t size_bytes, struct memoir_snapshot *s,
		     struct memoir_error *error)
{
	struct reader r;
	int err = reader_open(&r, path, size_bytes, s->strings);

	if (!err)
		err = tables_load(&r, s);
	reader_close(&r);
	if (err == -EBADMSG)
		return error_set_about(error, err, 0, path, "%s is truncated or damaged (%s)", path,
				       r.wrong);
	if (err)
		return error_set_about(error, err, 0, path, "cannot read %s: %s", path,
				       strerror(-err));
	return 0;
}

int memoir_snapshot_load(const char *path, struct memoir_snapshot **ret_snapshot,
			 struct memoir_error *error)
{
	struct memoir_snapshot *s;
	int64_t size_bytes = 0;
	int err = check_file(path, &size_bytes, error);

	if (!err)
		err = sqlite_load(error);
	if (err)
		return err;
	s = snapshot_new();
	if (!s)
		return error_set(error, -ENOMEM, "not enough memory to read %s", path);
	err = load_file(path, size_bytes, s, error);
	if (err) {
		memoir_snapshot_free(s);
		return err;
	}
	*ret_snapshot = s;
	return 0;
}
