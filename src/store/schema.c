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
	"            WHEN r.kind IN ('file', 'shmem', 'memfd', 'device', 'dmabuf')\n"          \
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

/* The members of a set are its region and those of its parent: hence the walk upwards. */
#define VIEW_SHARING_SETS                                                                \
	"CREATE VIEW sharing_sets AS\n"                                                  \
	"SELECT s.id AS \"set\", s.members,\n"                                           \
	"       (WITH RECURSIVE up(id) AS (SELECT s.id UNION ALL\n"                      \
	"          SELECT t.parent FROM up JOIN sets t ON t.id = up.id\n"                \
	"          WHERE t.parent IS NOT NULL)\n"                                        \
	"        SELECT count(DISTINCT m.process) FROM up JOIN sets t ON t.id = up.id\n" \
	"                                         JOIN regions m ON m.id = t.region)\n"  \
	"         AS processes,\n"                                                       \
	"       o.object, o.path, s.ram_bytes, s.swap_bytes, s.freed_bytes\n"            \
	"FROM sets s JOIN regions r ON r.id = s.region\n"                                \
	"            LEFT JOIN objects o\n"                                              \
	"            ON o.id = CASE WHEN s.of_object THEN r.object ELSE r.family END\n"  \
	"WHERE s.ram_bytes > 0 OR s.swap_bytes > 0"

#define VIEW_SET_MEMBERS                                                          \
	"CREATE VIEW set_members AS\n"                                            \
	"WITH RECURSIVE up(\"set\", id) AS (SELECT id, id FROM sets UNION ALL\n"  \
	"  SELECT up.\"set\", t.parent FROM up JOIN sets t ON t.id = up.id\n"     \
	"  WHERE t.parent IS NOT NULL)\n"                                         \
	"SELECT up.\"set\", p.pid, p.comm, t.region\n"                            \
	"FROM up JOIN sets t ON t.id = up.id JOIN regions r ON r.id = t.region\n" \
	"        JOIN processes p ON p.id = r.process"

#define VIEW_HELD                                                                             \
	"CREATE VIEW held AS\n"                                                               \
	"SELECT o.object, o.path, o.fate, o.size_bytes, o.resident_bytes, o.swapped_bytes,\n" \
	"       p.pid, p.comm, h.fd, h.announced\n"                                           \
	"FROM holders h JOIN objects o ON o.id = h.object\n"                                  \
	"               JOIN processes p ON p.id = h.process"

/* Of memory made to be shared, who holds it: fds and mappings, one row for each buffer and process. */
#define VIEW_BUFFERS                                                                       \
	"CREATE VIEW buffers AS\n"                                                         \
	"SELECT o.object, o.kind, o.tag, o.exporter, o.size_bytes, o.resident_bytes,\n"    \
	"       o.resident_bytes - o.elsewhere_bytes AS own_bytes,\n"                      \
	"       o.swapped_bytes AS swap_bytes, p.pid, p.comm, sum(u.fds) AS fds,\n"        \
	"       sum(u.announced) AS announced, sum(u.ranges) AS ranges,\n"                 \
	"       sum(u.mapped_bytes) AS mapped_bytes\n"                                     \
	"FROM objects o LEFT JOIN\n"                                                       \
	"     (SELECT object, process, fd >= 0 AS fds, announced, 0 AS ranges,\n"          \
	"             0 AS mapped_bytes FROM holders UNION ALL\n"                          \
	"      SELECT object, process, 0, 0, 1, \"end\" - \"start\" FROM regions) u\n"     \
	"     ON u.object = o.id LEFT JOIN processes p ON p.id = u.process\n"              \
	"WHERE o.kind IN ('shmem', 'memfd', 'shared-anon', 'sysv', 'hugetlb', 'dmabuf',\n" \
	"                 'drm', 'guest-memfd', 'secretmem', 'io-uring', 'announced')\n"   \
	"GROUP BY o.id, p.id"

const char *const store_schema[] = {
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value)",

	"CREATE TABLE processes(id INTEGER PRIMARY KEY, pid INTEGER NOT NULL,\n"
	"  ppid INTEGER NOT NULL, uid INTEGER, start_ticks INTEGER NOT NULL,\n"
	"  comm NOT NULL, cgroup, threads INTEGER, page_table_bytes INTEGER,\n"
	"  sole_anon_bytes INTEGER NOT NULL, sole_swap_bytes INTEGER NOT NULL,\n"
	"  in_scope INTEGER NOT NULL, readable INTEGER NOT NULL)",

	"CREATE TABLE peers(id INTEGER PRIMARY KEY,\n"
	"  process INTEGER NOT NULL REFERENCES processes(id), pid INTEGER NOT NULL)",

	"CREATE TABLE objects(id INTEGER PRIMARY KEY, kind TEXT NOT NULL,\n"
	"  is_family INTEGER NOT NULL, dev_major INTEGER NOT NULL, dev_minor INTEGER NOT NULL,\n"
	"  inode INTEGER NOT NULL, alias INTEGER NOT NULL, path, size_bytes INTEGER NOT NULL,\n"
	"  resident_bytes INTEGER, mapped_bytes INTEGER NOT NULL, swapped_bytes INTEGER,\n"
	"  links INTEGER, fate TEXT, object TEXT NOT NULL, tag, exporter,\n"
	"  elsewhere_bytes INTEGER NOT NULL, shared_bytes INTEGER NOT NULL,\n"
	"  backing INTEGER REFERENCES objects(id))",

	"CREATE TABLE regions(id INTEGER PRIMARY KEY,\n"
	"  process INTEGER NOT NULL REFERENCES processes(id), \"start\" INTEGER NOT NULL,\n"
	"  \"end\" INTEGER NOT NULL, perms TEXT NOT NULL, offset_bytes INTEGER NOT NULL,\n"
	"  kind TEXT NOT NULL, name, name_source TEXT, path,\n"
	"  object INTEGER REFERENCES objects(id), family INTEGER REFERENCES objects(id),\n"
	"  exact INTEGER NOT NULL, inexact_why, own_anon_bytes INTEGER NOT NULL,\n"
	"  own_swap_bytes INTEGER NOT NULL, rss_bytes INTEGER, pss_bytes INTEGER,\n"
	"  uss_bytes INTEGER, shared_bytes INTEGER, swap_bytes INTEGER,\n"
	"  swap_pss_bytes INTEGER, anon_bytes INTEGER, file_bytes INTEGER,\n"
	"  shmem_bytes INTEGER, thp_bytes INTEGER, hugetlb_bytes INTEGER,\n"
	"  locked INTEGER NOT NULL)",

	"CREATE TABLE sets(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES sets(id),\n"
	"  region INTEGER NOT NULL REFERENCES regions(id), members INTEGER NOT NULL,\n"
	"  of_object INTEGER NOT NULL, ram_bytes INTEGER NOT NULL, swap_bytes INTEGER NOT NULL,\n"
	"  freed_bytes INTEGER NOT NULL)",

	"CREATE TABLE holders(id INTEGER PRIMARY KEY,\n"
	"  object INTEGER NOT NULL REFERENCES objects(id),\n"
	"  process INTEGER NOT NULL REFERENCES processes(id), fd INTEGER NOT NULL,\n"
	"  announced INTEGER NOT NULL)",

	"CREATE TABLE in_flight(id INTEGER PRIMARY KEY, socket INTEGER NOT NULL,\n"
	"  process INTEGER NOT NULL REFERENCES processes(id), fd INTEGER NOT NULL,\n"
	"  files INTEGER NOT NULL)",

	"CREATE TABLE notes(id INTEGER PRIMARY KEY, note NOT NULL)",
	"CREATE TABLE meminfo(id INTEGER PRIMARY KEY, key NOT NULL, bytes INTEGER NOT NULL)",
	VIEW_PS,
	VIEW_NAMES,
	VIEW_MAP,
	VIEW_SHARING_SETS,
	VIEW_SET_MEMBERS,
	VIEW_HELD,
	VIEW_BUFFERS,
	NULL,
};
