/* Signals are counted; who coordinates looks at the counts. */
#ifndef AG_APP_RUN_SIGNALS_H
#define AG_APP_RUN_SIGNALS_H

typedef struct ag_run_signals {
    int stops;      /* SIGINT, SIGTERM, SIGUSR1 or 2, SIGHUP: finish what can be finished */
    int interrupts; /* SIGINT alone */
} ag_run_signals;

/* For rank 0, and for every rank until it is known which that is. */
void ag_run_signals_listen(void);

/* For the other ranks: launchers send signals to all, and rank 0 tells what is to be done. */
void ag_run_signals_ignore(void);

ag_run_signals ag_run_signals_seen(void);

/* Until the next look nobody is there to obey: a second Ctrl-C ends the process. */
void ag_run_signals_look_away(void);

#endif
