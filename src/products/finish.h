/* From sums to results: scales, bias, BF16 and accumulation onto a gradient, while a tile's sums
 * are still in the cache. A header, so that it is compiled for each engine's vectors. */
#ifndef AG_PRODUCTS_FINISH_H
#define AG_PRODUCTS_FINISH_H

#include <string.h>

#include "products_internal.h"

/* row = fl(fl(row * of_row) * column): two roundings, in this order, as products.h has it. */
static inline void finish_scale(float *row, const ag_finish *finish, size_t m, size_t n0, size_t n)
{
    const float *each = finish->columns.each;
    const float of_all = finish->columns.all;
    const float of_row = ag_factor_at(&finish->rows, m);
    if (each == NULL)
        for (size_t i = 0; i < n; i++)
            row[i] = row[i] * of_row * of_all;
    else
        for (size_t i = 0; i < n; i++)
            row[i] = row[i] * of_row * (of_all * each[n0 + i]);
}

/* Row m of the result, columns n0 to n0 + n, of its sums row [n], which are overwritten. */
static inline void finish_row(const ag_product *p, float *row, size_t m, size_t n0, size_t n)
{
    const ag_finish *finish = &p->finish;
    if (finish->scaled)
        finish_scale(row, finish, m, n0, n);
    if (finish->bias != NULL)
        for (size_t i = 0; i < n; i++)
            row[i] += finish->bias[n0 + i];
    if (finish->bf16)
        for (size_t i = 0; i < n; i++)
            row[i] = ag_bits_float(ag_bf16_bits(ag_float_bits(row[i])));
    if (finish->onto != NULL) {
        float *onto = finish->onto + m * finish->onto_step + n0;
        for (size_t i = 0; i < n; i++)
            onto[i] = (finish->anew ? 0.0f : onto[i]) + row[i];
    } else {
        memcpy(p->c + m * p->c_step + n0, row, n * sizeof *row);
    }
}

/* The same for `rows` rows from m on, whose sums are `step` apart. */
static inline void finish_rows(const ag_product *p, float *sums, size_t step, size_t m, size_t rows,
                               size_t n0, size_t n)
{
    for (size_t r = 0; r < rows; r++)
        finish_row(p, sums + r * step, m + r, n0, n);
}

#endif
