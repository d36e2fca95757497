/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The open files of a task that matter (files_read.h), along with the tasks: so that most captures need no iterator of
 * files, which costs as much to load as the tasks do, and 0.3 µs for every fd of the machine.
 *
 * No file is held meanwhile. What is read of one counts if behind it the task still has the same table, and that the
 * same file: else it was closed, and is not told. Where the table is full of holes, its bitmap says so.
 */
#ifndef MEMOIR_WALK_FILES_H
#define MEMOIR_WALK_FILES_H

struct file_lister lister;
u32 wants_files; /* set by user space */

static __always_inline u64 read_u64(u64 address)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline void take_file(struct walk_file_of_task *out, u64 file)
{
	struct task_struct *task = (void *)lister.task;
	struct file *at = (void *)file, *below = at;
	struct inode *inode = BPF_CORE_READ(at, f_inode);
	u32 fd = lister.next - 1;

	clear(&out->file);
	if (!choose(&out->file, &below, &inode))
		return;
	fill(&out->file, below, inode);
	if (out->file.magic == MAGIC_DMABUF)
		fill_small_dmabuf(&out->file, at);
	out->file.fd = fd;
	out->file.tgid = BPF_CORE_READ(task, tgid);
	out->file.tid = BPF_CORE_READ(task, pid);
	out->file.path_bytes = 0;
	if (read_u64(lister.fds + (u64)fd * 8) == file &&
	    (u64)BPF_CORE_READ(task, files) == lister.files)
		stream_add(&state, &out->head, WALK_FILE, sizeof(*out));
}

static long file_step(u32 bit, void *unused)
{
	struct arena *arena = stream_arena(&state);
	struct walk_file_of_task *out;
	u64 file;

	if (!(lister.bits >> (bit & 63) & 1) || lister.first + bit < lister.next)
		return 0;
	out = arena ? stream_end(&state, arena) : NULL;
	if (!out) {
		lister.full = 1;
		return 1;
	}
	lister.next = lister.first + bit + 1;
	file = read_u64(lister.fds + (u64)(lister.next - 1) * 8);
	if (file)
		take_file(out, file);
	return 0;
}

static long word_step(u32 word, void *unused)
{
	if (lister.full || word * 64 >= lister.count)
		return 1;
	lister.first = word * 64;
	lister.bits = lister.first + 64 > lister.next ? read_u64(lister.open + (u64)word * 8) : 0;
	if (lister.bits)
		bpf_loop(64, file_step, NULL, 0);
	return 0;
}

#define FILES_MAX (1u << 26) /* more than sysctl fs.nr_open lets a process have */

/* Send what is left of a task's files. False: there is no room. */
static __always_inline bool send_files(struct task_struct *task)
{
	struct files_struct *files = BPF_CORE_READ(task, files);
	struct fdtable *table = BPF_CORE_READ(files, fdt), read;

	_Static_assert(sizeof(struct walk_file_of_task) <= WALK_TASKS_SLACK_BYTES, "");
	lister.full = 0;
	if (!files || bpf_probe_read_kernel(&read, sizeof(read), table))
		return true;
	lister.task = (u64)task;
	lister.files = (u64)files;
	lister.fds = (u64)read.fd;
	lister.open = (u64)read.open_fds;
	lister.count = read.max_fds;
	bpf_loop(FILES_MAX / 64, word_step, NULL, 0);
	return !lister.full;
}

/* Threads may have files of their own. */
static __always_inline bool has_own_files(struct task_struct *task)
{
	return (u64)BPF_CORE_READ(task, files) != (u64)BPF_CORE_READ(task, group_leader, files);
}

#endif
