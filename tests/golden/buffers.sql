-- Shared buffers of all sorts and ways to hold them; every share can be checked by hand. A camera and a viewer share
-- a memfd (fd twice and half mapped; mapped), a dma-buf of a heap (fd only), a DRM client (one fd inherited) and a
-- socket with two files in flight (one fd, and two). A udmabuf is made of a memfd that the camera has open; another's memfd is gone.
-- The camera announces two buffers without an fd: one that both hold, one that nobody does.
INSERT INTO meta VALUES ('memoir', '0.1.0'), ('taken_ns', 1700000000123456789),
  ('taken', '2023-11-14T22:13:20.123Z'), ('engine', 'tables'), ('partial', 0), ('vanished', 0),
  ('sets_known', 1), ('holders_known', 1), ('processes', 3), ('objects', 13), ('regions', 3), ('sets', 2),
  ('holders', 15), ('buffers_known', 1), ('in_flight', 3);
INSERT INTO processes VALUES
  (0, 100, 1, 0, 5000, 'camera', NULL, 1, 4096, 0, 0, 1, 1),
  (1, 200, 100, 0, 6000, 'viewer', NULL, 1, 4096, 0, 0, 1, 1),
  (2, 300, 1, 0, 7000, x'1b5b33316dff0a2c22', NULL, 1, 4096, 0, 0, 1, 1);
-- id, kind, is_family, dev_major, dev_minor, inode, alias, path, size_bytes, resident_bytes,
-- mapped_bytes, swapped_bytes, links, fate, object, tag, exporter, elsewhere_bytes, shared_bytes, backing
INSERT INTO objects VALUES
  (0, 'memfd', 0, 0, 1, 10, 0, '/memfd:frames (deleted)', 1048576, 786432, 524288, 131072, 0, 'freed', '', 'frames', NULL, 0, 0, NULL),
  (1, 'dmabuf', 0, 0, 11, 20, 0, '/dmabuf:preview', 4194304, 4194304, 0, 0, 1, 'freed', '', 'preview', 'system', 0, 0, NULL),
  (2, 'drm', 0, 226, 128, 7, 0, NULL, 8388608, 6291456, 0, 0, NULL, 'freed', '', 'system0', 'i915', 2097152, 2097152, NULL),
  (3, 'drm', 0, 226, 128, 7, 2, NULL, 16777216, 16777216, 0, 0, NULL, 'freed', '', 'vram0', 'i915', 16777216, 0, NULL),
  (4, 'memfd', 0, 0, 1, 11, 0, '/memfd:ring (deleted)', 65536, 65536, 0, 0, 0, 'freed', '', 'ring', NULL, 0, 0, NULL),
  (5, 'dmabuf', 0, 0, 11, 21, 0, '/dmabuf:', 65536, 65536, 0, 0, 1, 'freed', '', NULL, 'udmabuf', 65536, 0, 4),
  (6, 'dmabuf', 0, 0, 11, 22, 0, '/dmabuf:', 32768, 32768, 0, 0, 1, 'freed', '', NULL, 'udmabuf', 0, 0, NULL),
  (7, 'dmabuf', 0, 0, 11, 23, 0, '/dmabuf:', 12582912, NULL, 0, 0, 1, 'freed', '', NULL, 'drm', 0, 0, NULL),
  (8, 'shmem', 0, 0, 21, 30, 0, x'2f6465762f73686d2f1b5b33316d0a', 4096, 4096, 4096, 0, 1, 'kept', '', x'2f6465762f73686d2f1b5b33316d0a', NULL, 0, 0, NULL),
  (9, 'sysv', 0, 0, 1, 3, 0, NULL, 8192, 8192, 0, 0, 0, 'kept', '', NULL, NULL, 0, 0, NULL),
  (10, 'io-uring', 0, 0, 14, 40, 0, 'anon_inode:[io_uring]', 12288, 12288, 0, 0, 1, 'freed', '', NULL, NULL, 12288, 0, NULL),
  (11, 'announced', 0, 0, 0, 104857601, 0, NULL, 25165824, NULL, 0, NULL, NULL, NULL, '', 'camera: preview', 'camera', 0, 0, NULL),
  (12, 'announced', 0, 0, 0, 104857602, 0, NULL, 4096, NULL, 0, NULL, NULL, NULL, '', NULL, 'camera', 0, 0, NULL);
-- id, process, start, end, perms, offset_bytes, kind, name, name_source, path, object, family, exact,
-- inexact_why, own_anon_bytes, own_swap_bytes; then rss, pss, uss, shared, swap, swap_pss, anon, file, shmem, thp, hugetlb; locked
INSERT INTO regions VALUES
  (0, 0, 0x7f0000000000, 0x7f0000080000, 'rw-s', 0, 'memfd', NULL, NULL, '/memfd:frames (deleted)', 0, NULL, 1, NULL, 0, 0,
   524288, 262144, 0, 524288, 0, 0, 0, 0, 524288, 0, 0, 0),
  (1, 1, 0x7f1000000000, 0x7f1000100000, 'r--s', 0, 'memfd', NULL, NULL, '/memfd:frames (deleted)', 0, NULL, 1, NULL, 0, 0,
   524288, 262144, 0, 524288, 0, 0, 0, 0, 524288, 0, 0, 0),
  (2, 2, 0x7f2000000000, 0x7f2000001000, 'rw-s', 0, 'shmem', NULL, NULL, x'2f6465762f73686d2f1b5b33316d0a', 8, NULL, 1, NULL, 0, 0,
   4096, 4096, 4096, 0, 0, 0, 0, 0, 4096, 0, 0, 0);
INSERT INTO sets VALUES (0, NULL, 0, 1, 1, 0, 0, 0), (1, 0, 1, 2, 1, 524288, 0, 0);
INSERT INTO holders VALUES (0, 0, 0, 3, 0), (1, 0, 0, 4, 0), (2, 1, 0, 5, 0), (3, 1, 1, 5, 0), (4, 2, 0, 6, 0), (5, 2, 1, 6, 0),
  (6, 3, 0, 6, 0), (7, 3, 1, 6, 0), (8, 4, 0, 7, 0), (9, 5, 1, 8, 0), (10, 6, 1, 9, 0), (11, 7, 1, 10, 0), (12, 10, 2, 4, 0),
  (13, 11, 0, -1, 1), (14, 11, 1, -1, 3);
INSERT INTO in_flight VALUES (0, 77, 0, 11, 2), (1, 77, 1, 11, 2), (2, 77, 1, 12, 2);
INSERT INTO meminfo VALUES (0, 'MemTotal', 1073741824), (1, 'MemFree', 536870912), (2, 'Shmem', 25165824),
  (3, 'dmabuf_bytes', 4227072), (4, 'tmpfs_unopened_bytes', 20971520), (5, 'shmem_hidden_bytes', 3145728);
