/* The few elementary functions whose values reach a stored number. Built from IEEE additions and
 * multiplications in a fixed order, so that every machine gives the same bits (a C library picks
 * variants by CPU). The bounds are checked in tests/base: ulp of the result, for normal results. */
#ifndef AG_BASE_MATHS_H
#define AG_BASE_MATHS_H

double ag_exp(double x); /* 1 ulp */
double ag_ln(double x);  /* 1 ulp; the natural logarithm, x > 0 */
double ag_cos(double x); /* 1 ulp; |x| <= 1e6, NaN beyond */
double ag_sin(double x); /* 1 ulp; |x| <= 1e6, NaN beyond */

/* 2 + 2 |y ln x| ulp; x > 0, or x = 0 and y > 0 */
double ag_pow(double x, double y);

#endif
