/* events.jsonl: what happened, for people and for status. */
#include "spool/events.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

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

/* A kill or a full disk may have cut the last line. */
static bool last_is_cut(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && ag_read_at(fd, &last, 1, (uint64_t)size - 1) == 1 && last != '\n';
}

/* One write of a whole line in append mode, so that a kill leaves at most the last line cut; the
 * next event then begins a line of its own. */
ag_status ag_event_append(const ag_places *places, const char *event, const char *members)
{
    char now[32];
    ag_text line;
    ag_status status = AG_OK;
    int fd = open(places->events, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return ag_fail_errno("cannot open %s", places->events);
    ag_text_init(&line);
    ag_event_time(now);
    ag_text_printf(&line, "%s{\"time\": \"%s\", \"event\": ", last_is_cut(fd) ? "\n" : "", now);
    ag_json_string(&line, event);
    ag_text_printf(&line, "%s%s}\n", members[0] != '\0' ? ", " : "", members);
    if (line.failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory for an event");
    else if (!ag_write_fully(fd, line.data, line.length))
        status = ag_fail_errno("cannot append to %s", places->events);
    ag_text_deinit(&line);
    close(fd);
    return status;
}
