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

-- What follows from the rest of a row: it is all anonymous or all of its file, and what is not its own is shared.
INSERT INTO regions
  WITH row(id, process, start, kind, name, name_source, path, object, own, rss, pss) AS (VALUES
    (0, 0, 0x7f0000000000, 'anon', 'dalvik-main space', 'kernel', NULL, NULL, 4194304, 4194304, 4194304),
    (1, 0, 0x7f0002000000, 'anon', 'dalvik-zygote space', 'kernel', NULL, NULL, 0, 1048576, 524288),
    (2, 0, 0x7f0004000000, 'anon', 'dalvik-large object space', 'kernel', NULL, NULL, 0, 262144, 131072),
    (3, 0, 0x7f0006000000, 'anon', 'glibc: malloc', 'prctl', NULL, NULL, 131072, 131072, 131072),
    (4, 0, 0x7f0007000000, 'anon', 'glibc: pthread stack: 100', 'prctl', NULL, NULL, 32768, 32768, 32768),
    (5, 0, 0x7f0008000000, 'anon', 'glibc: pthread stack: 101', 'prctl', NULL, NULL, 16384, 16384, 16384),
    (6, 0, 0x7f000c000000, 'anon', 'one of its kind', 'table', NULL, NULL, 524288, 524288, 524288),
    (7, 0, 0x7f000d000000, 'anon', x'1b5b33316d3a61', 'kernel', NULL, NULL, 4096, 4096, 4096),
    (8, 0, 0x7f000e000000, 'anon', x'1b5b33316d3a62', 'kernel', NULL, NULL, 4096, 4096, 4096),
    (9, 0, 0x7f000f000000, 'heap', NULL, NULL, '[heap]', NULL, 102400, 102400, 102400),
    (10, 0, 0x7f0010000000, 'file', NULL, NULL, '/usr/lib/libc.so.6', 0, 0, 409600, 204800),
    (11, 0, 0x7f0012000000, 'file', NULL, NULL, '/usr/lib/libm.so.6', 1, 102400, 102400, 102400),
    (12, 0, 0x7f0013000000, 'file', NULL, NULL, '/usr/bin/app', 2, 51200, 51200, 51200),
    (13, 1, 0x7f0001000000, 'anon', 'dalvik-main space', 'kernel', NULL, NULL, 2097152, 2097152, 2097152),
    (14, 1, 0x7f0003000000, 'anon', 'dalvik-zygote space', 'kernel', NULL, NULL, 65536, 1114112, 589824),
    (15, 1, 0x7f0005000000, 'anon', 'dalvik-main space', 'kernel', NULL, NULL, 0, 262144, 131072),
    (16, 1, 0x7f0009000000, 'anon', 'scudo', 'kernel', NULL, NULL, 8192, 8192, 8192),
    (17, 1, 0x7f000a000000, 'anon', 'scudo:primary', 'kernel', NULL, NULL, 16384, 16384, 16384),
    (18, 1, 0x7f000b000000, 'anon', 'scudo:secondary', 'kernel', NULL, NULL, 24576, 24576, 24576),
    (19, 1, 0x7f0011000000, 'file', NULL, NULL, '/usr/lib/libc.so.6', 0, 0, 409600, 204800))
  SELECT id, process, start, start + 0x100000, 'rw-p', 0, kind, name, name_source, path, object, NULL, 1, NULL,
         iif(object IS NULL, own, 0), 0, rss, pss, own, rss - own, 0, 0,
         iif(object IS NULL, rss, 0), iif(object IS NULL, 0, rss), 0, 0, 0, 0 FROM row;

-- id, parent, region, members, of_object, ram_bytes, swap_bytes, freed_bytes
INSERT INTO sets VALUES
  (0, NULL, 1, 1, 0, 0, 0, 0), (1, 0, 14, 2, 0, 1048576, 0, 1048576), (2, NULL, 2, 1, 0, 0, 0, 0), (3, 2, 15, 2, 0, 262144, 0, 262144), (4, NULL, 10, 1, 1, 0, 0, 0), (5, 4, 19, 2, 1, 409600, 0, 0);
INSERT INTO meminfo VALUES (0, 'MemTotal', 1073741824);
