/* Signals are only counted here; the session looks at the counts. Who presses Ctrl-C again while
 * nobody looks, before the work or in a call that hangs, does not wait. */
#include <signal.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "app/commands.h"
#include "run_signals.h"

/* What terminals, users, batch systems and launchers send to end a job or to warn of its end. */
static const int s_signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGHUP};
enum { N_SIGNALS = sizeof s_signals / sizeof s_signals[0] };

/* A handler may touch nothing else; the session reads them whenever it comes round. */
static volatile sig_atomic_t s_stops;
static volatile sig_atomic_t s_interrupts;
static volatile sig_atomic_t s_looked; /* when the session did last; 0: never */

/* In tenths of a second, from 1; it may wrap around in years. */
static int clock_tenths(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1 + (int)((now.tv_sec * 10 + now.tv_nsec / 100000000) % (1 << 30));
}

/* One Ctrl-C comes twice where the launcher passes on what the terminal has sent already. It would
 * count as the second one, which ends everything at once. */
static bool is_echo(void)
{
    static volatile sig_atomic_t last;
    int now = clock_tenths();
    bool is_soon = last != 0 && now - last <= 1;
    last = now;
    return is_soon;
}

/* While it is watched the second Ctrl-C is obeyed by the session, which gives the results back. */
static bool is_watched(void)
{
    enum { WATCHED = 10 };
    return s_looked != 0 && clock_tenths() - s_looked <= WATCHED;
}

/* _exit: at this point somebody wants the process gone, and nothing is half written that has its
 * name. */
static void count_signal(int signal)
{
    s_stops = s_stops + 1;
    if (signal != SIGINT || is_echo())
        return;
    s_interrupts = s_interrupts + 1;
    if (s_interrupts > (is_watched() ? 2 : 1))
        _exit(AG_EXIT_INTERRUPTED);
}

/* nohup asks for SIGHUP to be ignored; shells do so with SIGINT for all that runs in the
 * background, where it may be meant all the same. */
static bool is_unwanted(int signal)
{
    struct sigaction old;
    return signal == SIGHUP && sigaction(signal, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

/* SA_RESTART, so that a signal does not turn a write into a failure. */
void ag_run_signals_listen(void)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    for (size_t i = 0; i < N_SIGNALS; i++) {
        if (!is_unwanted(s_signals[i]))
            sigaction(s_signals[i], &action, NULL);
    }
    signal(SIGPIPE, SIG_IGN); /* a closed terminal must not end the experiment */
}

void ag_run_signals_ignore(void)
{
    for (size_t i = 0; i < N_SIGNALS; i++)
        signal(s_signals[i], SIG_IGN);
}

ag_run_signals ag_run_signals_seen(void)
{
    s_looked = clock_tenths();
    return (ag_run_signals){.stops = s_stops, .interrupts = s_interrupts};
}

void ag_run_signals_look_away(void)
{
    s_looked = 0;
}
