/* What the engines' files share: how an operand is read, and the names of what each engine brings.
 */
#ifndef AG_PRODUCTS_INTERNAL_H
#define AG_PRODUCTS_INTERNAL_H

#include "base/bits.h"
#include "products/engine.h"

#define INLINE static inline __attribute__((always_inline))

enum {
    /* A panel of codes, 64 x 528 words of b: 132 KiB, for the second cache. The rows are a segment
     * and what codes need beside their words. */
    PANEL_COLUMNS = 64,
    PANEL_ROWS = 528,
};

/* A value of a's or b's row: any word but codes. */
float ag_words_value(const ag_words *words, size_t row, size_t k);

/* The same operand with scales: where it has none, all point at one 1. */
ag_words ag_words_scaled(const ag_words *words);

static inline const uint32_t *word_at(const ag_words *words, size_t row, size_t i)
{
    return (const uint32_t *)words->words + row * words->row_step + i * words->k_step;
}

static inline const float *scale_at(const ag_words *words, size_t row, size_t block)
{
    return words->scales + row * words->scale_row_step + block * words->scale_step;
}

/* The two halves of a pair as bits of floats. */
static inline uint32_t pair_first(uint32_t pair)
{
    return pair & 0xffff0000u;
}

static inline uint32_t pair_second(uint32_t pair)
{
    return pair << 16;
}

/* Code i of a word. */
static inline int code_of(uint32_t word, size_t i)
{
    return (int)(word >> 8 * i & 0xff) - 128;
}

extern const ag_by_panels ag_floats_portable_by_panels;
ag_multiply_fn ag_floats_portable, ag_pairs_portable, ag_codes_portable;
ag_pair_along_fn ag_pair_along_portable;
ag_pair_across_fn ag_pair_across_portable;
ag_pair_range_fn ag_pair_range_portable;

ag_spin_fn ag_spin_floats_portable, ag_spin_codes_portable;

#if defined(__x86_64__)
extern const ag_by_panels ag_floats_avx2_by_panels, ag_floats_avx512_by_panels;
extern const ag_by_panels ag_pairs_bf16_by_panels;
ag_spin_fn ag_spin_floats_avx2, ag_spin_floats_avx512, ag_spin_pairs_bf16;
ag_spin_fn ag_spin_codes_avx2, ag_spin_codes_avx512, ag_spin_codes_vnni;
ag_multiply_fn ag_floats_avx2, ag_codes_avx2, ag_codes_floats_avx2;
ag_multiply_fn ag_floats_avx512, ag_codes_avx512;
ag_multiply_fn ag_codes_vnni, ag_pairs_bf16;
ag_pair_along_fn ag_pair_along_avx2, ag_pair_along_avx512;
ag_pair_across_fn ag_pair_across_avx2, ag_pair_across_avx512;
ag_pair_range_fn ag_pair_range_avx2, ag_pair_range_avx512;
#elif defined(__aarch64__)
extern const ag_by_panels ag_floats_neon_by_panels;
ag_spin_fn ag_spin_floats_neon, ag_spin_codes_neon;
ag_multiply_fn ag_floats_neon, ag_codes_neon;
ag_pair_along_fn ag_pair_along_neon;
ag_pair_across_fn ag_pair_across_neon;
ag_pair_range_fn ag_pair_range_neon;
#endif

#endif
