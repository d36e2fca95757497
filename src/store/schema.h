/* SPDX-License-Identifier: MIT */
/*
 * What a snapshot file looks like: the numbers in its header and the SQL that makes and reads it.
 * docs/SNAPSHOT-FORMAT.md says the same in words; knows nothing of struct memoir_snapshot.
 */
#ifndef MEMOIR_STORE_SCHEMA_H
#define MEMOIR_STORE_SCHEMA_H

#define STORE_APPLICATION_ID 0x4d454d4f /* "MEMO" */
#define STORE_FORMAT 1                  /* PRAGMA user_version */

/* No string of a process, a region or a note comes near this. */
#define STORE_STRING_BYTES_MAX (1024 * 1024)

/* Every figure, in the order of enum memoir_figure. */
#define STORE_FIGURES                                                                             \
	"rss_bytes, pss_bytes, uss_bytes, shared_bytes, swap_bytes, swap_pss_bytes, anon_bytes, " \
	"file_bytes, shmem_bytes, thp_bytes, hugetlb_bytes"

#define STORE_META_COLUMNS "key, value"
#define STORE_PROCESS_COLUMNS                                                        \
	"id, pid, ppid, uid, start_ticks, comm, cgroup, threads, page_table_bytes, " \
	"sole_anon_bytes, sole_swap_bytes, in_scope, readable"
#define STORE_PEER_COLUMNS "id, process, pid"
#define STORE_OBJECT_COLUMNS                                                          \
	"id, kind, is_family, dev_major, dev_minor, inode, alias, path, size_bytes, " \
	"resident_bytes, mapped_bytes, swapped_bytes, links, fate, object"
/* Of shared buffers; files of before there were any lack them, and these stand in their place. */
#define STORE_BUFFER_COLUMNS ", tag, exporter, elsewhere_bytes, shared_bytes, backing"
#define STORE_BUFFER_NOTHING ", NULL, NULL, 0, 0, NULL"
#define STORE_REGION_COLUMNS                                                                    \
	"id, process, \"start\", \"end\", perms, offset_bytes, kind, name, name_source, path, " \
	"object, family, exact, inexact_why, own_anon_bytes, own_swap_bytes, " STORE_FIGURES
/* Files of before it was looked at lack it. */
#define STORE_LOCKED_COLUMN ", locked"
#define STORE_LOCKED_NOTHING ", 0"
#define STORE_SET_COLUMNS \
	"id, parent, region, members, of_object, ram_bytes, swap_bytes, freed_bytes"
#define STORE_HOLDER_COLUMNS "id, object, process, fd"
/* Files of before buffers were announced lack it. */
#define STORE_ANNOUNCED_COLUMN ", announced"
#define STORE_ANNOUNCED_NOTHING ", 0"
#define STORE_IN_FLIGHT_COLUMNS "id, socket, process, fd, files"
#define STORE_NOTE_COLUMNS "id, note"
#define STORE_MEMINFO_COLUMNS "id, key, bytes"

/* One statement after the other, to be run on an empty file. */
extern const char *const store_schema[];

#endif
