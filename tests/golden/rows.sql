-- What the golden outputs are made of; every sum can be checked by hand. Four processes: a server with a
-- peer, a worker that shares with it, one whose strings are hostile, one that could not be read.
INSERT INTO meta VALUES ('memoir', '0.1.0'), ('taken_ns', 1700000000123456789),
  ('taken', '2023-11-14T22:13:20.123Z'), ('engine', 'tables'), ('partial', 1), ('vanished', 0),
  ('sets_known', 1), ('holders_known', 1), ('processes', 4), ('objects', 3), ('regions', 10), ('sets', 6), ('holders', 2),
  ('buffers_known', 0), ('in_flight', 0);

-- id, pid, ppid, uid, start_ticks, comm, cgroup, threads, page_table_bytes, sole_anon_bytes,
-- sole_swap_bytes, in_scope, readable
INSERT INTO processes VALUES
  (0, 100, 1, 0, 5000, 'server', '/system.slice/server.service', 2, 40960, 4718592, 0, 1, 1),
  (1, 200, 100, 3999999999, 6000, 'worker', '/system.slice/server.service', 1, 20480, 1048576, 0, 1, 1),
  -- ESC [31m, a byte that is no UTF-8, a newline, a comma and a quote
  (2, 300, 1, 3999999999, 7000, x'1b5b33316dff0a2c22', '/user.slice/a,"b"', 1, NULL, 8192, 0, 1, 1),
  (3, 400, 1, 0, 8000, 'hidden', NULL, NULL, NULL, 0, 0, 1, 0);
INSERT INTO peers VALUES (0, 0, 101);

-- id, kind, is_family, dev_major, dev_minor, inode, alias, path, size_bytes, resident_bytes,
-- mapped_bytes, swapped_bytes, links, fate, object, tag, exporter, elsewhere_bytes, shared_bytes, backing
INSERT INTO objects VALUES
  (0, 'file', 0, 254, 1, 131, 0, '/usr/lib/libc.so.6', 1048576, 819200, 409600, 0, 1, 'reclaimable', 'file:fe:01:131', NULL, NULL, 0, 0, NULL),
  (1, 'anon', 1, 0, 0, 7, 0, NULL, 0, NULL, 0, NULL, NULL, NULL, 'family:7', NULL, NULL, 0, 0, NULL),
  (2, 'memfd', 0, 0, 1, 99, 2, '/memfd:ring (deleted)', 65536, 65536, 65536, 0, 0, 'freed', 'memfd:00:01:99#2', NULL, NULL, 0, 0, NULL);

-- id, process, start, end, perms, offset_bytes, kind, name, name_source, path, object, family, exact,
-- inexact_why, own_anon_bytes, own_swap_bytes; then rss, pss, uss, shared, swap, swap_pss, anon, file, shmem, thp, hugetlb; locked
INSERT INTO regions VALUES
  (0, 0, 0x400000, 0x480000, 'r-xp', 0, 'file', NULL, NULL, '/usr/lib/libc.so.6', 0, NULL, 1, NULL, 0, 0,
   409600, 204800, 0, 409600, 0, 0, 0, 409600, 0, 0, 0, 0),
  (1, 0, 0x500000, 0x700000, 'rw-p', 0, 'heap', NULL, NULL, '[heap]', NULL, 1, 1, NULL, 524288, 0,
   1048576, 786432, 524288, 524288, 8192, 4096, 1048576, 0, 0, 0, 0, 0),
  (2, 0, 0x7f0000000000, 0x7f0000400000, 'rw-p', 0, 'anon', 'cache', 'kernel', NULL, NULL, NULL, 1, NULL, 4194304, 0,
   4194304, 4194304, 4194304, 0, 0, 0, 4194304, 0, 0, 2097152, 0, 0),
  (3, 0, 0x7f0000400000, 0x7f0000410000, 'rw-s', 4096, 'memfd', NULL, NULL, '/memfd:ring (deleted)', 2, NULL, 1, NULL, 0, 0,
   65536, 32768, 0, 65536, 0, 0, 0, 0, 65536, 0, 0, 0),
  (4, 1, 0x400000, 0x480000, 'r-xp', 0, 'file', NULL, NULL, '/usr/lib/libc.so.6', 0, NULL, 1, NULL, 0, 0,
   409600, 204800, 0, 409600, 0, 0, 0, 409600, 0, 0, 0, 0),
  (5, 1, 0x500000, 0x700000, 'rw-p', 0, 'heap', NULL, NULL, '[heap]', NULL, 1, 0, 'pages were migrating', 0, 0,
   524288, 262144, 0, 524288, 8192, 4096, 524288, 0, 0, 0, 0, 0),
  (6, 1, 0x7f0000000000, 0x7f0000100000, 'rw-p', 0, 'anon', 'cache', 'kernel', NULL, NULL, NULL, 1, NULL, 1048576, 0,
   1048576, 1048576, 1048576, 0, 0, 0, 1048576, 0, 0, 0, 0, 0),
  (7, 1, 0x7f0000400000, 0x7f0000410000, 'rw-s', 0, 'memfd', NULL, NULL, '/memfd:ring (deleted)', 2, NULL, 1, NULL, 0, 0,
   65536, 32768, 0, 65536, 0, 0, 0, 0, 65536, 0, 0, 0),
  -- a name with a terminal's escape and a right-to-left mark
  (8, 2, 0x10000, 0x12000, 'rw-p', 0, 'anon', x'1b5d303b68690740e280ae', 'kernel', NULL, NULL, NULL, 1, NULL, 8192, 0,
   8192, 8192, 8192, 0, 0, 0, 8192, 0, 0, 0, 0, 0),
  (9, 2, 0xffffffffff600, 0xffffffffff601, '---p', 0, 'guard', NULL, NULL, NULL, NULL, NULL, 1, NULL, 0, 0,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0);
-- id, parent, region, members, of_object, ram, swap, freed: what the heaps share since the fork, the library, the
-- memfd; each of them stands below a set that only its parent's region would have.
INSERT INTO sets VALUES
  (0, NULL, 1, 1, 0, 0, 0, 0), (1, 0, 5, 2, 0, 524288, 8192, 524288),
  (2, NULL, 0, 1, 1, 0, 0, 0), (3, 2, 4, 2, 1, 409600, 0, 0),
  (4, NULL, 3, 1, 1, 0, 0, 0), (5, 4, 7, 2, 1, 65536, 0, 0);
-- id, object, process, fd
INSERT INTO holders VALUES (0, 2, 0, 5, 0), (1, 2, 3, 7, 0);
INSERT INTO notes VALUES (0, '1 process could not be read: run as root');
INSERT INTO meminfo VALUES (0, 'MemTotal', 1073741824), (1, 'MemFree', 536870912),
  (2, 'Buffers', 10485760), (3, 'Cached', 209715200), (4, 'AnonPages', 104857600),
  (5, 'Mapped', 52428800), (6, 'Shmem', 20971520), (7, 'SReclaimable', 31457280),
  (8, 'SUnreclaim', 20971520), (9, 'KernelStack', 5242880), (10, 'PageTables', 10485760),
  (11, 'VmallocUsed', 15728640), (12, 'Percpu', 1048576), (13, 'HugePages_Total', 0),
  (14, 'Hugepagesize', 2097152), (15, 'SwapTotal', 0), (16, 'SwapFree', 0);
-- Frames as they might have been counted then; the ledger takes these for facts.
INSERT INTO meminfo VALUES (17, 'frames:other', 100663296), (18, 'frames:reserved', 8388608),
  (19, 'frames:free', 520093696), (20, 'frames:anon', 94371840), (21, 'frames:anon_huge', 10485760),
  (22, 'frames:anon_lazy', 1048576), (23, 'frames:anon_unmapped', 524288), (24, 'frames:swap_cache', 0),
  (25, 'frames:file_mapped', 52363264), (26, 'frames:cache_clean', 136314880),
  (27, 'frames:cache_dirty', 10551296), (28, 'frames:shmem_mapped', 65536),
  (29, 'frames:shmem_unmapped', 20905984), (30, 'frames:hugetlb', 20971520),
  (31, 'frames:slab', 50331648), (32, 'frames:page_table', 10485760), (33, 'frames:poisoned', 4096),
  (34, 'zone_managed_bytes', 1069547520), (35, 'zone_per_cpu_free_bytes', 12582912),
  (36, 'hugetlb_free_bytes', 8388608), (37, 'hugetlb_reserved_bytes', 2097152),
  (38, 'zram_store_bytes', 33554432);
