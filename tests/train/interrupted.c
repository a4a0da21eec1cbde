#include "interrupted.h"

#include <stdlib.h>
#include <unistd.h>

#include "record/checkpoint.h"

tiny run_a;
tiny run_b;
char checkpoint_path[64];
char checkpoint_aside[80];
static char s_folder[32] = "/tmp/altgrad-resume-XXXXXX";

static void see(void *context, const ag_train_progress *now)
{
    watch *w = context;
    w->first_step = now->first_step;
}

static bool stop(void *context)
{
    watch *w = context;
    return ++w->calls == w->stop_at;
}

static void hear(void *context, ag_log_level level, const char *line)
{
    watch *w = context;
    w->warnings += level == AG_LOG_WARNING;
    snprintf(w->said, sizeof w->said, "%s", line);
}

ag_train_hooks watch_hooks(watch *w, double every_s)
{
    return (ag_train_hooks){.context = w,
                            .progress = see,
                            .should_stop = stop,
                            .say = hear,
                            .checkpoint = checkpoint_path,
                            .checkpoint_every_s = every_s};
}

bool attempt(scenario *set_up, watch *w, double every_s)
{
    ag_train_hooks hooks = watch_hooks(w, every_s);
    scenario_make(&run_b, set_up);
    size_t bytes = ag_train_bytes(&run_b.run, ag_val_windows(&run_b.corpus, &run_b.run));
    assert_ok(ag_arena_init(&run_b.arena, bytes));
    ag_error_clear();
    ag_status status = ag_train(&run_b.record, &run_b.run, &run_b.corpus, NULL, &ag_kernels_fast,
                                &hooks, &run_b.arena);
    if (status == AG_OK)
        return true;
    assert_int_equal(status, AG_ERR_SYSTEM);
    assert_non_null(strstr(ag_error_message(), "stopped after"));
    tiny_end(&run_b);
    return false;
}

void undisturbed(scenario *set_up)
{
    scenario_make(&run_a, set_up);
    tiny_train(&run_a, &ag_kernels_fast);
}

void clear_files(void)
{
    ag_checkpoint_remove(checkpoint_path);
    unlink(checkpoint_aside);
}

int folder_setup(void **state)
{
    (void)state;
    if (mkdtemp(s_folder) == NULL)
        return -1;
    snprintf(checkpoint_path, sizeof checkpoint_path, "%s/run.ckpt", s_folder);
    snprintf(checkpoint_aside, sizeof checkpoint_aside, "%s.unused", checkpoint_path);
    return 0;
}

int folder_teardown(void **state)
{
    (void)state;
    clear_files();
    return rmdir(s_folder);
}
