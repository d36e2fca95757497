// SPDX-License-Identifier: MIT
/*
 * Finds the preload library, puts it into the environment, and looks whether the program can have it.
 */
#include "cli/run_auto.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "kernel/own_program.h"

#define HEADERS_MAX 64

/* ---- the library ---------------------------------------------------------------------------- */

/* In the build directory, installed beside this program, or where it was configured to be. */
static const char *const places[] = { "src/libmemoir-auto.so", MEMOIR_AUTO_BESIDE,
				      MEMOIR_AUTO_INSTALLED };

static bool find_library(char path[PATH_MAX])
{
	char own[PATH_MAX], *slash;

	if (own_program(own, sizeof(own)) < 0)
		own[0] = '\0';
	slash = strrchr(own, '/');
	if (slash)
		slash[1] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int got =
			snprintf(path, PATH_MAX, "%s%s", places[i][0] == '/' ? "" : own, places[i]);

		if (got > 0 && got < PATH_MAX && path[0] == '/' && access(path, R_OK) == 0)
			return true;
	}
	return false;
}

static int preload(const char *path)
{
	const char *before = getenv("LD_PRELOAD");
	bool others = before && *before;
	char *list = NULL;
	int err = asprintf(&list, "%s%s%s", path, others ? ":" : "", others ? before : "");

	if (err >= 0) {
		err = setenv("LD_PRELOAD", list, 1);
		free(list);
	}
	return err < 0 ? cli_no_memory() : EXIT_DONE;
}

/* ---- the program ---------------------------------------------------------------------------- */

static bool is_elf(const ElfW(Ehdr) * header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0;
}

static bool is_ours(const ElfW(Ehdr) * header)
{
	const uint16_t probe = 1;
	uint8_t order = *(const uint8_t *)&probe ? ELFDATA2LSB : ELFDATA2MSB;

	return header->e_ident[EI_CLASS] == (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) &&
	       header->e_ident[EI_DATA] == order && header->e_phentsize == sizeof(ElfW(Phdr));
}

static bool has_loader(int fd, const ElfW(Ehdr) * header)
{
	for (unsigned int i = 0; i < header->e_phnum && i < HEADERS_MAX; i++) {
		ElfW(Phdr) part;
		off_t at = (off_t)(header->e_phoff + i * sizeof(part));

		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			break;
		if (part.p_type == PT_INTERP)
			return true;
	}
	return false;
}

/* Why the library won't be loaded; NULL: it will, or nothing is known against it (a script). */
static const char *why_not(int fd)
{
	ElfW(Ehdr) header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) || !is_elf(&header))
		return NULL;
	if (!is_ours(&header))
		return "it is built for another kind of machine than memoir";
	return has_loader(fd, &header) ? NULL : "it is linked statically";
}

static int open_program(const char *program)
{
	const char *path = getenv("PATH"), *end;
	char file[PATH_MAX];
	int fd = -1;

	if (strchr(program, '/'))
		return open(program, O_RDONLY | O_CLOEXEC);
	for (; path && fd < 0; path = *end ? end + 1 : NULL) {
		end = strchrnul(path, ':');
		int got = snprintf(file, sizeof(file), "%.*s%s%s", (int)(end - path), path,
				   end == path ? "" : "/", program);

		if (got > 0 && (size_t)got < sizeof(file) && access(file, X_OK) == 0)
			fd = open(file, O_RDONLY | O_CLOEXEC);
	}
	return fd;
}

static void say_if_out_of_reach(const char *program)
{
	int fd = open_program(program);
	const char *why = fd < 0 ? NULL : why_not(fd);

	if (fd >= 0)
		close(fd);
	if (why)
		complain("%s: --auto does not reach it: %s; what it starts may be reached", program,
			 why);
}

int run_auto_preload(const char *program)
{
	char path[PATH_MAX];

	if (!find_library(path)) {
		complain("--auto needs libmemoir-auto.so, which is not installed: memoir is built "
			 "without it where glibc is older than 2.35");
		return EXIT_FAILED;
	}
	if (strpbrk(path, " :")) {
		complain("--auto can't preload %s: its path has a space or a colon, which stand "
			 "between libraries in LD_PRELOAD; install memoir elsewhere",
			 path);
		return EXIT_FAILED;
	}
	say_if_out_of_reach(program);
	return preload(path);
}
