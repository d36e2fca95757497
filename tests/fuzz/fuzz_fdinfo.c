// SPDX-License-Identifier: MIT
/*
 * fdinfo comes from drivers, and names in it from strangers: splitting stays inside the text, and what each
 * class makes of any lines stays within its bounds.
 */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffers/buffer.h"
#include "kernel/fdinfo.h"

struct reading {
	const char *text;
	size_t size, lines;
	const struct buffer_class *class;
	struct buffer_facts *facts;
};

static void take_line(const char *key, const char *value, void *arg)
{
	struct reading *r = arg;

	r->lines++;
	FUZZ_HOLDS(key >= r->text && key <= r->text + r->size);
	FUZZ_HOLDS(!*value || (value >= r->text && value <= r->text + r->size));
	r->class->line(r->facts, key, value);
}

static void check_facts(const struct buffer_facts *facts)
{
	FUZZ_HOLDS(facts->part_count <= BUFFER_PARTS_MAX);
	FUZZ_HOLDS(memchr(facts->tag, '\0', sizeof(facts->tag)));
	FUZZ_HOLDS(memchr(facts->exporter, '\0', sizeof(facts->exporter)));
	FUZZ_HOLDS(memchr(facts->device, '\0', sizeof(facts->device)));
	FUZZ_HOLDS(!facts->resident_known || facts->elsewhere_bytes <= facts->resident_bytes);
	for (size_t i = 0; i < facts->part_count; i++)
		FUZZ_HOLDS(memchr(facts->parts[i].tag, '\0', sizeof(facts->parts[i].tag)));
}

static void read_as(const struct buffer_class *class, const uint8_t *data, size_t size)
{
	static const struct buffer_clues nothing = { 0 };
	struct buffer_facts facts = { 0 };
	char *text = malloc(size + 1);
	struct reading reading = { text, size, 0, class, &facts };

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	fdinfo_parse(text, size, take_line, &reading);
	FUZZ_HOLDS(reading.lines <= size);
	if (class->settle)
		class->settle(&nothing, &facts);
	check_facts(&facts);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (const struct buffer_class *const *class = buffer_classes; *class; class ++)
		if ((*class)->line)
			read_as(*class, data, size);
	return 0;
}
