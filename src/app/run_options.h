/* What the command line of `altgrad run` says. */
#ifndef AG_APP_RUN_OPTIONS_H
#define AG_APP_RUN_OPTIONS_H

#include "command_line.h"
#include "run_display.h"
#include "run_shard.h"

typedef struct ag_run_options {
    const char *file;
    const char *out; /* NULL: what the experiment says */
    ag_texts sets;
    ag_texts only;
    ag_texts again;
    ag_show show;
    bool take_over;
    bool replace;      /* another experiment's results may become orphans */
    double drain_at_s; /* by ag_clock_s(), --max-time; 0: never */
    ag_shard shard;
} ag_run_options;

#endif
