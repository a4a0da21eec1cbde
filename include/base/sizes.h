/* Sizes of pieces: the arithmetic that nearly every loop over blocks needs. */
#ifndef AG_BASE_SIZES_H
#define AG_BASE_SIZES_H

#include <stddef.h>

static inline size_t ag_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t ag_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* How many pieces of `size` cover `count`, the last of them perhaps shorter. */
static inline size_t ag_pieces(size_t count, size_t size)
{
    return (count + size - 1) / size;
}

#endif
