/*
 * mkmem SCENARIO: makes processes whose memory is of known state, says what is true of it, and ends
 * them when its standard input closes. It must not leave a process, a file or a setting behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "mkmem.h"

#define UP_TIMEOUT_MS 90000
#define END_TIMEOUT_S 20
#define PROCESSES_MAX 500
#define TEXT_MAX (512 * 1024)
#define EXIT_SKIP 77

static const struct scenario *const tables[] = {
	anon_scenarios, space_scenarios,  fork_scenarios, thp_scenarios,
	file_scenarios, object_scenarios, swap_scenarios, mover_scenarios,
};

static const int caught[] = { SIGALRM, SIGTERM, SIGINT, SIGHUP };

/* What came up: by pidfd, so that no other process with the same pid is ever ended. */
static int pidfds[PROCESSES_MAX];
static unsigned int pidfd_count;
static unsigned int up_count;
static char *text;
static size_t text_length;
static char scratch[256];
static volatile sig_atomic_t ended;

static void on_signal(int number)
{
	(void)number;
	ended++;
}

static const struct scenario *find(const char *name)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct scenario *at = tables[i]; at->name; at++)
			if (!strcmp(at->name, name))
				return at;
	return NULL;
}

static void list(void)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct scenario *at = tables[i]; at->name; at++)
			printf("%s\t%s\n", at->name, at->what);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void remember(pid_t pid)
{
	if (pidfd_count < PROCESSES_MAX)
		pidfds[pidfd_count++] = (int)syscall(SYS_pidfd_open, pid, 0);
}

static void end_all(const struct scenario *scenario)
{
	int signals = ended;

	for (unsigned int i = 0; i < pidfd_count; i++)
		syscall(SYS_pidfd_send_signal, pidfds[i], SIGKILL, NULL, 0);
	/* The rest dies with its parents, and mkmem is the reaper of what they leave. */
	alarm(END_TIMEOUT_S);
	while (waitpid(-1, NULL, 0) > 0 || (errno == EINTR && ended == signals))
		continue;
	if (scenario->restore)
		scenario->restore();
	if (scratch[0])
		nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* One line from a process. Returns 0, or the exit code that it means. */
static int take_line(const char *name, char *line)
{
	switch (line[0]) {
	case 'T':
		text_length += (size_t)snprintf(text + text_length, TEXT_MAX - text_length,
						"{\"scenario\":\"%s\",%s\n", name, line + 2);
		if (text_length < TEXT_MAX)
			return 0;
		fprintf(stderr, "mkmem: more truth than fits\n");
		return 1;
	case 'U':
		remember((pid_t)strtol(line + 1, NULL, 10));
		up_count++;
		return 0;
	case 'S':
		printf("SKIP %s\n", line + 1);
		return EXIT_SKIP;
	default:
		fprintf(stderr, "mkmem: %s\n", line + 1);
		return 1;
	}
}

/* Reads what the processes say until all are up. */
static int gather(int fd, const struct scenario *scenario)
{
	static char buffer[1 << 16];
	struct pollfd waiting = { .fd = fd, .events = POLLIN };
	size_t held = 0;
	ssize_t got;
	char *end;
	int code;

	while (up_count < scenario->processes) {
		if (ended || poll(&waiting, 1, UP_TIMEOUT_MS) <= 0) {
			fprintf(stderr, "mkmem: %u of %u processes came up\n", up_count,
				scenario->processes);
			return 1;
		}
		got = read(fd, buffer + held, sizeof(buffer) - 1 - held);
		if (got <= 0) {
			fprintf(stderr, "mkmem: the processes have died\n");
			return 1;
		}
		held += (size_t)got;
		buffer[held] = '\0';
		while ((end = memchr(buffer, '\n', held))) {
			*end = '\0';
			code = take_line(scenario->name, buffer);
			if (code)
				return code;
			held -= (size_t)(end + 1 - buffer);
			memmove(buffer, end + 1, held);
		}
	}
	return 0;
}

static void start(const struct scenario *scenario, int up_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		signal(caught[i], SIG_DFL);
	alarm(LIFETIME_S);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	link_to_root(up_fd, scratch);
	scenario->make();
	stay();
}

static int run(const struct scenario *scenario)
{
	struct sigaction action = { .sa_handler = on_signal };
	const char *base = getenv("TMPDIR");
	int fds[2], code;
	char byte;
	pid_t first;

	/* Should whoever reads the truth be killed: a stopped mkmem could not see its input close. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		sigaction(caught[i], &action, NULL);
	alarm(LIFETIME_S);
	snprintf(scratch, sizeof(scratch), "%s/mkmem.XXXXXX", base ? base : "/tmp");
	text = calloc(1, TEXT_MAX);
	if (!text || !mkdtemp(scratch) || pipe2(fds, O_CLOEXEC)) {
		perror("mkmem");
		return 1;
	}
	if (scenario->prepare)
		scenario->prepare();
	first = fork();
	if (!first)
		start(scenario, fds[1]);
	close(fds[1]);
	if (first > 0)
		remember(first);
	code = first < 0 ? 1 : gather(fds[0], scenario);
	if (!code) {
		/* Those whose parents exited as they should; what is left is what there is. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		printf("%sREADY\n", text);
		fflush(stdout);
		while (!ended && read(STDIN_FILENO, &byte, 1) > 0)
			continue;
	}
	end_all(scenario);
	return code;
}

int main(int argc, char **argv)
{
	const struct scenario *scenario;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		list();
		return 0;
	}
	/* What the scenario with a child that execs becomes. */
	if (argc == 2 && !strcmp(argv[1], "--wait")) {
		alarm(LIFETIME_S);
		for (;;)
			pause();
	}
	/* The exec loop, once more. */
	if (argc == 2 && !strcmp(argv[1], "--exec-again")) {
		execl("/proc/self/exe", "mkmem", "--exec-again", (char *)NULL);
		return 1;
	}
	scenario = argc == 2 ? find(argv[1]) : NULL;
	if (!scenario) {
		fprintf(stderr, "usage: mkmem --list | mkmem SCENARIO\n");
		return 2;
	}
	if (sysconf(_SC_PAGESIZE) != (long)PAGE_BYTES) {
		printf("SKIP pages are not of 4096 bytes here\n");
		return EXIT_SKIP;
	}
	return run(scenario);
}
