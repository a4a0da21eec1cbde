/* The steps of the accumulators, lane by lane. What tensor cores do was measured by others on real
 * cards (numerics/accumulator.h names the sources); here it is written down once for all of them:
 * align to the largest exponent, cut, add exactly, round. */
#include "accumulate_internal.h"

#include "base/clones.h"

/* E is held between these, so that powers of two stay within double and none of its results is
 * subnormal; that of an infinite c is BEYOND. */
enum { LEAST = -700, BEYOND = 300, NVFP4_GROUP = 16, MI300_BITS = 24 };

static inline int larger(int a, int b)
{
    return a > b ? a : b;
}

/* A chain into float32: of the fused multiply-add's result nothing is left to round. */
AG_CLONES static void add_float_chain(float c[AG_LANES], const ag_step *step)
{
    for (size_t k = 0; k < step->count; k++)
        for (size_t j = 0; j < AG_LANES; j++)
            c[j] = fmaf((float)step->a[k], (float)step->b[k][j], c[j]);
}

/* ag_round_register to nearest of a float32, 1 <= mantissa < 23, in fewer steps: a carry of the
 * bits runs into the exponent by itself; below emin a sum with a large number drops the rest. */
static inline float round_nearest(float x, const ag_register *number)
{
    const int dropped = 23 - number->mantissa;
    const uint32_t below = (1u << dropped) - 1;
    const float large = (float)(1.5 * ag_double_power(dropped + number->emin));
    const float least = (float)ag_double_power(number->emin);
    uint32_t bits = ag_float_bits(x);
    float normal = ag_bits_float((bits + (below >> 1) + (bits >> dropped & 1)) & ~below);
    float small = copysignf((fabsf(x) + large) - large, x);
    float value = fabsf(x) < least ? small : normal;
    value = fabsf(value) > number->max ? copysignf(INFINITY, x) : value;
    return x == x ? value : x;
}

AG_CLONES static void add_nearest_chain(float c[AG_LANES], const ag_step *step,
                                        const ag_accumulator *accumulator)
{
    const ag_register into = accumulator->into;
    for (size_t k = 0; k < step->count; k++)
        for (size_t j = 0; j < AG_LANES; j++)
            c[j] = round_nearest(fmaf((float)step->a[k], (float)step->b[k][j], c[j]), &into);
}

AG_CLONES static void add_any_chain(float c[AG_LANES], const ag_step *step,
                                    const ag_accumulator *accumulator)
{
    const ag_register into = accumulator->into;
    for (size_t k = 0; k < step->count; k++) {
        for (size_t j = 0; j < AG_LANES; j++) {
            float s = fmaf((float)step->a[k], (float)step->b[k][j], c[j]);
            c[j] = (float)ag_round_register(s, &into, accumulator->toward_zero);
        }
    }
}

static void add_chain(float c[AG_LANES], const ag_step *step, const ag_accumulator *accumulator)
{
    int mantissa = accumulator->into.mantissa;
    if (mantissa == 23)
        add_float_chain(c, step);
    else if (mantissa > 0 && !accumulator->toward_zero)
        add_nearest_chain(c, step, accumulator);
    else
        add_any_chain(c, step, accumulator);
}

/* E = max(E, e_i) over every `stride`th product from `first` on */
static inline void find_exponent(int E[AG_LANES], const ag_step *step, size_t first, size_t stride)
{
    for (size_t k = first; k < step->count; k += stride)
        for (size_t j = 0; j < AG_LANES; j++)
            E[j] = larger(E[j], step->a_exponent[k] + step->b_exponent[k][j]);
}

/* S += the same products times `up`, cut toward zero */
static inline void add_cut(double S[AG_LANES], const double up[AG_LANES], const ag_step *step,
                           size_t first, size_t stride)
{
    for (size_t k = first; k < step->count; k += stride)
        for (size_t j = 0; j < AG_LANES; j++)
            S[j] += trunc(step->a[k] * step->b[k][j] * up[j]);
}

/* The same where a term is a group's sum. */
static inline void add_cut_groups(double S[AG_LANES], const double up[AG_LANES],
                                  const ag_step *step)
{
    for (size_t k = 0; k < step->count; k += NVFP4_GROUP) {
        double sum[AG_LANES] = {0};
        for (size_t i = k; i < step->count && i < k + NVFP4_GROUP; i++)
            for (size_t j = 0; j < AG_LANES; j++)
                sum[j] += step->a[i] * step->b[i][j];
        for (size_t j = 0; j < AG_LANES; j++)
            S[j] += trunc(sum[j] * up[j]);
    }
}

/* Two loops, so that each is one of vectors. */
static inline void round_lanes(float c[AG_LANES], const double sums[AG_LANES],
                               const ag_register *into, bool toward_zero)
{
    if (toward_zero)
        for (size_t j = 0; j < AG_LANES; j++)
            c[j] = (float)ag_round_register(sums[j], into, true);
    else
        for (size_t j = 0; j < AG_LANES; j++)
            c[j] = (float)ag_round_register(sums[j], into, false);
}

/* One step of a block: E is the largest exponent of the terms and c; each is cut toward zero to a
 * multiple of 2^(E - F), i.e. to a whole number after scaling by 2^(F - E); the sum is exact. */
AG_CLONES static void add_block(float c[AG_LANES], const ag_step *step,
                                const ag_accumulator *accumulator)
{
    const ag_register into = accumulator->into;
    const int least = larger(accumulator->floor, LEAST);
    int E[AG_LANES];
    double up[AG_LANES];
    double S[AG_LANES];
    for (size_t j = 0; j < AG_LANES; j++) {
        int e = ag_exponent_of(c[j], into.emin);
        E[j] = larger(e < BEYOND ? e : BEYOND, least);
    }
    find_exponent(E, step, 0, 1);
    for (size_t j = 0; j < AG_LANES; j++) {
        up[j] = ag_double_power(accumulator->fraction - E[j]);
        S[j] = trunc(c[j] * up[j]);
    }
    if (accumulator->kind == AG_ACCUMULATE_NVFP4)
        add_cut_groups(S, up, step);
    else
        add_cut(S, up, step, 0, 1);
    for (size_t j = 0; j < AG_LANES; j++) {
        S[j] *= ag_double_power(E[j] - accumulator->fraction);
    }
    round_lanes(c, S, &into, accumulator->toward_zero);
}

/* The sum of some products alone, in units of 2^(E - 24), E the largest exponent among them. */
static inline void add_mi300_products(double S[AG_LANES], int E[AG_LANES], const ag_step *step,
                                      size_t first, size_t stride)
{
    double up[AG_LANES];
    for (size_t j = 0; j < AG_LANES; j++) {
        S[j] = 0;
        E[j] = LEAST;
    }
    find_exponent(E, step, first, stride);
    for (size_t j = 0; j < AG_LANES; j++)
        up[j] = ag_double_power(MI300_BITS - E[j]);
    add_cut(S, up, step, first, stride);
}

/* c + s 2^(E - 24), aligned toward -Inf: s to 31 bits below the larger exponent, c to 24. */
static inline void add_mi300_sum(float c[AG_LANES], const double s[AG_LANES], const int E[AG_LANES],
                                 bool drops_small, const ag_register *into)
{
    enum { EXTRA = 7, ZERO_EXPONENT = -126 };
    for (size_t j = 0; j < AG_LANES; j++) {
        int e = larger(ag_exponent_of(c[j], ZERO_EXPONENT), ZERO_EXPONENT);
        int M = larger(E[j], e);
        double sum = floor(s[j] * ag_double_power(EXTRA + E[j] - M));
        double old = floor(c[j] * ag_double_power(MI300_BITS - M));
        if (drops_small && e < M - MI300_BITS - 1)
            old = 0;
        sum = (sum + 128 * old) * ag_double_power(M - MI300_BITS - EXTRA);
        c[j] = (float)ag_round_register(sum, into, false);
    }
}

AG_CLONES static void add_mi300(float c[AG_LANES], const ag_step *step,
                                const ag_accumulator *accumulator)
{
    const ag_register into = accumulator->into;
    double s[AG_LANES];
    int E[AG_LANES];
    add_mi300_products(s, E, step, 0, 1);
    add_mi300_sum(c, s, E, false, &into);
}

AG_CLONES static void add_mi300_fp8(float c[AG_LANES], const ag_step *step,
                                    const ag_accumulator *accumulator)
{
    const ag_register into = accumulator->into;
    double even[AG_LANES];
    double odd[AG_LANES];
    int E0[AG_LANES];
    int E1[AG_LANES];
    add_mi300_products(even, E0, step, 0, 2);
    add_mi300_products(odd, E1, step, 1, 2);
    for (size_t j = 0; j < AG_LANES; j++) {
        int N = larger(E0[j], E1[j]);
        even[j] = floor(even[j] * ag_double_power(E0[j] - N)) +
                  floor(odd[j] * ag_double_power(E1[j] - N));
        E0[j] = N;
    }
    add_mi300_sum(c, even, E0, true, &into);
}

/* Where a code or c is no number: Inf and NaN as in any order. Finite products are below 2^256, so
 * only those of numbers that are infinite make this sum so; on MI300 those beyond float32, too. */
static void add_plain(double plain[AG_LANES], const float c[AG_LANES], const ag_step *step,
                      bool overflows)
{
    for (size_t j = 0; j < AG_LANES; j++) {
        plain[j] = c[j];
        for (size_t k = 0; k < step->count; k++) {
            double product = step->a[k] * step->b[k][j];
            plain[j] +=
                overflows && fabs(product) >= 0x1p128 ? copysign(INFINITY, product) : product;
        }
    }
}

static void add_finite(float c[AG_LANES], const ag_step *step, const ag_accumulator *accumulator)
{
    if (accumulator->kind == AG_ACCUMULATE_MI300)
        add_mi300(c, step, accumulator);
    else if (accumulator->kind == AG_ACCUMULATE_MI300_FP8)
        add_mi300_fp8(c, step, accumulator);
    else
        add_block(c, step, accumulator);
}

/* Where an operand or c is Inf or NaN, aligning means nothing; the plain sum says what must come
 * out, and replaces what the step made. MI300 also overflows when a single product does. */
void ag_accumulate_step(float c[AG_LANES], const ag_step *step, const ag_accumulator *accumulator,
                        bool odd)
{
    if (accumulator->kind == AG_ACCUMULATE_CHAIN) {
        add_chain(c, step, accumulator);
        return;
    }
    bool is_block =
        accumulator->kind == AG_ACCUMULATE_BLOCK || accumulator->kind == AG_ACCUMULATE_NVFP4;
    if (is_block && !odd) { /* what c has of Inf and NaN stays in its sum */
        add_block(c, step, accumulator);
        return;
    }
    bool overflows = accumulator->kind == AG_ACCUMULATE_MI300;
    for (size_t j = 0; j < AG_LANES; j++)
        odd |= !isfinite(c[j]);
    double plain[AG_LANES];
    if (odd || overflows)
        add_plain(plain, c, step, overflows);
    add_finite(c, step, accumulator);
    for (size_t j = 0; j < AG_LANES && (odd || overflows); j++) {
        if (!isfinite(plain[j]))
            c[j] = (float)plain[j];
    }
}
