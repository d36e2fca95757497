/* SPDX-License-Identifier: MIT */
/*
 * Numbers and times as text: the one place that decides how bytes read.
 */
#ifndef MEMOIR_PRESENT_NUMBER_H
#define MEMOIR_PRESENT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for any number below, with its NUL. */
#define NUMBER_MAX 32

/* Each writes a NUL behind and returns the length without it. */

/* "18446744073709551615" */
size_t number_decimal(uint64_t value, char buf[NUMBER_MAX]);
/* Lower case hex of at least `digits` digits, without 0x. */
size_t number_hex(uint64_t value, unsigned int digits, char buf[NUMBER_MAX]);
/* "0", "512B", "64.0KiB", "1.25GiB": three digits that count, powers of 1024, rounded to nearest. */
size_t number_bytes(uint64_t bytes, char buf[NUMBER_MAX]);
/* "0", "+64.0KiB", "-1.25GiB"; plain: "+65536". */
size_t number_delta(int64_t bytes, bool plain, char buf[NUMBER_MAX]);
/* "-65536", as programs read it. */
size_t number_signed(int64_t value, char buf[NUMBER_MAX]);
/* "12.3%"; part and whole of any size. */
size_t number_percent(uint64_t part, uint64_t whole, char buf[NUMBER_MAX]);
/* "2024-05-17T09:30:00.123Z" from ns since 1970. */
size_t number_time(uint64_t time_ns, char buf[NUMBER_MAX]);

/* "4096", "64k", "1.5GiB", "2M": powers of 1024, at least 1 byte. 0 or -EINVAL. */
int number_parse_bytes(const char *text, uint64_t *ret_bytes);

#endif
