/* events.jsonl: what happened, for people and for status. */
#include "spool/events.h"

#include <time.h>

#include "base/files.h"
#include "base/text.h"
#include "run/run_json.h"
#include "spool/places.h"

/* UTC: the ranks of a job may lie in several time zones, and clocks change twice a year. */
void ag_event_time(char text[32])
{
    struct tm parts;
    time_t now = time(NULL);
    gmtime_r(&now, &parts);
    strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

ag_status ag_event_append(const ag_places *places, const char *event, const char *members)
{
    char now[32];
    ag_text line;
    ag_status status = AG_OK;
    ag_text_init(&line);
    ag_event_time(now);
    ag_text_printf(&line, "{\"time\": \"%s\", \"event\": ", now);
    ag_json_string(&line, event);
    ag_text_printf(&line, "%s%s}\n", members[0] != '\0' ? ", " : "", members);
    if (line.failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory for an event");
    else if (!ag_append_lines(places->events, line.data, false))
        status = ag_fail_errno("cannot append to %s", places->events);
    ag_text_deinit(&line);
    return status;
}
