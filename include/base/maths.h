/* The few elementary functions whose values reach a stored number. Built from IEEE additions and
 * multiplications in a fixed order, so that every machine gives the same bits (a C library picks
 * variants by CPU). Accuracy: the error bounds stated here, checked in tests/base. */
#ifndef AG_BASE_MATHS_H
#define AG_BASE_MATHS_H

double ag_exp(double x);
double ag_log(double x); /* x > 0 */
double ag_cos(double x); /* |x| <= 1e6 */
double ag_sin(double x); /* |x| <= 1e6 */
double ag_tanh(double x);
double ag_erf(double x);
double ag_pow(double x, double y); /* x > 0, or x = 0 and y > 0 */

#endif
