/* SPDX-License-Identifier: MIT */
/*
 * What neighbour.c tells capture.c about itself; nothing else.
 */
#ifndef MEMOIR_TESTS_SANITIZE_NEIGHBOUR_H
#define MEMOIR_TESTS_SANITIZE_NEIGHBOUR_H

/* Addresses in the neighbour's own address space. */
struct neighbour {
	void *own;
	void *shared;
};

#endif
