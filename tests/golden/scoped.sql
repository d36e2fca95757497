-- On top of rows.sql: captured of the server and the worker only. The others are there as they share with these.
INSERT INTO meta VALUES ('scope', 'comm:server,worker user:*');
UPDATE processes SET in_scope = pid IN (100, 200);
UPDATE meta SET value = 0 WHERE key = 'partial';
DELETE FROM notes;
