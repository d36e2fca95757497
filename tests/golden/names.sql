-- For memoir names --tree: a program with names of several shapes and a child that it was forked into. A part of the
-- parent's large object space is the child's main space: it comes back only with both, so with all of "dalvik-".
INSERT INTO meta VALUES ('memoir', '0.1.0'), ('taken_ns', 1700000000123456789),
  ('taken', '2023-11-14T22:13:20.123Z'), ('engine', 'tables'), ('partial', 0), ('vanished', 0),
  ('sets_known', 1), ('holders_known', 1), ('processes', 2), ('objects', 3), ('regions', 20), ('sets', 6), ('holders', 0),
  ('buffers_known', 0), ('in_flight', 0);

-- id, pid, ppid, uid, start_ticks, comm, cgroup, threads, page_table_bytes, sole_anon_bytes,
-- sole_swap_bytes, in_scope, readable
INSERT INTO processes VALUES
  (0, 100, 1, 0, 5000, 'zygote', NULL, 1, 40960, 0, 0, 1, 1),
  (1, 200, 100, 0, 6000, 'app', NULL, 1, 40960, 0, 0, 1, 1);

-- id, kind, is_family, dev_major, dev_minor, inode, alias, path, size_bytes, resident_bytes,
-- mapped_bytes, swapped_bytes, links, fate, object, tag, exporter, elsewhere_bytes, shared_bytes, backing
INSERT INTO objects VALUES
  (0, 'file', 0, 254, 1, 131, 0, '/usr/lib/libc.so.6', 1048576, 1048576, 409600, 0, 1, 'reclaimable', 'file:fe:01:131', NULL, NULL, 0, 0, NULL),
  (1, 'file', 0, 254, 1, 132, 0, '/usr/lib/libm.so.6', 1048576, 1048576, 102400, 0, 1, 'reclaimable', 'file:fe:01:132', NULL, NULL, 0, 0, NULL),
  (2, 'file', 0, 254, 1, 133, 0, '/usr/bin/app', 1048576, 1048576, 51200, 0, 1, 'reclaimable', 'file:fe:01:133', NULL, NULL, 0, 0, NULL);

-- id, process, start, end, perms, offset_bytes, kind, name, name_source, path, object, family, exact,
-- inexact_why, own_anon_bytes, own_swap_bytes; then rss, pss, uss, shared, swap, swap_pss, anon, file, shmem, thp, hugetlb; locked
INSERT INTO regions VALUES
  (0, 0, 0x7f0000000000, 0x7f0000100000, 'rw-p', 0, 'anon', 'dalvik-main space', 'kernel', NULL, NULL, NULL, 1, NULL, 4194304, 0,
   4194304, 4194304, 4194304, 0, 0, 0, 4194304, 0, 0, 0, 0, 0),
  (1, 0, 0x7f0002000000, 0x7f0002100000, 'rw-p', 0, 'anon', 'dalvik-zygote space', 'kernel', NULL, NULL, NULL, 1, NULL, 0, 0,
   1048576, 524288, 0, 1048576, 0, 0, 1048576, 0, 0, 0, 0, 0),
  (2, 0, 0x7f0004000000, 0x7f0004100000, 'rw-p', 0, 'anon', 'dalvik-large object space', 'kernel', NULL, NULL, NULL, 1, NULL, 0, 0,
   262144, 131072, 0, 262144, 0, 0, 262144, 0, 0, 0, 0, 0),
  (3, 0, 0x7f0006000000, 0x7f0006100000, 'rw-p', 0, 'anon', 'glibc: malloc', 'prctl', NULL, NULL, NULL, 1, NULL, 131072, 0,
   131072, 131072, 131072, 0, 0, 0, 131072, 0, 0, 0, 0, 0),
  (4, 0, 0x7f0007000000, 0x7f0007100000, 'rw-p', 0, 'anon', 'glibc: pthread stack: 100', 'prctl', NULL, NULL, NULL, 1, NULL, 32768, 0,
   32768, 32768, 32768, 0, 0, 0, 32768, 0, 0, 0, 0, 0),
  (5, 0, 0x7f0008000000, 0x7f0008100000, 'rw-p', 0, 'anon', 'glibc: pthread stack: 101', 'prctl', NULL, NULL, NULL, 1, NULL, 16384, 0,
   16384, 16384, 16384, 0, 0, 0, 16384, 0, 0, 0, 0, 0),
  (6, 0, 0x7f000c000000, 0x7f000c100000, 'rw-p', 0, 'anon', 'one of its kind', 'table', NULL, NULL, NULL, 1, NULL, 524288, 0,
   524288, 524288, 524288, 0, 0, 0, 524288, 0, 0, 0, 0, 0),
  (7, 0, 0x7f000d000000, 0x7f000d100000, 'rw-p', 0, 'anon', x'1b5b33316d3a61', 'kernel', NULL, NULL, NULL, 1, NULL, 4096, 0,
   4096, 4096, 4096, 0, 0, 0, 4096, 0, 0, 0, 0, 0),
  (8, 0, 0x7f000e000000, 0x7f000e100000, 'rw-p', 0, 'anon', x'1b5b33316d3a62', 'kernel', NULL, NULL, NULL, 1, NULL, 4096, 0,
   4096, 4096, 4096, 0, 0, 0, 4096, 0, 0, 0, 0, 0),
  (9, 0, 0x7f000f000000, 0x7f000f100000, 'rw-p', 0, 'heap', NULL, NULL, '[heap]', NULL, NULL, 1, NULL, 102400, 0,
   102400, 102400, 102400, 0, 0, 0, 102400, 0, 0, 0, 0, 0),
  (10, 0, 0x7f0010000000, 0x7f0010100000, 'rw-p', 0, 'file', NULL, NULL, '/usr/lib/libc.so.6', 0, NULL, 1, NULL, 0, 0,
   409600, 204800, 0, 409600, 0, 0, 0, 409600, 0, 0, 0, 0),
  (11, 0, 0x7f0012000000, 0x7f0012100000, 'rw-p', 0, 'file', NULL, NULL, '/usr/lib/libm.so.6', 1, NULL, 1, NULL, 0, 0,
   102400, 102400, 102400, 0, 0, 0, 0, 102400, 0, 0, 0, 0),
  (12, 0, 0x7f0013000000, 0x7f0013100000, 'rw-p', 0, 'file', NULL, NULL, '/usr/bin/app', 2, NULL, 1, NULL, 0, 0,
   51200, 51200, 51200, 0, 0, 0, 0, 51200, 0, 0, 0, 0),
  (13, 1, 0x7f0001000000, 0x7f0001100000, 'rw-p', 0, 'anon', 'dalvik-main space', 'kernel', NULL, NULL, NULL, 1, NULL, 2097152, 0,
   2097152, 2097152, 2097152, 0, 0, 0, 2097152, 0, 0, 0, 0, 0),
  (14, 1, 0x7f0003000000, 0x7f0003100000, 'rw-p', 0, 'anon', 'dalvik-zygote space', 'kernel', NULL, NULL, NULL, 1, NULL, 65536, 0,
   1114112, 589824, 65536, 1048576, 0, 0, 1114112, 0, 0, 0, 0, 0),
  (15, 1, 0x7f0005000000, 0x7f0005100000, 'rw-p', 0, 'anon', 'dalvik-main space', 'kernel', NULL, NULL, NULL, 1, NULL, 0, 0,
   262144, 131072, 0, 262144, 0, 0, 262144, 0, 0, 0, 0, 0),
  (16, 1, 0x7f0009000000, 0x7f0009100000, 'rw-p', 0, 'anon', 'scudo', 'kernel', NULL, NULL, NULL, 1, NULL, 8192, 0,
   8192, 8192, 8192, 0, 0, 0, 8192, 0, 0, 0, 0, 0),
  (17, 1, 0x7f000a000000, 0x7f000a100000, 'rw-p', 0, 'anon', 'scudo:primary', 'kernel', NULL, NULL, NULL, 1, NULL, 16384, 0,
   16384, 16384, 16384, 0, 0, 0, 16384, 0, 0, 0, 0, 0),
  (18, 1, 0x7f000b000000, 0x7f000b100000, 'rw-p', 0, 'anon', 'scudo:secondary', 'kernel', NULL, NULL, NULL, 1, NULL, 24576, 0,
   24576, 24576, 24576, 0, 0, 0, 24576, 0, 0, 0, 0, 0),
  (19, 1, 0x7f0011000000, 0x7f0011100000, 'rw-p', 0, 'file', NULL, NULL, '/usr/lib/libc.so.6', 0, NULL, 1, NULL, 0, 0,
   409600, 204800, 0, 409600, 0, 0, 0, 409600, 0, 0, 0, 0);

-- id, parent, region, members, of_object, ram_bytes, swap_bytes, freed_bytes
INSERT INTO sets VALUES
  (0, NULL, 1, 1, 0, 0, 0, 0), (1, 0, 14, 2, 0, 1048576, 0, 1048576), (2, NULL, 2, 1, 0, 0, 0, 0), (3, 2, 15, 2, 0, 262144, 0, 262144), (4, NULL, 10, 1, 1, 0, 0, 0), (5, 4, 19, 2, 1, 409600, 0, 0);
INSERT INTO meminfo VALUES (0, 'MemTotal', 1073741824);
