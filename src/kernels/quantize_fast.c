/* Operands quantised with one scale. */
#include "philox_lanes.h"
#include "quantize_grid.h"

AG_CLONES static void quantize_on_grid(float *out, const float *x, size_t count, float scale,
                                       const grid *shared)
{
    const grid g = *shared;
    if (has_integers(&g))
        for (size_t i = 0; i < count; i++)
            out[i] = nearest_integer(x[i] * scale, &g) * g.shift;
    else
        for (size_t i = 0; i < count; i++)
            out[i] = nearest(x[i] * scale, &g) * g.shift;
}

void ag_quantize_fast(float *out, const float *x, size_t count, const ag_format *format,
                      float scale, ag_overflow overflow)
{
    if (!grid_exists(format)) {
        ag_quantize_ref(out, x, count, format, scale, overflow);
        return;
    }
    const grid g = grid_of(format, overflow);
    quantize_on_grid(out, x, count, scale, &g);
}

AG_CLONES static void quantize_stochastic_on_grid(float *out, const float *x, size_t count,
                                                  float scale, const grid *shared,
                                                  const philox_place *place, uint64_t first)
{
    const grid g = *shared;
    size_t skipped = first & 3; /* words of the first group that belong to earlier elements */
    uint64_t group = first >> 2;
    for (size_t i = 0; i < count;) {
        uint32_t words[PHILOX_WORDS];
        philox_lanes(words, place, group);
        size_t fits = PHILOX_WORDS - skipped;
        size_t n = count - i < fits ? count - i : fits;
        for (size_t j = 0; j < n; j++)
            out[i + j] = stochastic(x[i + j] * scale, words[skipped + j], &g) * g.shift;
        i += n;
        group += PHILOX_GROUPS;
        skipped = 0;
    }
}

void ag_quantize_stochastic_fast(float *out, const float *x, size_t count, const ag_format *format,
                                 float scale, ag_overflow overflow, const ag_rounding_site *where,
                                 uint64_t first)
{
    if (!grid_exists(format)) {
        ag_quantize_stochastic_ref(out, x, count, format, scale, overflow, where, first);
        return;
    }
    const grid g = grid_of(format, overflow);
    const philox_place place = {where->key, where->use, where->site, where->step};
    quantize_stochastic_on_grid(out, x, count, scale, &g, &place, first);
}
