/* Products as their definition in products.h reads, one element at a time: the judge of all
 * engines, in tests and in engine_proof.c. */
#include <math.h>

#include "finish.h"

/* Whether element (m, i) lies beyond the product's triangle, if it has this one: c is not wanted
 * there, or a counts as zero. */
static bool is_beyond(const ag_product *p, ag_triangle triangle, size_t m, size_t i)
{
    const ptrdiff_t from_edge = (ptrdiff_t)i - (ptrdiff_t)m - p->diagonal;
    return p->triangle == triangle &&
           (triangle == AG_TRIANGLE_A_UPPER ? from_edge < 0 : from_edge > 0);
}

/* The chain of one segment. */
static float segment_sum(const ag_product *p, size_t m, size_t n, size_t begin, size_t end)
{
    float s = 0;
    for (size_t k = begin; k < end; k++)
        if (!is_beyond(p, AG_TRIANGLE_A_LOWER, m, k) && !is_beyond(p, AG_TRIANGLE_A_UPPER, m, k))
            s = fmaf(ag_words_value(&p->a, m, k), ag_words_value(&p->b, n, k), s);
    return s;
}

/* The segments of one element, added in order; `first` moves their ends. */
static float chained(const ag_product *p, size_t m, size_t n)
{
    const size_t rest = AG_SEGMENT - p->first; /* of the first segment */
    float c = segment_sum(p, m, n, 0, ag_smaller(rest, p->K));
    for (size_t k = rest; k < p->K; k += AG_SEGMENT)
        c += segment_sum(p, m, n, k, ag_smaller(k + AG_SEGMENT, p->K));
    return c;
}

/* The exact sum of `count` products of codes, from word i on. */
static float block_sum(const ag_product *p, size_t m, size_t n, size_t i, size_t count)
{
    int64_t sum = 0;
    for (size_t k = 0; k < count; k++) {
        int64_t a = code_of(*word_at(&p->a, m, i + k / 4), k % 4);
        int64_t b = code_of(*word_at(&p->b, n, i + k / 4), k % 4);
        sum += a * b;
    }
    return (float)sum;
}

/* The blocks of codes: exact sums, their scales, and one fused multiply-add per block. */
static float blockwise(const ag_product *p, size_t m, size_t n)
{
    const ag_words a = ag_words_scaled(&p->a);
    const ag_words b = ag_words_scaled(&p->b);
    const size_t block = p->block == 0 ? p->K : p->block;
    float c = 0;
    for (size_t j = 0; j * block < p->K; j++) {
        const size_t first_word = j * ag_words_of(AG_WORD_CODES, block);
        float sum = block_sum(p, m, n, first_word, ag_block_length(p->K, block, j));
        c = fmaf(sum, *scale_at(&a, m, j) * *scale_at(&b, n, j), c);
    }
    return c;
}

void ag_product_ref(const ag_product *p)
{
    const bool codes = p->b.word == AG_WORD_CODES;
    for (size_t m = 0; m < p->M; m++) {
        for (size_t n = 0; n < p->N; n++) {
            if (is_beyond(p, AG_TRIANGLE_C_LOWER, m, n))
                continue;
            float sum = codes ? blockwise(p, m, n) : chained(p, m, n);
            finish_row(p, &sum, m, n, 1);
        }
    }
}
