/* --max-time: how long an `altgrad run` may take. */
#include "run_time.h"

#include <math.h>

#include "base/duration.h"

/* What a step, a checkpoint and a last publishing take. Of a short time a minute would be most, so
 * there it is a tenth. */
static const double s_longest_margin_s = 60.0;
static const double s_margin = 0.1; /* of a short time */

ag_status ag_run_read_time(double *seconds, const char *text)
{
    if (!ag_duration_read(seconds, text) || *seconds <= 0 || *seconds > 1e9)
        return ag_fail(AG_ERR_INPUT,
                       "--max-time takes a duration such as 90s, 30m, 2h or 1-12:00:00, not '%s'",
                       text);
    return AG_OK;
}

double ag_run_drain_after(double max_s)
{
    return max_s - fmin(s_margin * max_s, s_longest_margin_s);
}
