// SPDX-License-Identifier: MIT
/*
 * memoir run: runs a program and keeps the names that it gives its memory by prctl.
 */
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/run.h"
#include "cli/run_auto.h"
#include "names/system.h"

struct run_options {
	bool by_caller;
};

static const struct argp_option options[] = {
	{ "auto", 'a', NULL, 0,
	  "Name what mmap and malloc bring too, by the calling library and function", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct cli *cli = state->input;
	struct run_options *own = cli ? cli->own : NULL;

	(void)arg;
	if (key != 'a' || !own)
		return ARGP_ERR_UNKNOWN;
	own->by_caller = true;
	return 0;
}

static const struct argp argp = { .options = options, .parser = parse };

/* What is closed at first must not become something else's number: the supervisor gives these three up. */
static void hold_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2);
	if (fd >= 0)
		close(fd);
}

/* The kernel keeps names itself, or another memoir run around this one does: nothing is to be done. */
static int become(char **argv)
{
	execvp(argv[0], argv);
	return run_not_started(argv[0], errno);
}

static int supervise(char **argv)
{
	struct run_signals before;
	sigset_t passed_on;
	int channel[2];
	pid_t supervisor;

	hold_standard_fds();
	run_passed_on(&passed_on);
	sigprocmask(SIG_BLOCK, &passed_on, &before.blocked);
	sigaction(SIGCHLD, NULL, &before.child);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0) {
		complain("%s cannot be run: %s", argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	supervisor = fork();
	if (supervisor == 0) {
		close(channel[0]);
		_exit(run_supervise(channel[1], argv, &before));
	}
	close(channel[1]);
	if (supervisor < 0) {
		complain("%s cannot be run: %s", argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	return run_wait(channel[0], supervisor, argv[0]);
}

static int run(struct cli *cli)
{
	const struct run_options *own = cli->own;
	int code = own->by_caller ? run_auto_preload(cli->program[0]) : EXIT_DONE;

	if (code != EXIT_DONE)
		return code;
	if (system_kernel_names())
		return become(cli->program);
	/* Programs with libmemoir-name keep their own tables, at a thousandth of the cost. */
	setenv("MEMOIR_NAMES", "table", 0);
	return supervise(cli->program);
}

const struct command run_command = {
	.name = "run",
	.args = "[--] CMD [ARG...]",
	.summary = "run a program, and keep the names it gives its memory",
	.doc = "Run a program, and keep the names that it and what it starts give their memory by "
	       "PR_SET_VMA_ANON_NAME, on kernels that don't. Its exit code is that of CMD."
	       "\vNeeds no privileges. Without them, nothing that CMD starts can gain any: sudo "
	       "fails. Where the kernel keeps names itself, CMD just runs.",
	.flags = COMMAND_RUNS,
	.run = run,
	.options = &argp,
	.own_bytes = sizeof(struct run_options),
};
