/* Publishing and packing need libhdf5 and may take long or fail: a child process does them. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "run_publish.h"
#include "run_self.h"

static const double s_share = 0.05; /* of the time, at most, is spent on publishing */
static const double s_shortest_s = 2.0;

/* `wanted` is taken back before it starts: what comes in meanwhile is new. */
ag_status ag_publisher_start(ag_publisher *publisher, const char *out, bool spooled)
{
    publisher->wanted = false;
    publisher->started_s = ag_clock_s();
    return ag_helper_start_task(&publisher->child, spooled ? AG_STORE_PUBLISH : AG_STORE_PACK, out,
                                publisher->token);
}

/* The next one waits in proportion to what this one took, so that a large grid on a slow disk
 * spends its time on training. */
bool ag_publisher_ended(ag_status *status, ag_publisher *publisher, ag_display *display)
{
    ag_helper_reply reply;
    if (!ag_helper_ended(&reply, publisher->child))
        return false;
    *status = reply.status;
    if (reply.warnings.length > 0)
        ag_display_event(display, AG_LOG_WARNING, "%s", reply.warnings.data);
    ag_helper_reply_deinit(&reply);
    double now = ag_clock_s();
    publisher->due_s = now + fmax(s_shortest_s, (now - publisher->started_s) / s_share);
    ag_child_destroy(publisher->child);
    publisher->child = NULL;
    return true;
}

/* Its trouble is no trouble of the experiment: results are in their run files. It is told once, as
 * it would come again each time. */
void ag_publisher_tick(ag_publisher *publisher, const char *out, ag_display *display)
{
    ag_status status = AG_OK;
    if (publisher->child != NULL)
        ag_publisher_ended(&status, publisher, display);
    else if (publisher->wanted && ag_clock_s() >= publisher->due_s)
        status = ag_publisher_start(publisher, out, true);
    if (status == AG_OK)
        return;
    if (!publisher->told)
        ag_display_warn_of_error(display);
    publisher->told = true;
    ag_error_clear();
}

void ag_publisher_deinit(ag_publisher *publisher)
{
    ag_child_destroy(publisher->child);
    publisher->child = NULL;
}
