/* Signals are only counted here; the session looks at the counts. */
#include <signal.h>

#include "run_internal.h"

static volatile sig_atomic_t s_stops;
static volatile sig_atomic_t s_interrupts;

static void count_signal(int signal)
{
    s_stops = s_stops + 1;
    if (signal == SIGINT)
        s_interrupts = s_interrupts + 1;
}

void ag_run_signals_listen(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP};
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed terminal must not end the experiment */
}

ag_run_signals ag_run_signals_seen(void)
{
    return (ag_run_signals){.stops = s_stops, .interrupts = s_interrupts};
}
