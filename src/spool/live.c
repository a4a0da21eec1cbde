/* What the owner of the results tells of its work, for those who watch: the runs of the grid, once,
 * and where it stands, every few seconds. */
#include "spool/live.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/text.h"
#include "run/grid.h"
#include "run/run.h"
#include "spool/ids.h"
#include "spool/places.h"

/* Lines instead of JSON: `altgrad status` reads a plan of thousands of runs each time it is asked,
 * and this is the part of it that grows with the grid. */
#define PLAN_TITLE "altgrad-plan 1 "

/* --- the plan: a title with the experiment's name, then "<id> <+ or -> <name>" a run */

/* Names come from a user's file, and a line must stay a line. */
static void add_line(ag_text *text, const char *name)
{
    size_t start = text->length;
    ag_text_add(text, name);
    for (size_t i = start; i < text->length; i++) {
        if (text->data[i] == '\n' || text->data[i] == '\r')
            text->data[i] = ' ';
    }
    ag_text_add(text, "\n");
}

ag_status ag_plan_write(const ag_places *places, const ag_grid *grid, const char *const *names,
                        const bool *mine)
{
    ag_text text;
    ag_text_init(&text);
    ag_text_add(&text, PLAN_TITLE);
    add_line(&text, grid->name);
    for (size_t i = 0; i < grid->n_runs; i++) {
        ag_text_printf(&text, "%s %c ", grid->runs[i].id, mine == NULL || mine[i] ? '+' : '-');
        add_line(&text, names[i]);
    }
    ag_status status = text.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory for the plan")
                                   : ag_write_whole(places->plan, text.data, text.length);
    ag_text_deinit(&text);
    return status;
}

/* Each line is a run at most. */
static size_t count_lines(const char *text)
{
    size_t count = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        count++;
    return count;
}

/* Cuts the text in place and keeps pointers into it, since both live in the same arena. */
static ag_status parse_plan(ag_planned *planned, char *text, const ag_places *places,
                            ag_arena *arena)
{
    char *rest = NULL;
    size_t most = count_lines(text);
    const char *title = strtok_r(text, "\n", &rest);
    if (title == NULL || strncmp(title, PLAN_TITLE, strlen(PLAN_TITLE)) != 0)
        return ag_fail(AG_ERR_FILE, "%s: damaged; 'altgrad run' on the experiment writes it anew",
                       places->plan);
    planned->experiment = title + strlen(PLAN_TITLE);
    planned->runs = ag_arena_alloc(arena, (most + 1) * sizeof *planned->runs);
    if (planned->runs == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu runs", most);
    for (char *line; (line = strtok_r(NULL, "\n", &rest)) != NULL;) {
        ag_planned_run *run = &planned->runs[planned->n_runs];
        enum { NAME_AT = AG_ID_LENGTH + 3 };
        if (strlen(line) < NAME_AT || planned->n_runs == most)
            return ag_fail(AG_ERR_FILE, "%s: damaged: '%.40s'", places->plan, line);
        *run = (ag_planned_run){.elsewhere = line[AG_ID_LENGTH + 1] == '-', .name = line + NAME_AT};
        memcpy(run->id, line, AG_ID_LENGTH);
        planned->n_runs++;
    }
    return AG_OK;
}

/* Of the plan's runs, those of other shards. */
static ag_status others_ids(ag_ids *ids, const ag_places *places, ag_arena *arena)
{
    bool found = false;
    ag_planned plan = {0};
    ag_arena plan_arena;
    ag_arena_init_growing(&plan_arena);
    if (ag_plan_read(&found, &plan, places, &plan_arena) != AG_OK)
        ag_error_clear(); /* a damaged one will be written anew */
    *ids = (ag_ids){.id = ag_arena_alloc(arena, (plan.n_runs + 1) * sizeof *ids->id)};
    for (size_t i = 0; ids->id != NULL && i < plan.n_runs; i++) {
        if (plan.runs[i].elsewhere)
            memcpy(ids->id[ids->count++], plan.runs[i].id, sizeof *ids->id);
    }
    ag_arena_deinit(&plan_arena);
    if (ids->id == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the plan");
    ag_ids_sort(ids);
    return AG_OK;
}

/* A shard's packed file is complete without the runs of the others, and must not be unpacked for
 * them each time it is opened. */
ag_status ag_plan_ids(ag_ids *ids, const ag_grid *grid, const ag_places *places, ag_arena *arena)
{
    ag_ids others;
    ag_ids named;
    AG_TRY(others_ids(&others, places, arena));
    AG_TRY(ag_ids_of_grid(&named, grid, arena));
    return ag_ids_without(ids, &named, &others, arena);
}

/* Results of the first version have no plan: then the grid is read instead. */
ag_status ag_plan_read(bool *found, ag_planned *planned, const ag_places *places, ag_arena *arena)
{
    ag_text text;
    *planned = (ag_planned){.experiment = ""};
    *found = ag_is_file(places->plan);
    if (!*found)
        return AG_OK;
    ag_text_init(&text);
    ag_status status = ag_read_whole(&text, places->plan);
    char *copy = status == AG_OK ? ag_arena_strdup(arena, text.data) : NULL;
    ag_text_deinit(&text);
    AG_TRY(status);
    if (copy == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %s", places->plan);
    return parse_plan(planned, copy, places, arena);
}

/* --- live.json */

/* JSON has no NaN. */
static json_t *number_of(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* "tokens_per_s" and "loss" are null before they are known; a reader in JavaScript or Python gets
 * no NaN, which JSON does not have. */
static json_t *pack_run(const ag_live_run *run)
{
    return json_pack("{s:I, s:s, s:I, s:I, s:o, s:o, s:o, s:b}", "rank", (json_int_t)run->rank,
                     "run", run->id, "step", (json_int_t)run->step, "steps", (json_int_t)run->steps,
                     "loss", number_of(run->loss), "seconds", number_of(run->seconds),
                     "tokens_per_s", number_of(run->tokens_per_s), "evaluating",
                     (int)run->evaluating);
}

/* With the owner's token, by which a reader tells it from what an owner left that was killed. */
static json_t *pack_live(const ag_live *live, const char *token)
{
    json_t *running = json_array();
    for (size_t i = 0; i < live->n_running; i++)
        json_array_append_new(running, pack_run(&live->running[i]));
    return json_pack("{s:s, s:b, s:f, s:f, s:f, s:f, s:I, s:I, s:o}", "token", token, "stopping",
                     (int)live->stopping, "now_s", live->now_s, "began_s", live->began_s, "share",
                     live->share, "before", live->before, "ranks", (json_int_t)live->ranks,
                     "waiting", (json_int_t)live->waiting, "running", running);
}

/* Renamed into place like all else, but not synced: after a crash of the host nobody runs whom it
 * could describe, and a sync every two seconds would be felt on a network file system. */
ag_status ag_live_write(const ag_live *live, const ag_places *places, const char *token)
{
    char temporary[AG_PATH_SIZE + sizeof AG_TEMPORARY];
    json_t *object = pack_live(live, token);
    snprintf(temporary, sizeof temporary, "%s" AG_TEMPORARY, places->live);
    bool written = object != NULL && json_dump_file(object, temporary, JSON_COMPACT) == 0 &&
                   rename(temporary, places->live) == 0;
    json_decref(object);
    if (!written)
        unlink(temporary);
    return written ? AG_OK : ag_fail(AG_ERR_SYSTEM, "cannot write %s", places->live);
}

/* What does not look like a run is left out, not refused: status is asked in trouble, when every
 * other line still helps. */
static bool unpack_run(ag_live_run *run, json_t *object, ag_arena *arena)
{
    json_int_t rank;
    json_int_t step;
    json_int_t steps;
    json_t *loss;
    json_t *rate;
    const char *id;
    int evaluating;
    if (json_unpack(object, "{s:I, s:s, s:I, s:I, s:o, s:F, s:o, s:b}", "rank", &rank, "run", &id,
                    "step", &step, "steps", &steps, "loss", &loss, "seconds", &run->seconds,
                    "tokens_per_s", &rate, "evaluating", &evaluating) != 0)
        return false;
    run->rank = rank;
    run->step = step;
    run->steps = steps;
    run->loss = json_is_number(loss) ? json_number_value(loss) : NAN;
    run->tokens_per_s = json_number_value(rate);
    run->evaluating = evaluating != 0;
    run->id = ag_arena_strdup(arena, id);
    return run->id != NULL;
}

/* False for the file of an earlier owner, which was killed. */
static bool unpack_live(ag_live *live, json_t *object, const char *token, ag_arena *arena)
{
    json_t *running;
    json_int_t ranks;
    json_int_t waiting = 0; /* no earlier version tells */
    const char *of;
    int stopping;
    if (json_unpack(object, "{s:s, s:b, s:F, s:F, s:F, s?F, s:I, s?I, s:o}", "token", &of,
                    "stopping", &stopping, "now_s", &live->now_s, "began_s", &live->began_s,
                    "share", &live->share, "before", &live->before, "ranks", &ranks, "waiting",
                    &waiting, "running", &running) != 0 ||
        strcmp(of, token) != 0)
        return false;
    live->stopping = stopping != 0;
    live->ranks = ranks;
    live->waiting = waiting;
    size_t count = json_array_size(running);
    ag_live_run *runs = ag_arena_alloc(arena, (count + 1) * sizeof *runs);
    live->running = runs;
    for (size_t i = 0; runs != NULL && i < count; i++)
        live->n_running += unpack_run(&runs[live->n_running], json_array_get(running, i), arena);
    return runs != NULL;
}

/* NULL for every trouble with it. It is renewed within seconds, and status shows the rest without
 * it. */
ag_live *ag_live_read(const ag_places *places, const char *token, ag_arena *arena)
{
    json_t *object = json_load_file(places->live, 0, NULL);
    ag_live *live = object != NULL ? ag_arena_alloc(arena, sizeof *live) : NULL;
    if (live != NULL && !unpack_live(live, object, token, arena))
        live = NULL;
    json_decref(object);
    return live;
}
