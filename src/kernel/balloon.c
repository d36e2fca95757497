// SPDX-License-Identifier: MIT
/*
 * Looks for a virtio balloon among the devices; neither inflates nor deflates it.
 */
#include "kernel/balloon.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/entries.h"

#define DEVICES "sys/bus/virtio/devices"
#define BALLOON_ID 5 /* VIRTIO_ID_BALLOON */
#define DEFLATE_ON_OOM 2

static int look(const struct kroot *root, const char *name, void *arg)
{
	char id[16], features[256];

	if (kroot_read(root, id, sizeof(id), DEVICES "/%s/device", name) < 0 ||
	    strtoul(id, NULL, 16) != BALLOON_ID)
		return 0;
	/* One character for each bit, from bit 0 on: 64 of them, or 128. */
	ssize_t len = kroot_read(root, features, sizeof(features), DEVICES "/%s/features", name);

	if (len > DEFLATE_ON_OOM && features[DEFLATE_ON_OOM] == '1')
		*(bool *)arg = true;
	return 0;
}

bool balloon_in_total(const struct kroot *root)
{
	bool found = false;

	(void)entries_each(root, DEVICES, look, &found);
	return found;
}
