// SPDX-License-Identifier: MIT
/*
 * Starts mkworld, reads who is there, and ends it; knows nothing of memory.
 */
#include "world.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool take_line(struct world *world, const char *line)
{
	int pid, of;

	if (sscanf(line, "process %d", &pid) == 1 && world->space_count < SPACES_MAX) {
		world->spaces[world->space_count++] = (struct space){ .pid = pid };
		return true;
	}
	if (sscanf(line, "peer %d %d", &pid, &of) != 2 || world_space_of(world, of) == UINT32_MAX)
		return false;
	world->spaces[world_space_of(world, of)].peer = pid;
	return true;
}

/* Peers stand behind the processes they belong to, or before: two passes. */
static int take_listing(struct world *world, char *text)
{
	char *lines[2 * SPACES_MAX], *rest = text, *line;
	size_t count = 0;

	while ((line = strsep(&rest, "\n")) && count < 2 * SPACES_MAX)
		if (*line)
			lines[count++] = line;
	if (!count || strcmp(lines[count - 1], "READY") != 0)
		return -1;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i + 1 < count; i++)
			if ((strncmp(lines[i], "peer", 4) == 0) == (pass == 1) &&
			    !take_line(world, lines[i]))
				return -1;
	return 0;
}

static int read_listing(struct world *world, int fd)
{
	char text[8192];
	size_t held = 0;
	ssize_t got;

	while (held < sizeof(text) - 1) {
		got = read(fd, text + held, sizeof(text) - 1 - held);
		if (got <= 0)
			return -1;
		held += (size_t)got;
		text[held] = '\0';
		if (strstr(text, "READY\n"))
			return take_listing(world, text);
	}
	return -1;
}

static void become_mkworld(const char *mkworld, uint64_t seed, int in, int out)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, seed);
	if (dup2(in, STDIN_FILENO) == STDIN_FILENO && dup2(out, STDOUT_FILENO) == STDOUT_FILENO)
		execl(mkworld, "mkworld", text, (char *)NULL);
	_exit(127);
}

int world_start(struct world *world, const char *mkworld, uint64_t seed)
{
	int in[2], out[2], err;

	*world = (struct world){ .seed = seed };
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return -1;
	world->maker = fork();
	if (world->maker == 0)
		become_mkworld(mkworld, seed, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	world->input = in[1];
	err = world->maker > 0 ? read_listing(world, out[0]) : -1;
	close(out[0]);
	if (err) {
		printf("# mkworld %" PRIu64 " did not come up\n", seed);
		world_end(world);
	}
	return err;
}

void world_end(struct world *world)
{
	close(world->input);
	if (world->maker > 0)
		waitpid(world->maker, NULL, 0);
	*world = (struct world){ 0 };
}

uint32_t world_space_of(const struct world *world, pid_t pid)
{
	for (uint32_t i = 0; i < world->space_count; i++)
		if (world->spaces[i].pid == pid || world->spaces[i].peer == pid)
			return i;
	return UINT32_MAX;
}
