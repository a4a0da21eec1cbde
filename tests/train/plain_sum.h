/* Accumulators restated plainly, one product at a time in whole numbers: what layers are held
 * against. Chains and blocks, with promotion. */
#ifndef AG_TESTS_PLAIN_SUM_H
#define AG_TESTS_PLAIN_SUM_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "numerics/accumulator.h"

/* A product: exact, its exponent e_i, and the scale that waits for the promotion. */
typedef struct plain_term {
    double value;
    int exponent;
    float scale;
    int group; /* terms that follow one another in one group are one term; -1: alone */
} plain_term;

static inline int plain_exponent(double x, int emin)
{
    int e = emin;
    while (fabs(x) >= ldexp(1, e + 1))
        e++;
    return e;
}

/* mantissa * 2^exponent to the register; for finite results. */
static inline double plain_round(int64_t mantissa, int exponent, const ag_register *into,
                                 bool toward_zero)
{
    int64_t magnitude = llabs(mantissa);
    int step = into->emin - into->mantissa;
    while (ldexp((double)magnitude, exponent) >= ldexp(1, step + into->mantissa + 1))
        step++;
    if (step <= exponent)
        return ldexp((double)mantissa, exponent);
    int shift = step - exponent < 62 ? step - exponent : 62;
    int64_t whole = magnitude >> shift;
    int64_t rest = magnitude - (whole << shift);
    int64_t half = (int64_t)1 << (shift - 1);
    if (!toward_zero && (rest > half || (rest == half && whole % 2 == 1)))
        whole++;
    return copysign(ldexp((double)whole, step), (double)mantissa);
}

/* A float32 as mantissa and exponent. */
static inline double plain_round_float(double x, const ag_register *into, bool toward_zero)
{
    int e = 0;
    double mantissa = frexp(x, &e);
    return plain_round((int64_t)ldexp(mantissa, 53), e - 53, into, toward_zero);
}

/* c after a block of terms */
static inline double plain_block(double c, const plain_term *terms, size_t count,
                                 const ag_accumulator *how)
{
    int E = how->floor == AG_NO_FLOOR ? -400 : how->floor;
    int64_t sum = 0;
    if (c != 0 && plain_exponent(c, how->into.emin) > E)
        E = plain_exponent(c, how->into.emin);
    for (size_t i = 0; i < count; i++) {
        bool counts = terms[i].value != 0 || terms[i].group >= 0;
        if (counts && terms[i].exponent > E)
            E = terms[i].exponent;
    }
    sum += (int64_t)ldexp(c, how->fraction - E);
    for (size_t i = 0; i < count;) {
        double value = terms[i].value;
        size_t next = i + 1;
        while (next < count && terms[i].group >= 0 && terms[next].group == terms[i].group)
            value += terms[next++].value;
        sum += (int64_t)ldexp(value, how->fraction - E);
        i = next;
    }
    return plain_round(sum, E - how->fraction, &how->into, how->toward_zero);
}

static inline double plain_sum(const plain_term *terms, size_t count, const ag_accumulator *how)
{
    size_t part = how->promote > 0 ? (size_t)how->promote : count;
    size_t step = (size_t)how->terms;
    double outer = 0;
    for (size_t k = 0; k < count; k += part) {
        size_t end = k + part < count ? k + part : count;
        double c = 0;
        for (size_t i = k; i < end; i += step) {
            size_t most = i + step < end ? step : end - i;
            if (how->kind ==
                AG_ACCUMULATE_CHAIN) /* the product is exact in double; so is its sum */
                c = plain_round_float((float)(terms[i].value + c), &how->into, how->toward_zero);
            else
                c = plain_block(c, terms + i, most, how);
        }
        if (how->promote == 0)
            return c;
        outer = plain_round_float(fmaf((float)c, terms[k].scale, (float)outer), &how->outer, false);
    }
    return outer;
}

#endif
