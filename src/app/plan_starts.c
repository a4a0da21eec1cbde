/* What a plan says of states that runs begin with. */
#include <inttypes.h>
#include <string.h>

#include "plan.h"
#include "run/run_json.h"

static bool same_start(const ag_run *a, const ag_run *b)
{
    return strcmp(a->start_digest, b->start_digest) == 0 &&
           strcmp(a->train.start_file, b->train.start_file) == 0 &&
           strcmp(a->train.start_run, b->train.start_run) == 0;
}

static size_t count_before(const ag_grid *grid, const bool *selected, size_t at, size_t end)
{
    size_t count = 0;
    for (size_t i = 0; i < end; i++)
        count += selected[i] && same_start(&grid->runs[i], &grid->runs[at]);
    return count;
}

/* The first run with that state; quadratic, as a grid has few of them. */
static bool is_new(const ag_grid *grid, const bool *selected, size_t at)
{
    return selected[at] && grid->runs[at].start_digest[0] != '\0' &&
           count_before(grid, selected, at, at) == 0;
}

void ag_plan_starts(ag_text *text, const ag_grid *grid, const bool *selected)
{
    const char *head = "\nstart\n";
    for (size_t i = 0; i < grid->n_runs; i++) {
        const ag_run *run = &grid->runs[i];
        if (!is_new(grid, selected, i))
            continue;
        size_t count = count_before(grid, selected, i, grid->n_runs);
        ag_text_printf(text,
                       "%s  %s: %zu run%s with the state of run %s after step %" PRId64
                       " (digest %.12s)\n",
                       head, run->train.start_file, count, count == 1 ? " begins" : "s begin",
                       run->train.start_run, run->train.start_step, run->start_digest);
        head = "";
    }
}

void ag_plan_starts_json(ag_text *text, const ag_grid *grid, const bool *selected)
{
    const char *comma = "";
    ag_text_add(text, ",\"starts\":[");
    for (size_t i = 0; i < grid->n_runs; i++) {
        const ag_run *run = &grid->runs[i];
        if (!is_new(grid, selected, i))
            continue;
        ag_text_printf(text, "%s{\"file\":", comma);
        ag_json_string(text, run->train.start_file);
        ag_text_printf(text, ",\"run\":\"%s\",\"step\":%" PRId64 ",\"digest\":\"%s\",\"runs\":%zu}",
                       run->train.start_run, run->train.start_step, run->start_digest,
                       count_before(grid, selected, i, grid->n_runs));
        comma = ",";
    }
    ag_text_add(text, "]");
}
