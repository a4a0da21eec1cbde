/* Looks at every byte of an experiment's results and counts what is good. It changes nothing, and
 * trouble with one thing never ends the look at the others: somebody who asks suspects damage, and
 * wants all of it.
 *
 * libhdf5 crashes on some damaged files, so it reads in children; a crash is then a finding like
 * any other, of the run that was being read. */
#include "results/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "checker.h"
#include "gather.h"
#include "h5.h"
#include "results/guard.h"
#include "results/results.h"
#include "run/grid.h"
#include "spool/ids.h"
#include "spool/notes.h"
#include "spool/places.h"
#include "spool/seal.h"
#include "state.h"
#include "verify.h"

/* --- findings */

static ag_status no_memory(void)
{
    return ag_fail(AG_ERR_SYSTEM, "out of memory");
}

/* The old list stays in the arena: doubling wastes as much again at most. */
static ag_status make_capacity(ag_check *check)
{
    enum { FIRST = 16 };
    size_t capacity = check->capacity > 0 ? 2 * check->capacity : FIRST;
    ag_finding *findings = ag_arena_alloc(&check->arena, capacity * sizeof *findings);
    if (findings == NULL)
        return no_memory();
    if (check->n_findings > 0)
        memcpy(findings, check->findings, check->n_findings * sizeof *findings);
    check->findings = findings;
    check->capacity = capacity;
    return AG_OK;
}

/* A finding is one line, whatever the message it came from was. */
ag_status ag_check_find(ag_checker *c, ag_finding_kind kind, const char *run, const char *format,
                        ...)
{
    char text[2048];
    ag_check *check = c->check;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; (at = strchr(at, '\n')) != NULL;)
        *at = ' ';
    if (check->n_findings == check->capacity)
        AG_TRY(make_capacity(check));
    const ag_finding finding = {kind, ag_arena_strdup(&check->arena, run),
                                ag_arena_strdup(&check->arena, text)};
    if (finding.run == NULL || finding.text == NULL)
        return no_memory();
    ((ag_finding *)check->findings)[check->n_findings++] = finding;
    return AG_OK;
}

/* What could not be read may be as good as ever. */
static ag_finding_kind kind_of(ag_status status)
{
    return status == AG_ERR_SYSTEM ? AG_FINDING_UNREADABLE : AG_FINDING_DAMAGED;
}

/* A failure to read something is a finding, not the end. */
ag_status ag_check_find_failure(ag_checker *c, ag_status status)
{
    char message[AG_MESSAGE_SIZE];
    if (status == AG_OK)
        return AG_OK;
    ag_error_take(message, sizeof message);
    return ag_check_find(c, kind_of(status), "", "%s", message);
}

/* --- runs: libhdf5 reads each in a child, and a crash tells of the run at which it came */

/* Takes the message over, so that the next run's failure speaks for itself. */
static void keep_verdict(ag_run_verdict *v, ag_status status)
{
    v->bad = status != AG_OK;
    v->kind = kind_of(status);
    ag_error_take(v->text, sizeof v->text);
}

static bool has_diverged(const ag_entry *entry)
{
    return ag_run_status_of(entry->summary.status) == AG_RUN_DIVERGED;
}

/* The seal first: it needs no libhdf5, and covers every byte; what HDF5 then says is about content
 * that is as it was written. */
static ag_status verify_file(ag_run_verdict *v, const ag_checker *c, const char *id)
{
    char path[AG_PATH_SIZE];
    ag_arena arena;
    ag_entry entry = {0};
    AG_TRY(ag_places_run(path, c->places.runs, id));
    AG_TRY(ag_seal_check(path));
    AG_TRY(ag_results_verify(path));
    ag_arena_init_growing(&arena);
    ag_status status = ag_entry_read(&entry, id, &c->places, &arena);
    ag_arena_deinit(&arena);
    v->diverged = has_diverged(&entry);
    return status;
}

/* In a packed file, which has one seal for all runs; each run's own checksums tell which of them is
 * damaged. */
static void verify_group(ag_run_verdict *v, ag_h5 *h5, hid_t runs, const char *id)
{
    ag_arena arena;
    ag_entry entry = {0};
    ag_verify_run(h5, runs, id);
    ag_arena_init_growing(&arena);
    ag_entry_read_from(&entry, id, h5, &arena);
    ag_arena_deinit(&arena);
    v->diverged = has_diverged(&entry);
}

/* The counter lies in shared memory: after a crash the parent knows at which run it came, and goes
 * on behind it. */
static ag_status verify_files(void *context)
{
    const ag_checker *c = context;
    for (; *c->at < c->ids.count; ++*c->at) {
        ag_run_verdict *v = &c->verdicts[*c->at];
        keep_verdict(v, verify_file(v, c, c->ids.id[*c->at]));
    }
    return AG_OK;
}

/* A failure of one run must not be the file's: its status is taken off before the next one. */
static ag_status verify_packed(void *context)
{
    const ag_checker *c = context;
    ag_h5 h5;
    ag_h5_open(&h5, c->places.results, AG_RESULTS_FORMAT, NULL);
    hid_t runs = ag_h5_group(&h5, h5.id, "runs");
    if (h5.status != AG_OK)
        return ag_h5_close(&h5);
    for (; *c->at < c->ids.count; ++*c->at) {
        verify_group(&c->verdicts[*c->at], &h5, runs, c->ids.id[*c->at]);
        keep_verdict(&c->verdicts[*c->at], h5.status);
        h5.status = AG_OK;
    }
    ag_h5_release(runs);
    return ag_h5_close(&h5);
}

/* Ends, since each child gets past one run at least. */
static ag_status verify_all(ag_checker *c)
{
    while (*c->at < c->ids.count) {
        ag_status status = ag_guard(c->check->packed ? verify_packed : verify_files, c);
        if (status == AG_OK || *c->at >= c->ids.count)
            break;
        keep_verdict(&c->verdicts[(*c->at)++], status);
    }
    ag_error_clear();
    for (size_t i = 0; i < c->ids.count; i++) {
        if (c->verdicts[i].bad)
            AG_TRY(ag_check_find(c, c->verdicts[i].kind, c->ids.id[i], "%s", c->verdicts[i].text));
    }
    return AG_OK;
}

/* One more than needed, so that no memory of size 0 is asked for. */
static ag_status check_runs(ag_checker *c)
{
    size_t size = (c->ids.count + 1) * sizeof *c->verdicts;
    c->verdicts = ag_guard_share(size);
    c->at = ag_guard_share(sizeof *c->at);
    ag_status status = c->verdicts != NULL && c->at != NULL ? verify_all(c) : no_memory();
    ag_guard_unshare(c->at, sizeof *c->at);
    return status; /* the verdicts stay until all is counted */
}

/* --- the results file and the grid. What a child could do, this process can do too. */

static ag_status try_ids(void *context)
{
    ag_checker *c = context;
    ag_state state;
    AG_TRY(ag_state_of(&state, &c->places));
    return ag_packed_ids(&c->ids, NULL, &c->places, &c->check->arena);
}

static ag_status try_grid(void *context)
{
    ag_checker *c = context;
    return ag_packed_grid(&c->grid, &c->places, &c->check->arena);
}

/* Beside a packed file that does not even list its runs, or between run files. Without it the runs
 * are still counted, but not what is missing. */
static ag_status read_grid_beside(ag_checker *c)
{
    ag_status status = ag_notes_read_grid(&c->grid, NULL, c->places.grid, &c->check->arena);
    c->has_grid = status == AG_OK;
    return ag_check_find_failure(c, status);
}

/* Of another program's file nothing more is said than that: to call it damaged would be wrong. */
static ag_status open_broken(ag_checker *c, ag_status status)
{
    char message[AG_MESSAGE_SIZE];
    char unused[AG_MESSAGE_SIZE];
    bool damaged = false;
    if (status != AG_ERR_FILE)
        return status;
    ag_error_take(message, sizeof message);
    if (ag_judge_results(&damaged, unused, sizeof unused, &c->places) != AG_OK || !damaged) {
        ag_error_clear();
        return ag_fail(status, "%s", message); /* not ours */
    }
    AG_TRY(ag_check_find(c, AG_FINDING_DAMAGED, "", "%s", message));
    return ag_is_file(c->places.grid) ? read_grid_beside(c) : AG_OK;
}

/* The list of runs and the grid are asked for apart: a file whose grid is damaged may still hold
 * good runs. */
static ag_status open_packed(ag_checker *c)
{
    ag_status found = ag_guard(try_ids, c);
    if (found != AG_OK)
        return open_broken(c, found);
    AG_TRY(try_ids(c));
    ag_status status = ag_guard(try_grid, c);
    if (status == AG_OK)
        status = try_grid(c);
    c->has_grid = status == AG_OK;
    return ag_check_find_failure(c, status);
}

/* The folder lists its runs by itself. */
static ag_status open_spooled(ag_checker *c)
{
    AG_TRY(ag_list_ids(&c->ids, c->places.runs, ".h5", &c->check->arena));
    return read_grid_beside(c);
}

/* The seal covers what no other checksum does: tables, texts, gaps. */
static ag_status check_seal(ag_checker *c)
{
    if (access(c->places.results, F_OK) != 0)
        return AG_OK;
    ag_status status = ag_seal_check(c->places.results);
    if (status == AG_ERR_FILE && c->ids.count > 0 && ag_seal_is_opened(c->places.results)) {
        ag_error_clear();
        status = ag_seal_tell_open(c->places.results);
    }
    c->check->heals = c->check->heals || status == AG_ERR_FILE;
    return ag_check_find_failure(c, status);
}

/* The runs folder says which of the two is the truth, as for everybody. */
static ag_status check_results(ag_checker *c)
{
    bool spooled = ag_is_folder(c->places.runs);
    if (!spooled && access(c->places.results, F_OK) != 0)
        return ag_fail(AG_ERR_INPUT, "%s: there is no such results file", c->places.results);
    c->check->packed = !spooled;
    AG_TRY(spooled ? open_spooled(c) : open_packed(c));
    AG_TRY(check_seal(c));
    return check_runs(c);
}

/* --- is all there? */

/* Linear: a grid of thousands is compared in milliseconds, beside the gigabytes that were read. */
static const ag_run_verdict *verdict_of(const ag_checker *c, const char *id)
{
    for (size_t i = 0; i < c->ids.count; i++) {
        if (strcmp(c->ids.id[i], id) == 0)
            return &c->verdicts[i];
    }
    return NULL;
}

/* What is unreadable is counted apart from what is damaged: the first may need nothing but
 * permissions. */
static ag_status count_run(ag_checker *c, const char *id)
{
    ag_failure failure;
    ag_check *check = c->check;
    const ag_run_verdict *found = verdict_of(c, id);
    if (found != NULL && found->bad && found->kind == AG_FINDING_UNREADABLE)
        check->unreadable++;
    else if (found != NULL && found->bad)
        check->damaged++;
    else if (found != NULL && ++check->complete > 0)
        check->diverged += found->diverged;
    else if (ag_failure_read(&failure, id, c->places.failed, &check->arena))
        check->failed++;
    else
        check->pending++;
    return AG_OK;
}

/* Without a grid the runs that are there are all that can be counted. */
static ag_status count_runs(ag_checker *c)
{
    ag_check *check = c->check;
    size_t good = 0;
    for (size_t i = 0; i < c->ids.count; i++)
        good += !c->verdicts[i].bad;
    check->n_runs = c->has_grid ? c->grid.n_runs : c->ids.count;
    for (size_t i = 0; i < check->n_runs; i++)
        AG_TRY(count_run(c, c->has_grid ? c->grid.runs[i].id : c->ids.id[i]));
    check->orphans = good - check->complete;
    check->heals = check->heals || check->damaged > 0;
    return AG_OK;
}

/* The results before all else: they say whether there is anything to check. */
static ag_status check_all(ag_checker *c, const char *path)
{
    AG_TRY(ag_places_of(&c->places, path));
    AG_TRY(check_results(c));
    AG_TRY(count_runs(c));
    return ag_check_beside(c);
}

ag_status ag_check_results(ag_check *check, const char *path)
{
    *check = (ag_check){0};
    ag_arena_init_growing(&check->arena);
    ag_checker *c = calloc(1, sizeof *c);
    if (c == NULL)
        return no_memory();
    c->check = check;
    ag_status status = check_all(c, path);
    ag_guard_unshare(c->verdicts, (c->ids.count + 1) * sizeof *c->verdicts);
    free(c);
    return status;
}

void ag_check_deinit(ag_check *check)
{
    ag_arena_deinit(&check->arena);
}
