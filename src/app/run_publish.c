/* Publishing and packing need libhdf5 and may take long or fail: a child process does them. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "run_internal.h"

static const double s_share = 0.05; /* of the time, at most, is spent on publishing */
static const double s_shortest_s = 2.0;

ag_status ag_program_path(char path[AG_PROGRAM_PATH], const char *name)
{
    ssize_t length = readlink("/proc/self/exe", path, AG_PROGRAM_PATH - 1);
    if (length <= 0)
        return ag_fail_errno("/proc/self/exe");
    path[length] = '\0';
    char *file = strrchr(path, '/') + 1;
    size_t room = AG_PROGRAM_PATH - (size_t)(file - path);
    snprintf(file, room, "%s", name);
    if (access(path, X_OK) != 0)
        return ag_fail_errno("%s, which belongs beside altgrad", path);
    return AG_OK;
}

static ag_status start(ag_publisher *publisher, const char *out, bool spooled)
{
    const char *arguments[AG_TASK_ARGUMENTS];
    ag_run_task_arguments(arguments, spooled ? AG_STORE_PUBLISH : AG_STORE_PACK, out,
                          publisher->token);
    publisher->wanted = false;
    publisher->started_s = ag_clock_s();
    return ag_run_self_start(&publisher->child, arguments, AG_CHILD_SILENT);
}

/* True once it has ended; *status says how. */
static bool has_ended(ag_status *status, ag_publisher *publisher, ag_display *display)
{
    ag_text warnings;
    ag_text_init(&warnings);
    bool ended = ag_run_self_ended(status, publisher->child, &warnings);
    if (warnings.length > 0)
        ag_display_event(display, AG_LOG_WARNING, "%s", warnings.data);
    ag_text_deinit(&warnings);
    if (!ended)
        return false;
    double now = ag_clock_s();
    publisher->due_s = now + fmax(s_shortest_s, (now - publisher->started_s) / s_share);
    ag_child_destroy(publisher->child);
    publisher->child = NULL;
    return true;
}

void ag_publisher_tick(ag_publisher *publisher, const char *out, ag_display *display)
{
    ag_status status = AG_OK;
    if (publisher->child != NULL)
        has_ended(&status, publisher, display);
    else if (publisher->wanted && ag_clock_s() >= publisher->due_s)
        status = start(publisher, out, true);
    if (status == AG_OK)
        return;
    if (!publisher->told)
        ag_display_event(display, AG_LOG_WARNING, "%s", ag_error_message());
    publisher->told = true;
    ag_error_clear();
}

/* Of the one that runs; *status says how it ended. */
static ag_status wait_for_end(ag_status *status, ag_publisher *publisher, ag_run_session *session)
{
    *status = AG_OK;
    while (publisher->child != NULL && !has_ended(status, publisher, session->display)) {
        AG_TRY(ag_run_tend(session));
        ag_clock_nap(5e-3);
    }
    return AG_OK;
}

ag_status ag_publisher_finish(ag_publisher *publisher, ag_run_session *session, bool pending)
{
    ag_status status;
    AG_TRY(wait_for_end(&status, publisher, session));
    ag_error_clear(); /* the one that follows does it all again */
    AG_TRY(start(publisher, session->out, pending));
    AG_TRY(wait_for_end(&status, publisher, session));
    return status;
}

void ag_publisher_deinit(ag_publisher *publisher)
{
    ag_child_destroy(publisher->child);
    publisher->child = NULL;
}
