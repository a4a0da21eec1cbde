/* Student's t by the incomplete beta function, the normal distribution by erfc, and the quantiles
 * of both by bisection on that: slow, but right to the last digits for every number of degrees of
 * freedom, and tables end at 30. Source of the continued fraction: DLMF 8.17.22, evaluated by
 * Lentz's method (Lentz, Applied Optics 15, 1976). */
#include <float.h>
#include <math.h>

#include "stats/stats.h"

/* Lentz's method divides by these: a zero is moved by less than any rounding error. */
static double guard(double value)
{
    static const double tiny = 1e-300;
    return fabs(value) < tiny ? tiny : value;
}

/* The continued fraction of DLMF 8.17.22; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    enum { MOST_TERMS = 10000 };
    double c = 1;
    double d = 1 / guard(1 - (a + b) * x / (a + 1));
    double result = d;
    for (int m = 1; m <= MOST_TERMS; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / guard(1 + even * d);
        c = guard(1 + even / c);
        result *= c * d;
        d = 1 / guard(1 + odd * d);
        c = guard(1 + odd / c);
        result *= c * d;
        if (fabs(c * d - 1) < DBL_EPSILON)
            break;
    }
    return result;
}

/* The fraction converges fast on one side of the mean; on the other I_x(a, b) = 1 - I_1-x(b, a)
 * serves. */
double ag_incomplete_beta(double x, double a, double b)
{
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    double scale = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return scale * beta_fraction(x, a, b) / a;
    return 1 - scale * beta_fraction(1 - x, b, a) / b;
}

/* P(T > t), t >= 0. Small where t is large, and exact there: no 1 - p. */
static double student_tail(double t, double df)
{
    return ag_incomplete_beta(df / (df + t * t), df / 2, 0.5) / 2;
}

double ag_t_above(double t, double df)
{
    return t >= 0 ? student_tail(t, df) : 1 - student_tail(-t, df);
}

double ag_normal_above(double z)
{
    return erfc(z / sqrt(2)) / 2;
}

static double normal_tail(double z, double unused)
{
    (void)unused;
    return ag_normal_above(z);
}

/* Doubles an upper bound until it is beyond, then halves the interval until two neighbouring
 * doubles are left. The smaller tail is what is compared, which keeps its digits. */
static double find_quantile(double (*upper_tail)(double, double), double p, double df)
{
    enum { MOST_HALVINGS = 2000 };
    double tail = p < 0.5 ? p : 1 - p;
    double low = 0;
    double high = 1;
    while (upper_tail(high, df) > tail && high < DBL_MAX / 4)
        high *= 2;
    for (int i = 0; i < MOST_HALVINGS; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high)
            break;
        if (upper_tail(middle, df) > tail)
            low = middle;
        else
            high = middle;
    }
    return p < 0.5 ? -high : high;
}

double ag_t_quantile(double p, double df)
{
    return find_quantile(student_tail, p, df);
}

double ag_normal_quantile(double p)
{
    return find_quantile(normal_tail, p, 0);
}
