#ifndef MIEN_COMMON_H
#define MIEN_COMMON_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define MIEN_EXPORT __declspec(dllexport)
#else
#define MIEN_EXPORT
#endif

/* One body compiled for several processors, the best chosen where it is loaded. clang's way does not link in a library. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define MIEN_HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MIEN_HOT
#endif

#endif
