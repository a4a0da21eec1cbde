/* Work of this same program in a child process: rank 0 neither calls libhdf5, which may crash, nor
 * forks, since it uses MPI. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/clock.h"
#include "run/params.h"
#include "run_internal.h"

enum { LOG_SIZE = 8192, MOST_ARGUMENTS = 64 };

static const char s_error[] = "altgrad: error: ";
static const char s_warning[] = "altgrad: warning: ";

ag_status ag_run_self_start(ag_child **child, const char *const *arguments, int output)
{
    char program[AG_PROGRAM_PATH];
    char parent[sizeof AG_PARENT_VARIABLE + 16];
    const char *argv[MOST_ARGUMENTS + 2] = {program};
    const char *environment[] = {parent, NULL};
    size_t count = 0;
    AG_TRY(ag_program_path(program, "altgrad"));
    while (arguments[count] != NULL && count < MOST_ARGUMENTS) {
        argv[1 + count] = arguments[count];
        count++;
    }
    snprintf(parent, sizeof parent, AG_PARENT_VARIABLE "=%d", (int)getpid());
    const ag_child_spec spec = {.argv = argv, .environment = environment, .output = output};
    return ag_child_start(child, &spec);
}

/* The last error in a log, which becomes the text before it; NULL where there is none. */
static char *cut_error(char *log)
{
    char *found = NULL;
    for (char *at = log; (at = strstr(at, s_error)) != NULL; at++) {
        if (at == log || at[-1] == '\n')
            found = at;
    }
    if (found != NULL)
        *found = '\0';
    return found != NULL ? found + strlen(s_error) : NULL;
}

static void add_warnings(ag_text *warnings, const char *log)
{
    while (*log != '\0') {
        size_t length = strcspn(log, "\n");
        bool titled = strncmp(log, s_warning, strlen(s_warning)) == 0;
        size_t title = titled ? strlen(s_warning) : 0;
        ag_text_printf(warnings, "%s%.*s", warnings->length > 0 ? "\n" : "", (int)(length - title),
                       log + title);
        log += length + (log[length] == '\n');
    }
}

static ag_status tell_end(const ag_child_end *end, const char *error)
{
    char how[128];
    if (end->state == AG_CHILD_EXITED && end->code == 0)
        return AG_OK;
    if (error != NULL)
        return ag_fail(end->code == AG_EXIT_INPUT ? AG_ERR_INPUT : AG_ERR_SYSTEM, "%.*s",
                       (int)(strlen(error) - (error[strlen(error) - 1] == '\n')), error);
    ag_child_end_text(how, sizeof how, end);
    return ag_fail(AG_ERR_SYSTEM, "a child process of altgrad %s", how);
}

bool ag_run_self_ended(ag_status *status, ag_child *child, ag_text *warnings)
{
    char log[LOG_SIZE];
    ag_child_end end = ag_child_poll(child);
    if (end.state == AG_CHILD_RUNNING)
        return false;
    ag_child_log_tail(log, sizeof log, child);
    const char *error = cut_error(log);
    add_warnings(warnings, log);
    *status = tell_end(&end, error);
    return true;
}

/* --- waited for, before the work begins or after its end */

static ag_status take_result(ag_text *result, ag_child *child)
{
    const void *bytes;
    size_t size;
    if (result == NULL)
        return AG_OK;
    AG_TRY(ag_child_result(&bytes, &size, child));
    ag_text_add_n(result, bytes, size);
    return AG_OK;
}

/* Runs `altgrad ARGUMENTS`, whose result is appended where one is wanted. */
static ag_status run_self(const char *const *arguments, int output, ag_text *result)
{
    ag_text warnings;
    ag_child *child = NULL;
    ag_status status = AG_OK;
    AG_TRY(ag_run_self_start(&child, arguments, output));
    ag_text_init(&warnings);
    while (!ag_run_self_ended(&status, child, &warnings))
        ag_clock_nap(1e-3);
    if (warnings.length > 0)
        ag_log(AG_LOG_WARNING, "%s", warnings.data);
    if (status == AG_OK)
        status = take_result(result, child);
    ag_text_deinit(&warnings);
    ag_child_destroy(child);
    return status;
}

void ag_run_task_arguments(const char *arguments[AG_TASK_ARGUMENTS], ag_store_task task,
                           const char *out, const char *token)
{
    static const char *const options[] = {[AG_STORE_PREPARE] = "--prepare",
                                          [AG_STORE_UNPACK] = "--unpack",
                                          [AG_STORE_PUBLISH] = "--spooled"};
    size_t count = 0;
    arguments[count++] = "pack";
    arguments[count++] = "--token";
    arguments[count++] = token;
    if (task != AG_STORE_PACK)
        arguments[count++] = options[task];
    arguments[count++] = "--";
    arguments[count++] = out;
    arguments[count] = NULL;
}

ag_status ag_run_store_work(ag_store_task task, const char *path, const char *token)
{
    const char *arguments[AG_TASK_ARGUMENTS];
    ag_run_task_arguments(arguments, task, path, token);
    return run_self(arguments, AG_CHILD_SILENT, NULL);
}

ag_status ag_run_show_summary(const char *out, int output)
{
    const char *const arguments[] = {"summary", "--", out, NULL};
    (void)fflush(stdout);
    return run_self(arguments, output, NULL);
}

void ag_run_warn_of_less(const ag_run_options *options, const char *out)
{
    const char *arguments[MOST_ARGUMENTS + 1] = {"plan", options->file, "-o", out, "--less"};
    size_t count = 5;
    if (2 * (options->n_sets + options->n_only) + count > MOST_ARGUMENTS)
        return;
    for (size_t i = 0; i < options->n_sets; i++) {
        arguments[count++] = "--set";
        arguments[count++] = options->sets[i];
    }
    for (size_t i = 0; i < options->n_only; i++) {
        arguments[count++] = "--only";
        arguments[count++] = options->only[i];
    }
    if (run_self(arguments, AG_CHILD_SILENT, NULL) != AG_OK)
        ag_error_clear();
}

static ag_status lines_of(const char **lines, const char *const *arguments, ag_arena *arena)
{
    ag_text result;
    ag_text_init(&result);
    ag_status status = run_self(arguments, AG_CHILD_SILENT, &result);
    *lines = ag_arena_strdup(arena, result.data);
    ag_text_deinit(&result);
    if (status == AG_OK && *lines == NULL)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
    return status;
}

ag_status ag_run_holdings(const char **lines, const char *out, ag_arena *arena)
{
    return lines_of(lines, (const char *const[]){"holdings", out, NULL}, arena);
}

ag_status ag_run_former(const char **lines, const char *out, ag_arena *arena)
{
    return lines_of(lines, (const char *const[]){"holdings", "--names", out, NULL}, arena);
}

/* Those that the tensors of a model depend on. */
static bool is_of_model(const ag_param *param)
{
    return strncmp(param->key, "model.", strlen("model.")) == 0;
}

ag_status ag_run_find_init(ag_init_weights *found, const ag_run *run, void *context)
{
    const char *arguments[MOST_ARGUMENTS + 1] = {"digest"};
    size_t n_params;
    size_t count = 1;
    ag_arena arena;
    ag_text result;
    (void)context;
    const ag_param *params = ag_params(&n_params);
    ag_arena_init_growing(&arena);
    ag_text_init(&result);
    arguments[count++] = ag_arena_printf(&arena, "%lld", (long long)run->facts.vocab_size);
    for (size_t i = 0; i < n_params && count < MOST_ARGUMENTS; i++) {
        const char *value = is_of_model(&params[i]) ? ag_param_get(run, &params[i], &arena) : NULL;
        if (value != NULL)
            arguments[count++] = ag_arena_printf(&arena, "%s=%s", params[i].key, value);
    }
    ag_status status = run_self(arguments, AG_CHILD_SILENT, &result);
    snprintf(found->digest, sizeof found->digest, "%s", result.data);
    snprintf(found->run, sizeof found->run, "%s",
             result.length > AG_DIGEST_LENGTH ? result.data + AG_DIGEST_LENGTH : "");
    ag_text_deinit(&result);
    ag_arena_deinit(&arena);
    return status;
}
