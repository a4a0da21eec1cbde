/* Programs beside this one, and this program as a child process. */
#ifndef AG_APP_RUN_SELF_H
#define AG_APP_RUN_SELF_H

#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"
#include "config/experiment.h"
#include "proc/child.h"
#include "spool/store.h"

enum { AG_PROGRAM_PATH = 4096 };

/* The path of `name` in the folder of the running program. AG_ERR_SYSTEM when it is not there. */
ag_status ag_program_path(char path[AG_PROGRAM_PATH], const char *name);

/* What a helper brought back. */
typedef struct ag_helper_reply {
    ag_status status; /* with its own message, as ag_error_message says */
    ag_text warnings; /* lines */
    json_t *value;    /* NULL: none */
} ag_helper_reply;

/* True once it has ended: then *reply is set, to be released by the caller. */
bool ag_helper_ended(ag_helper_reply *reply, ag_child *child);
void ag_helper_reply_deinit(ag_helper_reply *reply);

/* Starts `altgrad helper WORK` (helper.h), which is asked `asked`, a JSON object, and waits for its
 * end; warnings are told. Its standard output is our descriptor `output`, or /dev/null where that
 * is AG_CHILD_SILENT. `value` may be NULL; else it is the caller's to release. */
ag_status ag_helper_do(json_t **value, const char *work, const ag_text *asked, int output);

/* Appends "KEY": "TEXT" to what is asked, after a comma where one is needed. */
void ag_helper_ask(ag_text *asked, const char *key, const char *text);

/* The same for work that is asked of the results at `out` alone. */
ag_status ag_helper_of_results(json_t **value, const char *work, const char *out, int output);

/* Starts work of the store for the owner with this token. */
ag_status ag_helper_start_task(ag_child **child, ag_store_task task, const char *out,
                               const char *token);

/* These wait for it. The first is an ag_store_worker, the last an ag_init_find. */
ag_status ag_run_store_work(ag_store_task task, const char *path, const char *token);
ag_status ag_run_show_summary(const char *out, int output);
ag_status ag_run_find_init(ag_init_weights *found, const ag_run *run, void *context);
ag_status ag_run_find_start(ag_start_found *found, const ag_run *run, void *context); /* likewise */

#endif
