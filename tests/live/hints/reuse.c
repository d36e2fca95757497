// SPDX-License-Identifier: MIT
/*
 * reuse: plans for a process, ends it, has another one get its number, and applies the plan: nothing may happen
 * to that. Runs in a pid namespace of its own, where the next number can be said. Prints "calls N ended N".
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memoir/hint.h>

#define PAGES 64
#define TRIES 200

static void die(const char *what)
{
	fprintf(stderr, "reuse: %s: %s\n", what, strerror(errno));
	exit(1);
}

static pid_t start(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		die("pipe");
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		char *mem = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(mem, 1, PAGES * 4096);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1)
		die("fork");
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void say_next(pid_t pid)
{
	char text[16];
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
	int len = snprintf(text, sizeof(text), "%d", (int)pid - 1);

	if (fd < 0 || write(fd, text, (size_t)len) != len)
		die("ns_last_pid");
	close(fd);
}

static struct memoir_plan *plan_for(struct memoir *memoir, pid_t pid)
{
	char selector[32];
	const char *selectors[] = { selector };
	struct memoir_error error = { 0 };
	struct memoir_selection *selection;
	struct memoir_snapshot *snapshot;
	struct memoir_plan *plan;

	snprintf(selector, sizeof(selector), "%d", (int)pid);
	if (memoir_selection_parse(selectors, 1, &selection, &error) < 0 ||
	    memoir_capture(memoir, NULL, &snapshot, &error) < 0 ||
	    memoir_plan(memoir, snapshot, selection, NULL, &plan, &error) < 0) {
		fprintf(stderr, "reuse: %s\n", error.text);
		exit(1);
	}
	memoir_selection_free(selection);
	memoir_snapshot_free(snapshot);
	return plan;
}

static int in_namespace(void)
{
	struct memoir *memoir;
	struct memoir_applied *applied;
	struct memoir_error error = { 0 };

	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0)
		die("mount");
	pid_t first = start(), second = 0;

	if (memoir_open(NULL, &memoir, &error) < 0)
		die(error.text);
	struct memoir_plan *plan = plan_for(memoir, first);

	if (!plan->planned_bytes)
		die("nothing was planned");
	end(first);
	usleep(30000); /* another tick, by which processes are told apart */
	for (int i = 0; i < TRIES && second != first; i++) {
		if (second)
			end(second);
		say_next(first);
		second = start();
	}
	if (second != first)
		die("the number was not used again");
	if (memoir_apply(memoir, plan, NULL, &applied, &error) < 0)
		die(error.text);
	printf("planned %llu calls %llu ended %d\n", (unsigned long long)plan->planned_bytes,
	       (unsigned long long)applied->processes[0].calls, applied->processes[0].ended);
	end(second);
	memoir_applied_free(applied);
	memoir_plan_free(plan);
	memoir_close(memoir);
	return 0;
}

int main(void)
{
	int status;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		die("unshare");
	pid_t pid = fork();

	if (pid == 0) {
		int code = in_namespace();

		fflush(stdout);
		_exit(code);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
