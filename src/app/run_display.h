/* Progress on a terminal or in a log. */
#ifndef AG_APP_RUN_DISPLAY_H
#define AG_APP_RUN_DISPLAY_H

#include "base/log.h"
#include "run_board.h"

typedef enum ag_show { AG_SHOW_AUTO, AG_SHOW_TTY, AG_SHOW_PLAIN, AG_SHOW_NONE } ag_show;

typedef struct ag_display ag_display;

/* `experiment` and `board` are borrowed. */
ag_status ag_display_create(ag_display **out, ag_show show, const char *experiment,
                            const ag_board *board);
void ag_display_destroy(ag_display *display); /* NULL is fine */

/* A line that stays. Errors are shown whatever was asked for. Several lines are fine. */
void ag_display_event(ag_display *display, ag_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells the recorded error as a warning, and forgets it: for trouble that ends nothing. */
void ag_display_warn_of_error(ag_display *display);

/* Draws what changed, when it is time to; the second for the last time. */
void ag_display_tick(ag_display *display, const ag_run_counts *counts);
void ag_display_finish(ag_display *display, const ag_run_counts *counts);

/* Where results go that people read: standard output, or standard error where a launcher brings
 * both to one terminal. It reads them from two pipes, in any order, and a last frame of the block
 * would be drawn over what was printed after it. */
int ag_display_output(const ag_display *display);

#endif
