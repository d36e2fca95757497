-- Two minutes after rows.sql, for memoir diff: the server has more of its cache; the worker called exec and has
-- another heap; the process with the hostile strings has ended; the hidden one can be read; one is new and only
-- holds a memfd open that nobody maps. The ring is mapped by the server alone.
INSERT INTO meta VALUES ('memoir', '0.1.0'), ('taken_ns', 1700000120123456789),
  ('taken', '2023-11-14T22:15:20.123Z'), ('engine', 'scan'), ('partial', 0), ('vanished', 0),
  ('sets_known', 0), ('holders_known', 1), ('processes', 4), ('objects', 4), ('regions', 7), ('sets', 0), ('holders', 1),
  ('buffers_known', 0), ('in_flight', 0);

-- id, pid, ppid, uid, start_ticks, comm, cgroup, threads, page_table_bytes, sole_anon_bytes,
-- sole_swap_bytes, in_scope, readable
INSERT INTO processes VALUES
  (0, 100, 1, 0, 5000, 'server', '/system.slice/server.service', 2, 45056, 0, 0, 1, 1),
  (1, 200, 100, 3999999999, 6000, 'rebuilt', '/system.slice/server.service', 1, 20480, 0, 0, 1, 1),
  (2, 400, 1, 0, 8000, 'hidden', NULL, 1, 8192, 0, 0, 1, 1),
  (3, 500, 1, NULL, 9000, x'6eff77', NULL, 1, NULL, 0, 0, 1, 1);
INSERT INTO peers VALUES (0, 0, 101);

-- id, kind, is_family, dev_major, dev_minor, inode, alias, path, size_bytes, resident_bytes,
-- mapped_bytes, swapped_bytes, links, fate, object, tag, exporter, elsewhere_bytes, shared_bytes, backing
INSERT INTO objects VALUES
  (0, 'memfd', 0, 0, 1, 99, 2, '/memfd:ring (deleted)', 65536, 65536, 65536, 0, 0, 'freed', 'memfd:00:01:99#2', NULL, NULL, 0, 0, NULL),
  (1, 'file', 0, 254, 1, 131, 0, '/usr/lib/libc.so.6', 1048576, 1048576, 409600, 0, 1, 'reclaimable', 'file:fe:01:131', NULL, NULL, 0, 0, NULL),
  (2, 'memfd', 0, 0, 1, 100, 0, '/memfd:frames (deleted)', 8388608, 8388608, 0, 0, 0, 'freed', 'memfd:00:01:100', NULL, NULL, 0, 0, NULL),
  (3, 'anon', 1, 0, 0, 2, 0, NULL, 0, NULL, 0, NULL, NULL, NULL, 'family:2', NULL, NULL, 0, 0, NULL);

-- id, process, start, end, perms, offset_bytes, kind, name, name_source, path, object, family, exact,
-- inexact_why, own_anon_bytes, own_swap_bytes; then rss, pss, uss, shared, swap, swap_pss, anon, file, shmem, thp, hugetlb; locked
INSERT INTO regions VALUES
  (0, 0, 0x400000, 0x480000, 'r-xp', 0, 'file', NULL, NULL, '/usr/lib/libc.so.6', 1, NULL, 1, NULL, 0, 0,
   409600, 204800, 0, 409600, 0, 0, 0, 409600, 0, 0, 0, 0),
  (1, 0, 0x500000, 0x700000, 'rw-p', 0, 'heap', NULL, NULL, '[heap]', NULL, 3, 1, NULL, 1048576, 8192,
   1048576, 1048576, 1048576, 0, 8192, 8192, 1048576, 0, 0, 0, 0, 0),
  (2, 0, 0x7f0000000000, 0x7f0000800000, 'rw-p', 0, 'anon', 'cache', 'kernel', NULL, NULL, NULL, 1, NULL, 6291456, 0,
   6291456, 6291456, 6291456, 0, 0, 0, 6291456, 0, 0, 4194304, 0, 0),
  (3, 0, 0x7f0000800000, 0x7f0000810000, 'rw-s', 0, 'memfd', NULL, NULL, '/memfd:ring (deleted)', 0, NULL, 1, NULL, 0, 0,
   65536, 65536, 65536, 0, 0, 0, 0, 0, 65536, 0, 0, 0),
  (4, 1, 0x400000, 0x480000, 'r-xp', 0, 'file', NULL, NULL, '/usr/lib/libc.so.6', 1, NULL, 1, NULL, 0, 0,
   409600, 204800, 0, 409600, 0, 0, 0, 409600, 0, 0, 0, 0),
  (5, 1, 0x600000, 0x700000, 'rw-p', 0, 'heap', NULL, NULL, '[heap]', NULL, NULL, 1, NULL, 12288, 0,
   12288, 12288, 12288, 0, 0, 0, 12288, 0, 0, 0, 0, 0),
  (6, 2, 0x400000, 0x401000, 'rw-p', 0, 'anon', NULL, NULL, NULL, NULL, NULL, 1, NULL, 4096, 0,
   4096, 4096, 4096, 0, 0, 0, 4096, 0, 0, 0, 0, 0);
-- id, object, process, fd
INSERT INTO holders VALUES (0, 2, 3, 4, 0);
INSERT INTO meminfo VALUES (0, 'MemTotal', 1073741824);
