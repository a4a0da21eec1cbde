/* What the files of accumulated products share: the room of a thread, one step's arguments, and
 * rounding to a register. */
#ifndef AG_ACCUMULATE_INTERNAL_H
#define AG_ACCUMULATE_INTERNAL_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "numerics/accumulator.h"

/* A tile of c, and how deep its operands are read at a time: at least AG_MOST_TERMS. */
enum { AG_LANES = 16, AG_TILE_ROWS = 32, AG_DEPTH = 256 };

/* The exponent of what takes no part: less than any, also where two are added. */
enum { AG_LEFT_OUT = -100000 };

/* A tile of c and its operands. One per thread, static, so that no thread's stack must hold 130
 * KiB. */
struct ag_accumulate_room {
    double a[AG_TILE_ROWS][AG_DEPTH]; /* codes, */
    int a_exponent[AG_TILE_ROWS][AG_DEPTH];
    double b[AG_DEPTH][AG_LANES];
    int b_exponent[AG_DEPTH][AG_LANES];
    float part[AG_TILE_ROWS][AG_LANES]; /* c */
    float sum[AG_TILE_ROWS][AG_LANES];  /* with promote: the outer one */
    bool odd;                           /* some code is Inf or NaN */
};

/* One step: `count` products of one a and of each lane's b. */
typedef struct ag_step {
    const double *a;
    const int *a_exponent;
    const double (*b)[AG_LANES];
    const int (*b_exponent)[AG_LANES];
    size_t count;
} ag_step;

/* c of each lane after the step; a chain takes all its `count` steps. */
void ag_accumulate_step(float c[AG_LANES], const ag_step *step, const ag_accumulator *accumulator,
                        bool odd);

static inline int ag_double_exponent(double x)
{
    return (int)(ag_double_bits(x) >> 52 & 0x7ff) - 1023;
}

/* 2^e for -1022 <= e <= 1023, by its bits: ldexp would keep loops from vectors. */
static inline double ag_double_power(int e)
{
    return ag_bits_double((uint64_t)(e + 1023) << 52);
}

/* max(floor(log2 |x|), emin) of a float32, AG_LEFT_OUT for 0 */
static inline int ag_exponent_of(double x, int emin)
{
    int e = ag_double_exponent(x);
    return x == 0 ? AG_LEFT_OUT : e > emin ? e : emin;
}

/* x rounded to a register, toward zero or to nearest even; overflow is Inf (toward zero: the
 * largest value, as IEEE 754 has it, unless x reaches the next power of two), NaN stays. Exact in
 * double: x has an exponent of at least -700. In steps of its last place x is a whole number and a
 * part behind the point, which rint() rounds to even; where a register has no mantissa bits, even
 * is said of the code, i.e. of the exponent. */
static inline double ag_round_register(double x, const ag_register *number, bool toward_zero)
{
    enum { BEYOND = 300 };
    int e = ag_double_exponent(x);
    e = e < number->emin ? number->emin : e > BEYOND ? BEYOND : e;
    double steps = x * ag_double_power(number->mantissa - e);
    double rounded = toward_zero ? trunc(steps) : rint(steps);
    if (number->mantissa == 0 && !toward_zero && fabs(steps) == 1.5 && (e - number->emin) % 2 != 0)
        rounded = trunc(steps); /* the even code is the lower one */
    double value = rounded * ag_double_power(e - number->mantissa);
    double max = number->max;
    double end = ag_double_power(ag_double_exponent(max) + 1);
    double beyond = toward_zero && fabs(x) < end ? max : (double)INFINITY;
    return fabs(value) > max ? copysign(beyond, x) : value;
}

#endif
