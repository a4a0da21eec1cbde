/* Times as people write and read them. Every text of a duration, in an experiment file, on the
 * command line or in a report, is read or printed here. */
#ifndef AG_BASE_DURATION_H
#define AG_BASE_DURATION_H

#include <stdbool.h>

/* The letters of the units, and the seconds of each: s, m, h and d. */
#define AG_DURATION_UNITS "smhd"
enum { AG_DURATION_N_UNITS = 4 };
extern const double ag_duration_factors[AG_DURATION_N_UNITS];

/* Reads what a batch system or a person says on a command line: seconds, a number with a unit
 * behind it, or as SLURM prints what is left of a job: minutes:seconds, hours:minutes:seconds,
 * days-hours:minutes:seconds. False for anything else. */
bool ag_duration_read(double *seconds, const char *text);

enum { AG_DURATION_TEXT = 32 };

/* "7s", "2m05s", "3h20m", "2d04h": for a display that shows what is left. Returns text. */
const char *ag_duration_short(char text[AG_DURATION_TEXT], double seconds);

/* "90 s", "45 min", "1.5 h", "3.0 days": for an estimate that is no more exact than that. Returns
 * text. */
const char *ag_duration_rough(char text[AG_DURATION_TEXT], double seconds);

#endif
