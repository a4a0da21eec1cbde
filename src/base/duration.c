#include "base/duration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

const double ag_duration_factors[AG_DURATION_N_UNITS] = {1, MINUTE, HOUR, DAY};

/* --- reading */

/* Days before a '-', and two or three numbers with colons between. Two are minutes and seconds, as
 * SLURM's own --time reads them; behind days there must be all three, because SLURM's D-HH:MM and
 * the MM:SS of a short job could not be told apart. */
static bool read_clock(double *seconds, const char *text)
{
    unsigned days = 0;
    unsigned parts[3] = {0};
    int used = 0;
    const char *dash = strchr(text, '-');
    if (dash != NULL && (sscanf(text, "%6u-%n", &days, &used) != 1 || text + used != dash + 1))
        return false;
    const char *clock = text + used;
    int count = 0;
    do {
        used = 0;
        if (count == 3 || sscanf(clock, "%6u%n", &parts[count++], &used) != 1 || *clock == '+')
            return false;
        clock += used;
    } while (*clock++ == ':');
    if (clock[-1] != '\0' || count < 2 || (dash != NULL && count < 3))
        return false;
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum = 60 * sum + parts[i];
    *seconds = (double)DAY * days + sum;
    return true;
}

/* strtod alone would take signs, exponents, hexadecimals, infinities and NaN too. */
static bool read_amount(double *seconds, const char *text)
{
    char *end = NULL;
    *seconds = strtod(text, &end);
    if (end == text || strspn(text, "0123456789.") != (size_t)(end - text))
        return false;
    if (*end == '\0')
        return true;
    const char *unit = strchr(AG_DURATION_UNITS, *end);
    if (unit == NULL || end[1] != '\0')
        return false;
    *seconds *= ag_duration_factors[unit - AG_DURATION_UNITS];
    return true;
}

bool ag_duration_read(double *seconds, const char *text)
{
    return strchr(text, ':') != NULL ? read_clock(seconds, text) : read_amount(seconds, text);
}

/* --- printing */

/* Two units at most, the smaller with two digits, so that a redrawn line does not jump. */
const char *ag_duration_short(char text[AG_DURATION_TEXT], double seconds)
{
    long whole = lround(fmin(fmax(seconds, 0.0), 1e9));
    if (whole < MINUTE)
        snprintf(text, AG_DURATION_TEXT, "%lds", whole);
    else if (whole < HOUR)
        snprintf(text, AG_DURATION_TEXT, "%ldm%02lds", whole / MINUTE, whole % MINUTE);
    else if (whole < 2L * DAY)
        snprintf(text, AG_DURATION_TEXT, "%ldh%02ldm", whole / HOUR, whole / MINUTE % 60);
    else
        snprintf(text, AG_DURATION_TEXT, "%ldd%02ldh", whole / DAY, whole / HOUR % 24);
    return text;
}

/* Each unit from two of it on: "119 s" says more than "2 min". */
const char *ag_duration_rough(char text[AG_DURATION_TEXT], double seconds)
{
    if (seconds < 2 * MINUTE)
        snprintf(text, AG_DURATION_TEXT, "%.0f s", seconds);
    else if (seconds < 2 * HOUR)
        snprintf(text, AG_DURATION_TEXT, "%.0f min", seconds / MINUTE);
    else if (seconds < 2 * DAY)
        snprintf(text, AG_DURATION_TEXT, "%.1f h", seconds / HOUR);
    else
        snprintf(text, AG_DURATION_TEXT, "%.1f days", seconds / DAY);
    return text;
}
