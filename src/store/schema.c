// SPDX-License-Identifier: MIT
/*
 * The SQL that makes an empty snapshot file: tables and the views people query.
 */
#include "store/schema.h"

#include <stddef.h>

#define SUM_OF_FIGURES                                                                       \
	"       sum(r.rss_bytes) AS rss_bytes, sum(r.pss_bytes) AS pss_bytes,\n"             \
	"       sum(r.uss_bytes) AS uss_bytes, sum(r.shared_bytes) AS shared_bytes,\n"       \
	"       sum(r.swap_bytes) AS swap_bytes, sum(r.swap_pss_bytes) AS swap_pss_bytes,\n" \
	"       sum(r.anon_bytes) AS anon_bytes, sum(r.file_bytes) AS file_bytes,\n"         \
	"       sum(r.shmem_bytes) AS shmem_bytes, sum(r.thp_bytes) AS thp_bytes,\n"         \
	"       sum(r.hugetlb_bytes) AS hugetlb_bytes"

#define VIEW_PS                                                                    \
	"CREATE VIEW ps AS\n"                                                      \
	"SELECT p.pid, p.ppid, p.uid, p.start_ticks, p.comm, p.cgroup,\n"          \
	"       coalesce((SELECT '[' || group_concat(q.pid) || ']' FROM peers q\n" \
	"                 WHERE q.process = p.id), '[]') AS peers,\n"              \
	"       count(r.id) AS regions,\n" SUM_OF_FIGURES ",\n"                    \
	"       p.page_table_bytes\n"                                              \
	"FROM processes p LEFT JOIN regions r ON r.process = p.id\n"               \
	"WHERE p.in_scope GROUP BY p.id"

/* As memoir names has it: a name, else the path of what has pages of a file, else the kind. */
#define VIEW_NAMES                                                                             \
	"CREATE VIEW names AS\n"                                                               \
	"SELECT CASE WHEN r.name IS NOT NULL THEN r.name\n"                                    \
	"            WHEN r.kind IN ('file', 'shmem', 'memfd', 'device', 'dmabuf')\n"                              \
	"            THEN coalesce(o.path, r.path, '[' || r.kind || ']')\n"                    \
	"            ELSE '[' || r.kind || ']' END AS name, r.kind,\n"                         \
	"       count(DISTINCT r.process) AS processes, count(*) AS regions,\n" SUM_OF_FIGURES \
	"\n"                                                                                   \
	"FROM regions r JOIN processes p ON p.id = r.process\n"                                \
	"               LEFT JOIN objects o ON o.id = r.object\n"                              \
	"WHERE p.in_scope GROUP BY 1, 2"

#define VIEW_MAP                                                                                \
	"CREATE VIEW map AS\n"                                                                  \
	"SELECT p.pid, p.comm, printf('%x', r.\"start\") AS \"start\",\n"                       \
	"       printf('%x', r.\"end\") AS \"end\", r.perms, r.offset_bytes, r.kind, r.name,\n" \
	"       r.name_source, r.path, coalesce(o.object, f.object) AS object,\n"               \
	"       f.object AS family, r.rss_bytes, r.pss_bytes, r.uss_bytes, r.shared_bytes,\n"   \
	"       r.swap_bytes, r.swap_pss_bytes, r.anon_bytes, r.file_bytes, r.shmem_bytes,\n"   \
	"       r.thp_bytes, r.hugetlb_bytes, r.exact, r.inexact_why\n"                         \
	"FROM regions r JOIN processes p ON p.id = r.process\n"                                 \
	"               LEFT JOIN objects o ON o.id = r.object\n"                               \
	"               LEFT JOIN objects f ON f.id = r.family\n"                               \
	"WHERE p.in_scope"

const char *const store_schema[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value)",

	"CREATE TABLE processes(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL,\n"
	"  ppid INTEGER NOT NULL, uid INTEGER NOT NULL, start_ticks INTEGER NOT NULL,\n"
	"  comm NOT NULL, cgroup, page_table_bytes INTEGER, in_scope INTEGER NOT NULL,\n"
	"  readable INTEGER NOT NULL)",

	"CREATE TABLE peers(id INTEGER PRIMARY KEY,\n"
	"  process INTEGER NOT NULL REFERENCES processes(id), pid INTEGER NOT NULL)",

	"CREATE TABLE objects(id INTEGER PRIMARY KEY, kind TEXT NOT NULL,\n"
	"  is_family INTEGER NOT NULL, dev_major INTEGER NOT NULL, dev_minor INTEGER NOT NULL,\n"
	"  inode INTEGER NOT NULL, alias INTEGER NOT NULL, path, size_bytes INTEGER NOT NULL,\n"
	"  object TEXT NOT NULL)",

	"CREATE TABLE regions(id INTEGER PRIMARY KEY,\n"
	"  process INTEGER NOT NULL REFERENCES processes(id), \"start\" INTEGER NOT NULL,\n"
	"  \"end\" INTEGER NOT NULL, perms TEXT NOT NULL, offset_bytes INTEGER NOT NULL,\n"
	"  kind TEXT NOT NULL, name, name_source TEXT, path,\n"
	"  object INTEGER REFERENCES objects(id), family INTEGER REFERENCES objects(id),\n"
	"  exact INTEGER NOT NULL, inexact_why, rss_bytes INTEGER, pss_bytes INTEGER,\n"
	"  uss_bytes INTEGER, shared_bytes INTEGER, swap_bytes INTEGER,\n"
	"  swap_pss_bytes INTEGER, anon_bytes INTEGER, file_bytes INTEGER,\n"
	"  shmem_bytes INTEGER, thp_bytes INTEGER, hugetlb_bytes INTEGER)",

	"CREATE TABLE notes(id INTEGER PRIMARY KEY, note NOT NULL)",
	"CREATE TABLE meminfo(id INTEGER PRIMARY KEY, key NOT NULL, bytes INTEGER NOT NULL)",
	VIEW_PS,
	VIEW_NAMES,
	VIEW_MAP,
	NULL,
};
