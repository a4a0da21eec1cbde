/* How a loop is compiled for the widest vectors of the machine at hand: one version for each level
 * of x86-64, chosen when the program starts. Elsewhere the compiler's own target stands, and with
 * musl, which cannot choose (it has no ifunc). No value depends on the choice. */
#ifndef AG_BASE_CLONES_H
#define AG_BASE_CLONES_H

#include <limits.h> /* of glibc, it says that it is */

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define AG_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define AG_CLONES
#endif

#endif
