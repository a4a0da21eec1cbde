/* --max-time: how long an `altgrad run` may take. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_time.h"

static const double s_longest_margin_s = 60.0;
static const double s_margin = 0.1; /* of a short time */

/* Days before a '-', and two or three numbers with colons between. */
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
    *seconds = 86400.0 * days + sum;
    return true;
}

static bool read_amount(double *seconds, const char *text)
{
    static const char units[] = "smhd";
    static const double factors[] = {1, 60, 3600, 86400};
    char *end = NULL;
    *seconds = strtod(text, &end);
    if (end == text || strspn(text, "0123456789.") != (size_t)(end - text))
        return false;
    if (*end == '\0')
        return true;
    const char *unit = strchr(units, *end);
    if (unit == NULL || end[1] != '\0')
        return false;
    *seconds *= factors[unit - units];
    return true;
}

ag_status ag_run_read_time(double *seconds, const char *text)
{
    bool read = strchr(text, ':') != NULL ? read_clock(seconds, text) : read_amount(seconds, text);
    if (!read || *seconds <= 0 || *seconds > 1e9)
        return ag_fail(AG_ERR_INPUT,
                       "--max-time takes a duration such as 90s, 30m, 2h or 1-12:00:00, not '%s'",
                       text);
    return AG_OK;
}

double ag_run_drain_after(double max_s)
{
    return max_s - fmin(s_margin * max_s, s_longest_margin_s);
}
