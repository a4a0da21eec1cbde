/* Work of this same program in a child process: rank 0 neither calls libhdf5, which may crash, nor
 * forks, since it uses MPI. A child is started by exec (proc/child.h) as `altgrad helper WORK`;
 * question and answer are JSON, and the status comes back as if the work had been done here. */
#include "run_self.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "base/log.h"
#include "helper.h"
#include "run/params.h"
#include "run/run_json.h"

/* Of the program that runs, not of PATH: a job may have several builds about. */
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

/* --- to the helper */

/* After an opening brace no comma is needed; hence the length. */
void ag_helper_ask(ag_text *asked, const char *key, const char *text)
{
    ag_text_add(asked, asked->length > 1 ? ", " : "");
    ag_json_string(asked, key);
    ag_text_add(asked, ": ");
    ag_json_string(asked, text);
}

/* It dies with this process, which it learns from its environment: no two writers ever outlive each
 * other. */
static ag_status start(ag_child **child, const char *work, const ag_text *asked, int output)
{
    char program[AG_PROGRAM_PATH];
    char parent[sizeof AG_PARENT_VARIABLE + 16];
    const char *const argv[] = {program, "helper", work, NULL};
    const char *const environment[] = {parent, NULL};
    if (asked->failed)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    AG_TRY(ag_program_path(program, "altgrad"));
    snprintf(parent, sizeof parent, AG_PARENT_VARIABLE "=%d", (int)getpid());
    const ag_child_spec spec = {.argv = argv,
                                .environment = environment,
                                .input = asked->data,
                                .input_size = asked->length,
                                .output = output};
    return ag_child_start(child, &spec);
}

/* --- and back */

/* The message is the helper's own, as if this process had met the failure. */
static ag_status read_status(const char *word, const char *message)
{
    for (size_t i = 0; ag_helper_status_words[i] != NULL; i++) {
        if (strcmp(ag_helper_status_words[i], word) == 0)
            return i == AG_OK ? AG_OK : ag_fail((ag_status)i, "%s", message);
    }
    return ag_fail(AG_ERR_BUG, "a helper ended with the status '%s'", word);
}

/* True for the last line, which tells the status. */
static bool take_line(ag_helper_reply *reply, const char *line, size_t length)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    json_t *value = json_object_get(object, "value");
    const char *warning = json_string_value(json_object_get(object, "warning"));
    const char *word = json_string_value(json_object_get(object, "status"));
    const char *message = json_string_value(json_object_get(object, "message"));
    if (warning != NULL)
        ag_text_printf(&reply->warnings, "%s%s", reply->warnings.length > 0 ? "\n" : "", warning);
    if (value != NULL && reply->value == NULL)
        reply->value = json_incref(value);
    if (word != NULL)
        reply->status = read_status(word, message != NULL ? message : "");
    json_decref(object);
    return word != NULL;
}

/* Only whole lines count: the last one of a process that was killed may be half. */
static bool take_lines(ag_helper_reply *reply, const char *text, size_t size)
{
    const char *end = text + size;
    bool told = false;
    for (const char *close; !told && size > 0 && text < end; text = close + 1) {
        close = memchr(text, '\n', (size_t)(end - text));
        if (close == NULL) /* died while it wrote */
            return false;
        told = take_line(reply, text, (size_t)(close - text));
    }
    return told;
}

/* A helper that said "ok" and then crashed has not ended well: its exit must agree. */
bool ag_helper_ended(ag_helper_reply *reply, ag_child *child)
{
    char how[128];
    const void *bytes = NULL;
    size_t size = 0;
    ag_child_end end = ag_child_poll(child);
    if (end.state == AG_CHILD_RUNNING)
        return false;
    *reply = (ag_helper_reply){.status = AG_OK};
    ag_text_init(&reply->warnings);
    reply->status = ag_child_result(&bytes, &size, child);
    if (reply->status != AG_OK)
        return true;
    bool told = take_lines(reply, bytes, size);
    if (reply->status == AG_OK && (!told || end.state != AG_CHILD_EXITED || end.code != 0)) {
        ag_child_end_text(how, sizeof how, &end);
        reply->status = ag_fail(AG_ERR_SYSTEM, "a child process of altgrad %s", how);
    }
    return true;
}

void ag_helper_reply_deinit(ag_helper_reply *reply)
{
    ag_text_deinit(&reply->warnings);
    json_decref(reply->value);
    reply->value = NULL;
}

/* --- waited for, before the work begins or after its end */

/* In a loop and not by waitpid: the child's output must be taken meanwhile, or it would wait for
 * us. */
ag_status ag_helper_do(json_t **value, const char *work, const ag_text *asked, int output)
{
    ag_child *child = NULL;
    ag_helper_reply reply;
    AG_TRY(start(&child, work, asked, output));
    while (!ag_helper_ended(&reply, child))
        ag_clock_nap(1e-3);
    if (reply.warnings.length > 0)
        ag_log(AG_LOG_WARNING, "%s", reply.warnings.data);
    if (value != NULL && reply.status == AG_OK) {
        *value = json_incref(reply.value);
        if (reply.value == NULL)
            reply.status = ag_fail(AG_ERR_BUG, "altgrad helper %s brings nothing back", work);
    }
    ag_helper_reply_deinit(&reply);
    ag_child_destroy(child);
    return reply.status;
}

/* The token says for which owner it works. */
static void ask_task(ag_text *asked, const char *out, const char *token)
{
    ag_text_init(asked);
    ag_text_add(asked, "{");
    ag_helper_ask(asked, "out", out);
    if (token != NULL)
        ag_helper_ask(asked, "token", token);
    ag_text_add(asked, "}");
}

ag_status ag_helper_start_task(ag_child **child, ag_store_task task, const char *out,
                               const char *token)
{
    ag_text asked;
    ask_task(&asked, out, token);
    ag_status status = start(child, ag_helper_task_names[task], &asked, AG_CHILD_SILENT);
    ag_text_deinit(&asked);
    return status;
}

ag_status ag_run_store_work(ag_store_task task, const char *path, const char *token)
{
    ag_text asked;
    ask_task(&asked, path, token);
    ag_status status = ag_helper_do(NULL, ag_helper_task_names[task], &asked, AG_CHILD_SILENT);
    ag_text_deinit(&asked);
    return status;
}

ag_status ag_helper_of_results(json_t **value, const char *work, const char *out, int output)
{
    ag_text asked;
    ask_task(&asked, out, NULL);
    ag_status status = ag_helper_do(value, work, &asked, output);
    ag_text_deinit(&asked);
    return status;
}

/* What this process has printed must stand before what the child prints. */
ag_status ag_run_show_summary(const char *out, int output)
{
    (void)fflush(stdout);
    return ag_helper_of_results(NULL, "summary", out, output);
}

/* --- initial weights, and states */

/* Those that the tensors of a model depend on, and where they are. */
static bool is_of_model(const ag_param *param)
{
    return strncmp(param->key, "model.", strlen("model.")) == 0 ||
           strncmp(param->key, "train.start.", strlen("train.start.")) == 0;
}

/* As texts, which the helper reads by the same table. */
static void ask_weights(ag_text *asked, const ag_run *run)
{
    size_t n_params;
    ag_arena arena;
    ag_text settings;
    const ag_param *params = ag_params(&n_params);
    ag_arena_init_growing(&arena);
    ag_text_init(&settings);
    ag_text_add(&settings, "{");
    for (size_t i = 0; i < n_params; i++) {
        const char *value = is_of_model(&params[i]) ? ag_param_get(run, &params[i], &arena) : NULL;
        if (value != NULL)
            ag_helper_ask(&settings, params[i].key, value);
    }
    ag_text_printf(asked, "{\"vocab_size\": %lld, \"settings\": %s}}",
                   (long long)run->facts.vocab_size, settings.data);
    asked->failed = asked->failed || settings.failed;
    ag_text_deinit(&settings);
    ag_arena_deinit(&arena);
}

static ag_status ask_helper(json_t **value, const char *work, const ag_run *run)
{
    ag_text asked;
    *value = NULL;
    ag_text_init(&asked);
    ask_weights(&asked, run);
    ag_status status = ag_helper_do(value, work, &asked, AG_CHILD_SILENT);
    ag_text_deinit(&asked);
    return status;
}

/* "" where the helper failed; its error is the answer then. */
static void copy_text(char *to, size_t size, const json_t *value, const char *key)
{
    const char *text = json_string_value(json_object_get(value, key));
    snprintf(to, size, "%s", text != NULL ? text : "");
}

ag_status ag_run_find_start(ag_start_found *found, const ag_run *run, void *context)
{
    json_t *value;
    (void)context;
    *found = (ag_start_found){0};
    ag_status status = ask_helper(&value, "start", run);
    copy_text(found->digest, sizeof found->digest, value, "digest");
    copy_text(found->run, sizeof found->run, value, "run");
    found->step = json_integer_value(json_object_get(value, "step"));
    found->optimizer = json_integer_value(json_object_get(value, "optimizer"));
    found->has_lost = json_is_true(json_object_get(value, "has_lost"));
    json_decref(value);
    return status;
}

ag_status ag_run_find_init(ag_init_weights *found, const ag_run *run, void *context)
{
    json_t *value;
    (void)context;
    *found = (ag_init_weights){0};
    ag_status status = ask_helper(&value, "weights", run);
    copy_text(found->digest, sizeof found->digest, value, "digest");
    copy_text(found->run, sizeof found->run, value, "run");
    json_decref(value);
    return status;
}
