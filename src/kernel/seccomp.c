// SPDX-License-Identifier: MIT
/*
 * The filter, and the listener's calls; knows nothing of names. The filter is written out: it is thirteen
 * instructions, and libseccomp 2.5 can't ask for WAIT_KILLABLE_RECV.
 */
#include "kernel/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* Where the low half of an argument comes second, or ARCH is not known here, there is no listener. */
#define NO_FOREIGN_CALLS 0x80000000u
#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000u /* x32 has the same ARCH: its calls are these and above */
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS NO_FOREIGN_CALLS
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#define FOREIGN_CALLS NO_FOREIGN_CALLS
#else
#define ARCH 0u
#define FOREIGN_CALLS NO_FOREIGN_CALLS
#endif

#define FIELD(field) ((uint32_t)offsetof(struct seccomp_data, field))
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at))
/* Go on if it is equal; else jump over this many. */
#define ONLY(value, over) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, over)

/*
 * The kernel finds out by itself (5.11) that of all calls but one only the numbers matter, and then does not run it: for
 * that, nothing but arch and nr may be looked at before it is clear that the call is prctl. So it costs no more than
 * a filter of one instruction.
 */
static struct sock_filter instructions[] = {
	LOAD(FIELD(arch)),
	ONLY(ARCH, 9),
	LOAD(FIELD(nr)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 7, 0),
	ONLY(__NR_prctl, 6),
	LOAD(FIELD(args[0])), /* an int */
	ONLY(PR_SET_VMA, 4),
	LOAD(FIELD(args[1])),
	ONLY(PR_SET_VMA_ANON_NAME, 2),
	LOAD(FIELD(args[1]) + 4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
};

static int try_listen(unsigned long more_flags)
{
	struct sock_fprog program = {
		.len = sizeof(instructions) / sizeof(instructions[0]),
		.filter = instructions,
	};
	unsigned long flags =
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW | more_flags;
	long fd;

	if (ARCH == 0)
		return -ENOSYS;
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	return fd < 0 ? -errno : (int)fd;
}

/* What is killed must not wait for an answer; what merely gets a signal may. */
static int try_both(void)
{
	int listener = try_listen(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	return listener == -EINVAL ? try_listen(0) : listener;
}

int seccomp_listen(void)
{
	int listener = try_both();

	if (listener != -EACCES)
		return listener;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return try_both();
}

void seccomp_wake_in_turn(int listener)
{
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

int seccomp_next(int listener, struct seccomp_call *ret_call)
{
	struct seccomp_notif notification = { 0 };

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) < 0)
		return -errno;
	*ret_call = (struct seccomp_call){
		.id = notification.id,
		.tid = (pid_t)notification.pid,
		.start = notification.data.args[2],
		.bytes = notification.data.args[3],
		.name = notification.data.args[4],
	};
	return 0;
}

bool seccomp_waits(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void seccomp_answer(int listener, uint64_t id, int result)
{
	struct seccomp_notif_resp response = { .id = id, .error = result };

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void seccomp_go_on(int listener, uint64_t id)
{
	struct seccomp_notif_resp response = {
		.id = id,
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}
