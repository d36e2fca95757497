// SPDX-License-Identifier: MIT
/*
 * A static program without a C library that tries once to name its memory, as Go's runtime does, and never
 * again after a refusal. Prints "ADDRESS RESULT" in hexadecimal, and ends when its input does.
 */
#include <asm/unistd.h>
#include <stddef.h>

#define PAGES 4ul
#define PAGE_BYTES 4096ul

static long call(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#else
/* cppcheck-suppress preprocessorErrorDirective */
#error "how are system calls made here?"
#endif
}

static char *hexadecimal(char *to, unsigned long number)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[number >> shift & 15];
	return to;
}

static void start(void)
{
	/* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS */
	long at = call(__NR_mmap, 0, PAGES * PAGE_BYTES, 3, 0x22, -1, 0), result;
	char text[34], *end;

	for (unsigned long i = 0; i < PAGES; i++)
		((volatile char *)at)[i * PAGE_BYTES] = 1;
	result = call(__NR_prctl, 0x53564d41, 0, at, PAGES * PAGE_BYTES, (long)"static: once", 0);
	end = hexadecimal(text, (unsigned long)at);
	*end++ = ' ';
	end = hexadecimal(end, (unsigned long)result);
	*end++ = '\n';
	call(__NR_write, 1, (long)text, end - text, 0, 0, 0);
	while (call(__NR_read, 0, (long)text, sizeof(text), 0, 0, 0) > 0)
		;
	call(__NR_exit_group, 0, 0, 0, 0, 0, 0);
}

#if defined(__x86_64__)
__attribute__((force_align_arg_pointer))
#endif
void _start(void);

void _start(void)
{
	start();
}
