/* The slow independent quantiser of the tests: all values of a format in double precision, from
 * the definition (not from the code under test), and the nearest one found by search. */
#ifndef AG_TESTS_NUMERICS_TABLE_SEARCH_H
#define AG_TESTS_NUMERICS_TABLE_SEARCH_H

#include <math.h>
#include <stddef.h>

#include "numerics/format.h"

enum { MAX_VALUES = 32768 };

typedef struct value_table {
    size_t count;
    double value[MAX_VALUES + 1]; /* rising from 0; the last one is where the next would be */
} value_table;

/* The finite magnitudes of a format with E, M, bias and so many codes, by the formula of IEEE 754:
 * 2^(1 - bias) * 0.m below the first power of two, 2^(e - bias) * 1.m above. */
static inline void value_table_fill(value_table *table, int mantissa, int bias, size_t count)
{
    double steps = ldexp(1.0, mantissa);
    table->count = count;
    for (size_t code = 0; code <= count; code++) {
        int e = (int)(code >> mantissa);
        double m = (double)(code - ((size_t)e << mantissa)) / steps;
        table->value[code] = e == 0 ? ldexp(m, 1 - bias) : ldexp(1.0 + m, e - bias);
    }
}

/* The code nearest to |x|, ties to the even one; `count` beyond half a step above the largest. */
static inline size_t value_table_nearest(const value_table *table, double magnitude)
{
    size_t low = 0;
    size_t high = table->count;
    if (magnitude >= table->value[high])
        return high;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (table->value[middle] <= magnitude)
            low = middle;
        else
            high = middle;
    }
    double below = magnitude - table->value[low]; /* exact: Sterbenz, or low is 0 */
    double above = table->value[high] - magnitude;
    if (below == above)
        return low % 2 == 0 ? low : high;
    return below < above ? low : high;
}

#endif
