/* What altgrad-train tells of its run: the supervisor through the progress page, people through
 * lines on standard error. */
#ifndef AG_APP_TRAIN_PROGRESS_H
#define AG_APP_TRAIN_PROGRESS_H

#include <stdbool.h>

#include "proc/progress.h"
#include "train/train.h"

typedef struct ag_train_view {
    const ag_run *run;
    ag_progress_page *page; /* NULL: none */
    bool quiet;
    bool terminal;
    double train_s;  /* so far, evaluations left out */
    double called_s; /* the last call of ag_train_view_progress */
    double drawn_s;  /* the last line */
} ag_train_view;

/* `fd` is that of the progress page, or negative. */
ag_status ag_train_view_open(ag_train_view *view, const ag_run *run, int fd, bool quiet);

/* `record` is that of a run that came to its end, else NULL. */
void ag_train_view_close(ag_train_view *view, const ag_record *record);

/* Hooks of the training, whose context is the view. */
void ag_train_view_progress(void *context, const ag_train_progress *now);
void ag_train_view_say(void *context, ag_log_level level, const char *line);

/* Says how the run ended; `where` is its file, NULL where that is the caller's. */
void ag_train_print_end(const ag_run *run, const ag_record *record, const char *where);

#endif
