/* The account of `altgrad bench`, as the timed kernels write into it (bench_parts.c).
 *
 * What a perfect kernel would move is counted in floats: each array that is read or written once.
 * Products count multiply-adds instead, since their operands are used again and again in the
 * caches; what is small beside the rest (scales, means of rows) is left out. So a bound is never
 * too high, and "reached" never flatters. */
#ifndef AG_APP_BENCH_ACCOUNT_H
#define AG_APP_BENCH_ACCOUNT_H

#include "bench.h"

/* A call that began at `start_s` and moved so many floats. */
void ag_bench_add(ag_bench_part part, double start_s, size_t floats);
void ag_bench_add_multiply_adds(ag_bench_part part, ag_bench_kind kind, double count);

/* A call that took the product `s`: so many results, each a sum of s->K. */
void ag_bench_add_product(ag_bench_part part, double start_s, const ag_product *s, double results);
/* Whether it is one of attention's, which take those of a table when operands are quantised. */
bool ag_bench_is_attention(const ag_product *s);

/* They put their timed kernels into the table, each in place of the fast one that it calls. */
void ag_bench_time_products(ag_kernels *table);
void ag_bench_time_layers(ag_kernels *table);
void ag_bench_time_updates(ag_kernels *table);

#endif
