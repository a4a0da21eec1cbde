/* altgrad merge: joins the shards of an experiment. Everything is checked before anything is
 * written: OUT is either what it was, or what the whole experiment would have left.
 *
 * A run is known by its id, and equal ids must have equal weights. So where two parts hold a run,
 * one of them is taken; where their weights differ, something is wrong with a machine or a file,
 * and no result of either can be trusted until somebody knows which. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "base/log.h"
#include "base/printable.h"
#include "command_line.h"
#include "merge_parts.h"
#include "merge_rounds.h"
#include "results/check.h"
#include "results/merge.h"
#include "results/overview.h"
#include "results/publish.h"
#include "results/results.h"
#include "run/run_json.h"
#include "run_names.h"
#include "run_self.h"
#include "spool/ids.h"
#include "spool/notes.h"
#include "spool/store.h"
#include "wrong_file.h"

/* Told in the text, which says what it is good for. */
static const ag_option s_options[] = {
    {"--experiment FILE", NULL, AG_OPTION_TEXT, 0, 0, NULL},
};

static const ag_command_line s_line = {
    .command = "merge",
    .usage =
        "usage: altgrad merge OUT [--experiment FILE] PART...\n\n"
        "Joins results files of one experiment, such as those of 'altgrad run --shard', into OUT,\n"
        "which may exist and hold some of the runs already. The parts stay as they are. OUT then\n"
        "holds what 'altgrad run' on the whole experiment would have left.\n\n"
        "Parts of different experiments are refused, unless --experiment FILE, or OUT where it\n"
        "exists, says which runs to take: those that this experiment names, from any part.\n"
        "Where two parts hold a run with different weights, this is reported as broken\n"
        "determinism (exit code 1) and nothing is written. Damaged runs are named and left out,\n"
        "so the good runs of one damaged packed file can be saved this way.\n\n",
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "Exit codes: 0 joined, 1 broken determinism, 2 bad input, 3 environment.\n\n"
             "example: altgrad merge results/q.h5 results/q-shard*.h5\n"
             "         altgrad merge all.h5 --experiment four_seeds.yaml mine.h5 theirs.h5\n",
};

/* OUT itself, where it exists, is the first part: its runs stay, and are compared with the others.
 */
typedef struct merger {
    const char *out;
    size_t n_parts;
    const char **paths;  /* [n_parts] */
    ag_results *parts;   /* [n_parts] */
    size_t n_open;       /* of them */
    const ag_grid *grid; /* of the experiment that is named, else of the first part */
    ag_ids named;        /* its runs */
    ag_arena arena;
    const char *file; /* of that experiment; NULL: none is named */
    bool has_target;  /* OUT's runs are known; parts may hold others too */
    bool adopts;      /* it must be, and takes complete runs alone */
    ag_experiment *experiment;
    ag_grid held; /* of an experiment in rounds, what is asked for; the grid is this one then */
    bool *asked;  /* [labels of the experiment] what `held` is made of */
    size_t copied;
    size_t left; /* damaged */
    size_t broken;
} merger;

/* --- the same experiment? */

/* For the message: experiment files are long, and differ in one number. */
static size_t line_that_differs(const char *a, const char *b)
{
    size_t line = 1;
    for (; *a == *b && *a != '\0'; a++, b++)
        line += *a == '\n';
    return line;
}

static ag_status refuse(const merger *m, size_t part, const char *what, const char *here,
                        const char *there)
{
    return ag_fail(AG_ERR_INPUT,
                   "%s is of another experiment than %s: %s '%s', not '%s'. To join runs of both, "
                   "write an experiment file that names them all: 'altgrad merge %s --experiment "
                   "FILE PART...' takes them from any parts",
                   m->paths[part], m->paths[0], what, here, there, m->out);
}

/* Parts of any experiments will do that have runs of this one. */
static ag_status check_runs(const merger *m, size_t part)
{
    const ag_results *results = &m->parts[part];
    for (size_t i = 0; i < results->n_rows; i++) {
        if (ag_ids_have(&m->named, results->rows[i].id))
            return AG_OK;
    }
    return ag_fail(AG_ERR_INPUT, "%s is of another experiment than %s: it has none of its runs",
                   m->paths[part], m->file != NULL ? m->file : m->out);
}

/* From the outside in: the first thing that differs is what the user recognises. */
static ag_status check_part(const merger *m, size_t part)
{
    if (m->has_target)
        return check_runs(m, part);
    const ag_grid *first = m->grid;
    const ag_grid *other = &m->parts[part].grid;
    char here[32];
    char there[32];
    if (strcmp(first->name, other->name) != 0)
        return refuse(m, part, "its name is", other->name, first->name);
    for (size_t a = 0; a < first->n_axes && a < other->n_axes; a++) {
        if (strcmp(first->axes[a].name, other->axes[a].name) != 0)
            return refuse(m, part, "it has the axis", other->axes[a].name, first->axes[a].name);
    }
    for (size_t r = 0; r < first->n_runs && r < other->n_runs; r++) {
        if (strcmp(first->runs[r].id, other->runs[r].id) != 0)
            return refuse(m, part, "its grid has the run", other->runs[r].id, first->runs[r].id);
    }
    snprintf(here, sizeof here, "%zu", other->n_runs);
    snprintf(there, sizeof there, "%zu", first->n_runs);
    if (first->n_runs != other->n_runs)
        return refuse(m, part, "the number of its runs is", here, there);
    if (first->n_axes != other->n_axes || first->n_labels != other->n_labels)
        return ag_fail(AG_ERR_INPUT, "%s is of another experiment than %s: other axes or labels",
                       m->paths[part], m->paths[0]);
    if (strcmp(first->yaml, other->yaml) != 0)
        ag_log(AG_LOG_WARNING,
               "%s: the text of its experiment file differs from %s's from line %zu on, though "
               "the runs are the same; the first is kept",
               m->paths[part], m->paths[0], line_that_differs(first->yaml, other->yaml));
    return AG_OK;
}

/* --- one id, one result */

/* NULL: a part that does not have the run. */
static bool is_complete(const ag_result_row *row)
{
    return row != NULL && ag_run_status_is_complete(row->status);
}

/* By the digest of the final weights. Equal ids with different weights are what altgrad promises
 * never to produce, so it ends everything. */
static void compare_with_earlier(merger *m, size_t part, const ag_result_row *row)
{
    for (size_t earlier = 0; earlier < part; earlier++) {
        const ag_result_row *other = ag_results_row(&m->parts[earlier], row->id);
        if (!is_complete(other) || strcmp(other->digest, row->digest) == 0)
            continue;
        m->broken++;
        ag_log(AG_LOG_ERROR,
               "broken determinism: run %s has weights %.12s in %s and %.12s in %s; 'altgrad "
               "reproduce' on either tells which one this machine repeats",
               row->id, other->digest, m->paths[earlier], row->digest, m->paths[part]);
        return;
    }
}

/* Of a damaged file the good runs, and the others by name. The command still fails for nothing
 * else: what is good is worth having. */
static ag_status salvage(merger *m, ag_results *part, const char *path)
{
    ag_check check;
    ag_status status = ag_check_results(&check, path);
    for (size_t i = 0; status == AG_OK && i < check.n_findings; i++) {
        bool is_run = check.findings[i].run[0] != '\0';
        m->left += is_run;
        if (is_run)
            ag_log(AG_LOG_WARNING, "run %s is left out: %s", check.findings[i].run,
                   check.findings[i].text);
    }
    if (status == AG_OK)
        status = ag_results_salvage(part, path, &check);
    ag_check_deinit(&check);
    return status;
}

/* Damage is met where the part is opened, and not while OUT is written. */
static ag_status open_part(merger *m, size_t part)
{
    const char *path = m->paths[part];
    AG_TRY(ag_app_expect_results(path));
    if (ag_results_are_damaged(path))
        return salvage(m, &m->parts[part], path);
    return ag_results_open(&m->parts[part], path);
}

/* All parts, before anything is written. */
static ag_status check_all(merger *m)
{
    for (; m->n_open < m->n_parts; m->n_open++)
        AG_TRY(open_part(m, m->n_open));
    if (m->file == NULL)
        m->grid = &m->parts[0].grid;
    AG_TRY(ag_ids_of_grid(&m->named, m->grid, &m->arena));
    for (size_t part = m->file == NULL ? 1 : 0; part < m->n_parts; part++) {
        if (m->paths[part] != m->out)
            AG_TRY(check_part(m, part));
        for (size_t i = 0; i < m->parts[part].n_rows; i++) {
            if (is_complete(&m->parts[part].rows[i]))
                compare_with_earlier(m, part, &m->parts[part].rows[i]);
        }
    }
    return AG_OK;
}

/* --- joining */

/* The event says from which part it came, in case somebody wonders later. */
static ag_status put_run(merger *m, ag_store *store, size_t part, const ag_result_row *row,
                         const ag_text *bytes)
{
    ag_text event;
    ag_text_init(&event);
    ag_status status = bytes->failed ? ag_fail(AG_ERR_SYSTEM, "out of memory for run %s", row->id)
                                     : ag_store_put(store, row->id, bytes->data, bytes->length);
    ag_text_printf(&event, "\"run\": \"%s\"", row->id);
    if (row->status == AG_RUN_DONE)
        ag_text_printf(&event, ", \"final_val_loss\": %.6g", row->final_val_loss);
    ag_text_add(&event, ", \"part\": ");
    ag_json_string(&event, m->paths[part]);
    if (status == AG_OK)
        status = ag_store_event(store, ag_run_status_words[row->status], event.data);
    ag_text_deinit(&event);
    m->copied += status == AG_OK;
    return status;
}

/* One that is damaged stays where it is. */
static ag_status copy_run(merger *m, ag_store *store, size_t part, const ag_result_row *row)
{
    ag_text bytes;
    ag_text_init(&bytes);
    ag_status status = ag_results_run_bytes(&bytes, m->paths[part], row->id);
    if (status == AG_OK) {
        status = put_run(m, store, part, row, &bytes);
    } else if (status == AG_ERR_FILE) {
        ag_log(AG_LOG_WARNING, "run %s is left out: %s", row->id, ag_error_message());
        ag_error_clear();
        m->left++;
        status = AG_OK;
    }
    ag_text_deinit(&bytes);
    return status;
}

/* Orphans come along where all parts are of one experiment. */
static bool is_wanted(const merger *m, const ag_result_row *row)
{
    return !m->has_target || ag_ids_have(&m->named, row->id);
}

/* What failed elsewhere is no reason not to train it here. */
static bool takes_failures(const merger *m, size_t part)
{
    return !m->adopts || m->paths[part] == m->out;
}

/* Completed runs first: a failure counts only where no part completed the run. */
static ag_status copy_all(merger *m, ag_store *store)
{
    for (size_t part = 0; part < m->n_parts; part++) {
        for (size_t i = 0; i < m->parts[part].n_rows; i++) {
            const ag_result_row *row = &m->parts[part].rows[i];
            if (is_complete(row) && is_wanted(m, row) && !ag_store_has(store, row->id))
                AG_TRY(copy_run(m, store, part, row));
        }
    }
    for (size_t part = 0; part < m->n_parts; part++) {
        for (size_t i = 0; takes_failures(m, part) && i < m->parts[part].n_rows; i++) {
            const ag_result_row *row = &m->parts[part].rows[i];
            const ag_failure failure = {row->id, row->reason, 1};
            if (row->status == AG_RUN_FAILED && is_wanted(m, row) && !ag_store_has(store, row->id))
                AG_TRY(ag_store_fail(store, &failure));
        }
    }
    return AG_OK;
}

typedef struct counts {
    size_t of[AG_RUN_STATUSES];
} counts;

/* How a run stands in the joined file: a failure counts where no part completed it, and a part
 * whose run was left out, being damaged, completed nothing. The same rules by which `run` would
 * count. */
static ag_run_status status_of(const merger *m, const ag_store *store, const char *id)
{
    ag_run_status status = AG_RUN_PENDING;
    bool complete = ag_store_has(store, id);
    for (size_t part = 0; part < m->n_parts; part++) {
        const ag_result_row *row = ag_results_row(&m->parts[part], id);
        if (complete && is_complete(row))
            return row->status;
        if (row != NULL && row->status == AG_RUN_FAILED && takes_failures(m, part))
            status = AG_RUN_FAILED;
    }
    return status;
}

/* The numbers of the last line, which add up to the grid. */
static counts count_runs(const merger *m, const ag_store *store)
{
    counts count = {0};
    for (size_t r = 0; r < m->grid->n_runs; r++)
        count.of[status_of(m, store, m->grid->runs[r].id)]++;
    return count;
}

/* As `run` does at its start: `status` then needs no grid. */
static ag_status note_plan(const merger *m, ag_store *store)
{
    ag_arena arena;
    ag_arena_init_growing(&arena);
    const char **names = ag_run_names(m->grid, &arena);
    ag_status status = names != NULL ? ag_store_plan(store, m->grid, names, NULL)
                                     : ag_fail(AG_ERR_SYSTEM, "out of memory");
    ag_arena_deinit(&arena);
    return status;
}

/* Orphans of the parts keep their names in OUT. */
static ag_status note_labels(const merger *m, ag_store *store)
{
    for (size_t part = 0; part < m->n_parts; part++) {
        if (m->parts[part].labels != NULL)
            AG_TRY(ag_store_labels(store, m->parts[part].labels));
    }
    return AG_OK;
}

/* Every status, also with 0: the line is compared with that of another merge. */
static void print_end(const merger *m, const counts *count)
{
    size_t parts = m->n_parts - (m->paths[0] == m->out);
    ag_text text;
    ag_text_init(&text);
    ag_text_printf(&text, "%s: %zu new run%s from %zu part%s; %zu run%s", m->out, m->copied,
                   m->copied == 1 ? "" : "s", parts, parts == 1 ? "" : "s", m->grid->n_runs,
                   m->grid->n_runs == 1 ? "" : "s");
    for (size_t status = 0; status < AG_RUN_STATUSES; status++)
        ag_text_printf(&text, "%s %zu %s", status == 0 ? ":" : ",", count->of[status],
                       ag_run_status_words[status]);
    if (m->left > 0)
        ag_text_printf(&text, "; %zu damaged run%s left out", m->left, m->left == 1 ? "" : "s");
    ag_text_add(&text, "\n");
    ag_text_print(&text);
    ag_text_deinit(&text);
}

/* Before there are results to judge. What was asked for in OUT needs no asking again. */
static ag_status begin_rounds(merger *m)
{
    const ag_grid *whole = m->grid;
    if (m->file == NULL || whole->seeds.at_most == 0)
        return AG_OK;
    m->grid = &m->held;
    return ag_merge_rounds_begin(&m->held, &m->asked, whole, m->parts, m->n_parts, &m->arena);
}

static ag_status go_on_with_rounds(merger *m, ag_store *store)
{
    const ag_grid *whole = ag_experiment_grid(m->experiment);
    AG_TRY(ag_results_publish(m->out));
    AG_TRY(ag_merge_rounds_go_on(&m->held, m->asked, whole, m->out, &m->arena));
    AG_TRY(ag_store_extend(store, m->grid));
    return note_plan(m, store);
}

/* Published where runs are missing, as `run` would have left it; packed where none is. */
static ag_status join(merger *m)
{
    ag_arena arena;
    ag_store *store = NULL;
    ag_job_facts facts;
    ag_arena_init_growing(&arena);
    ag_status status = begin_rounds(m);
    if (status == AG_OK)
        status = ag_results_facts(&facts, m->paths[0], &arena);
    facts.job = "merge";
    if (status != AG_OK ||
        (status = ag_store_open(&store, m->out, m->grid, &facts,
                                &(ag_store_options){.worker = ag_results_work})) != AG_OK ||
        (status = note_plan(m, store)) != AG_OK || (status = note_labels(m, store)) != AG_OK ||
        (status = copy_all(m, store)) != AG_OK ||
        (m->grid == &m->held && (status = go_on_with_rounds(m, store)) != AG_OK))
        goto cleanup;
    counts count = count_runs(m, store);
    status = count.of[AG_RUN_PENDING] > 0 ? ag_results_publish(m->out) : ag_results_pack(m->out);
    if (status == AG_OK)
        print_end(m, &count);
cleanup:
    ag_store_close(store);
    ag_arena_deinit(&arena);
    return status;
}

/* Every broken run is named before it ends: which ones they are tells what is wrong with a machine.
 */
static int merge(merger *m)
{
    ag_status status = check_all(m);
    if (status == AG_OK && m->broken > 0) {
        ag_log(AG_LOG_ERROR, "%zu runs differ between the parts; nothing is written", m->broken);
        return AG_EXIT_FAILED;
    }
    return ag_app_exit(status == AG_OK ? join(m) : status);
}

/* Where OUT exists it is a part, whose runs stay. Then merging again with further shards adds to
 * what is there. */
static bool exists(const char *out)
{
    ag_overview watch;
    bool found = ag_overview_open(&watch, out) == AG_OK;
    if (found)
        ag_overview_close(&watch);
    ag_error_clear();
    return found;
}

/* The experiment may name weights in results files, which a helper reads. */
static ag_status load_target(merger *m)
{
    ag_text diagnostics;
    const ag_experiment_options how = {.find_init = ag_run_find_init,
                                       .find_start = ag_run_find_start};
    ag_text_init(&diagnostics);
    ag_status status = ag_experiment_load(&m->experiment, m->file, &how, &diagnostics);
    fputs(diagnostics.data, stderr);
    ag_text_deinit(&diagnostics);
    if (status == AG_OK)
        m->grid = ag_experiment_grid(m->experiment);
    return status;
}

/* Parts as a shell's glob gives them: OUT may be among them, and folders are. */
static int merge_files(const char *out, const char *file, char **parts, size_t count, bool adopts)
{
    merger m = {.out = out, .file = file, .adopts = adopts};
    ag_arena_init_growing(&m.arena);
    m.paths = ag_arena_alloc(&m.arena, (count + 1) * sizeof *m.paths);
    m.parts = ag_arena_alloc(&m.arena, (count + 1) * sizeof *m.parts);
    int code = AG_EXIT_SYSTEM;
    if (m.paths == NULL || m.parts == NULL) {
        code = ag_app_exit(ag_fail(AG_ERR_SYSTEM, "out of memory"));
    } else {
        if (exists(out))
            m.paths[m.n_parts++] = out;
        m.has_target = file != NULL || m.n_parts > 0;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(parts[i], out) != 0 && !ag_app_is_folder_of_results(parts[i]))
                m.paths[m.n_parts++] = parts[i];
        }
        ag_status status = file != NULL ? load_target(&m) : AG_OK;
        if (m.n_parts == 0)
            code = ag_app_usage("merge", "which parts?");
        else if (adopts && !m.has_target)
            code = ag_app_usage("adopt",
                                "%s is not there yet: --experiment FILE says which runs to "
                                "take",
                                out);
        else
            code = status == AG_OK ? merge(&m) : ag_app_exit(status);
    }
    for (size_t i = 0; i < m.n_open; i++)
        ag_results_close(&m.parts[i]);
    ag_experiment_destroy(m.experiment);
    ag_arena_deinit(&m.arena);
    return code;
}

int ag_cmd_merge(int argc, char **argv)
{
    const char *file = NULL; /* the only option */
    int code = ag_app_read_options(&file, &s_line, argc, argv, NULL);
    if (code >= 0)
        return code;
    if (optind + 2 > argc)
        return ag_app_usage("merge", "into which file, and which parts?");
    return merge_files(argv[optind], file, argv + optind + 1, (size_t)(argc - optind - 1), false);
}

int ag_adopt_runs(const char *out, const char *file, char **others, size_t count)
{
    return merge_files(out, file, others, count, true);
}
