/* Time for reports and limits. No stored number of a run may depend on it. */
#ifndef AG_BASE_CLOCK_H
#define AG_BASE_CLOCK_H

/* Seconds since an arbitrary point, never going back. */
double ag_clock_s(void);

/* Sleeps about `seconds`; returns early on a signal. */
void ag_clock_nap(double seconds);

#endif
