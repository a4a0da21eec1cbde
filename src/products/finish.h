/* From sums to results: compiled for each engine's vectors. */
#ifndef AG_PRODUCTS_FINISH_H
#define AG_PRODUCTS_FINISH_H

#include "products_internal.h"

static inline void finish_scale(float *row, const ag_finish *finish, size_t m, size_t n0, size_t n)
{
    const float *each = finish->columns.each;
    const float of_row = finish->rows.each != NULL ? finish->rows.each[m] : finish->rows.all;
    if (each == NULL)
        for (size_t i = 0; i < n; i++)
            row[i] = row[i] * of_row * finish->columns.all;
    else
        for (size_t i = 0; i < n; i++)
            row[i] = row[i] * of_row * each[n0 + i];
}

static inline uint32_t bf16_bits(uint32_t bits)
{
    bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u;
    return is_nan ? 0x7fc00000u : rounded;
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
            row[i] = ag_bits_float(bf16_bits(ag_float_bits(row[i])));
    if (finish->onto != NULL) {
        float *onto = finish->onto + m * finish->onto_step + n0;
        for (size_t i = 0; i < n; i++)
            onto[i] += row[i];
    } else {
        float *c = p->c + m * p->c_step + n0;
        for (size_t i = 0; i < n; i++)
            c[i] = row[i];
    }
}

static inline bool is_plain(const ag_finish *finish)
{
    return !finish->scaled && finish->bias == NULL && !finish->bf16 && finish->onto == NULL;
}

/* The same for `rows` rows from m on, whose sums are `step` apart and may lie in c. */
static inline void finish_rows(const ag_product *p, float *sums, size_t step, size_t m, size_t rows,
                               size_t n0, size_t n)
{
    if (is_plain(&p->finish) && sums == p->c + m * p->c_step + n0)
        return;
    for (size_t r = 0; r < rows; r++)
        finish_row(p, sums + r * step, m + r, n0, n);
}

#endif
