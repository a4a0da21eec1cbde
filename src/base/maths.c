/* Elementary functions from IEEE double operations in a fixed order: argument reduction, a Taylor
 * polynomial long enough that its remainder is below a quarter ulp, and back (the scheme of Cody
 * and Waite, "Software Manual for the Elementary Functions", 1980). A C library would be faster,
 * but glibc picks variants by CPU and versions differ in last bits; these values enter initial
 * weights, schedules and losses, which must be the same everywhere. */
#include "base/maths.h"

#include <math.h>
#include <stdint.h>

#include "base/bits.h"

/* ln 2 and pi / 2 in parts: the leading ones have so few bits that k * part is exact for every k
 * the reduction can meet (11 bits for ln 2, 20 bits for pi / 2). */
static const double LN2_HIGH = 0x1.62e42fefa38p-1;
static const double LN2_LOW = 0x1.ef35793c7673p-45;
static const double HALF_PI_1 = 0x1.921fb544p+0;
static const double HALF_PI_2 = 0x1.0b4611a6p-34;
static const double HALF_PI_3 = 0x1.3198a2e037073p-69;

/* 2^k, -1022 <= k <= 1023 */
static double power_of_two(int k)
{
    return ag_bits_double((uint64_t)(k + 1023) << 52);
}

/* coefficients[0] + coefficients[1] x + ... by Horner's rule. No contraction: -ffp-contract=off. */
static double polynomial(double x, const double *coefficients, int count)
{
    double sum = coefficients[count - 1];
    for (int i = count - 2; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

static int round_to_int(double x)
{
    return (int)(x < 0 ? x - 0.5 : x + 0.5);
}

/* exp(x) = 2^k * (1 + returned), |reduced argument| <= ln(2) / 2; the remainder is r^14 / 14! */
static double reduced_expm1(int *k, double x)
{
    static const double taylor[] = {
        1.0 / 2,       1.0 / 6,        1.0 / 24,        1.0 / 120,
        1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
        1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0,
    };
    *k = round_to_int(x * 0x1.71547652b82fep+0); /* 1 / ln 2 */
    double high = x - *k * LN2_HIGH;
    double low = *k * LN2_LOW;
    double r = high - low;
    double lost = (high - r) - low;
    return r + (r * r * polynomial(r, taylor, 12) + lost);
}

double ag_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.8)
        return INFINITY;
    if (x < -745.2)
        return 0;
    int k;
    double value = 1 + reduced_expm1(&k, x);
    int half = k / 2; /* in two steps: 2^k alone may lie outside of the normal range */
    return value * power_of_two(half) * power_of_two(k - half);
}

double ag_ln(double x)
{
    if (!(x > 0) || x == INFINITY)
        return x == 0 ? -INFINITY : x > 0 ? x : NAN;
    int e = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        e = -54;
    }
    /* x = 2^e (1 + f), sqrt(1/2) <= 1 + f < sqrt(2): the mantissa's bits carry into the exponent */
    uint64_t bits = ag_double_bits(x) - 0x3fe6a09e667f3bcdu;
    e += (int)((int64_t)bits >> 52);
    double f = ag_bits_double((bits & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1;

    /* log(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R)), R = s^2 (2/3 + s^2 (2/5 + ...)) */
    static const double taylor[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11,
                                    2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    double s = f / (2 + f);
    double z = s * s;
    double half_square = 0.5 * f * f;
    double tail = s * (half_square + z * polynomial(z, taylor, 10));
    return e * LN2_HIGH - ((half_square - (tail + e * LN2_LOW)) - f);
}

/* sin and cos of r + low, |r| <= pi / 4, |low| <= ulp(r) / 2 */
static double reduced_sin(double r, double low)
{
    static const double taylor[] = {-1.0 / 6,
                                    1.0 / 120,
                                    -1.0 / 5040,
                                    1.0 / 362880,
                                    -1.0 / 39916800,
                                    1.0 / 6227020800.0,
                                    -1.0 / 1307674368000.0,
                                    1.0 / 355687428096000.0};
    double z = r * r;
    return r + (r * z * polynomial(z, taylor, 8) + low * (1 - 0.5 * z));
}

static double reduced_cos(double r, double low)
{
    static const double taylor[] = {
        1.0 / 24,        -1.0 / 720,           1.0 / 40320,           -1.0 / 3628800,
        1.0 / 479001600, -1.0 / 87178291200.0, 1.0 / 20922789888000.0};
    double z = r * r;
    double half = 0.5 * z;
    double head = 1 - half;
    return head + (((1 - head) - half) + (z * z * polynomial(z, taylor, 7) - r * low));
}

/* sin(x + quadrant * pi / 2) */
static double quarter_turned_sin(double x, int quadrant)
{
    if (!(x >= -1e6 && x <= 1e6))
        return NAN;
    int k = round_to_int(x * 0x1.45f306dc9c883p-1); /* 2 / pi */
    double a = x - k * HALF_PI_1;
    double b = k * HALF_PI_2;
    double high = a - b;
    double low = ((a - high) - b) - k * HALF_PI_3;
    double r = high + low;
    low = (high - r) + low;
    quadrant = (quadrant + k) & 3;
    double value = (quadrant & 1) != 0 ? reduced_cos(r, low) : reduced_sin(r, low);
    return (quadrant & 2) != 0 ? -value : value;
}

double ag_sin(double x)
{
    return quarter_turned_sin(x, 0);
}

double ag_cos(double x)
{
    return quarter_turned_sin(x, 1);
}

double ag_pow(double x, double y)
{
    if (y == 0)
        return 1;
    if (x == 0)
        return y > 0 ? 0 : INFINITY;
    return ag_exp(y * ag_ln(x));
}
