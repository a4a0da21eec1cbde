/* Rank 0 between two rounds of seeds. What is open is for those to say who read results: a helper,
 * which knows the statistics. Rank 0 publishes what is complete, asks, and adds to the grid of the
 * results what the answer names. It keeps no state of rounds: a job that goes on after a kill asks
 * the same question of the same runs. */
#include "run_rounds.h"

#include <string.h>

#include "run/run_json.h"
#include "run_finish.h"
#include "run_self.h"

static bool is_in_rounds(const ag_run_session *session)
{
    return session->grid->seeds.at_most > 0;
}

/* True where its run was not asked for under another label. */
static bool ask_for(ag_run_session *session, size_t label)
{
    ag_task *task = &session->tasks[session->grid->labels[label].run];
    bool is_new = !task->mine;
    session->asked[label] = true;
    task->mine = true;
    task->selected = task->wanted;
    return is_new;
}

ag_status ag_run_rounds_begin(ag_run_session *session)
{
    const ag_grid *grid = session->grid;
    session->held = grid;
    if (!is_in_rounds(session))
        return AG_OK;
    if (session->options->shard.count > 0)
        return ag_fail(AG_ERR_INPUT,
                       "--shard: 'seeds: {until: decided}' judges each round by the runs of the "
                       "whole grid, and a shard does not see those of the others. Leave --shard "
                       "out and give this job more ranks or nodes (mpirun -n), or say how many "
                       "seeds the shards are to train, such as --set seeds=%lld",
                       (long long)grid->seeds.at_most);
    session->asked = ag_arena_alloc(&session->arena, grid->n_labels * sizeof *session->asked);
    if (session->asked == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t r = 0; r < grid->n_runs; r++)
        session->tasks[r].mine = session->tasks[r].selected = false;
    for (size_t i = 0; i < grid->n_labels; i++) {
        session->asked[i] = false;
        if (ag_label_seed(grid, &grid->labels[i]) < grid->seeds.from)
            ask_for(session, i);
    }
    return AG_OK;
}

void ag_run_rounds_announce(const ag_run_session *session)
{
    const ag_seed_rounds *seeds = &session->grid->seeds;
    if (is_in_rounds(session) && session->counts.kept == 0)
        ag_display_event(session->display, AG_LOG_INFO,
                         "seeds: %lld at first, then more of what is open, at most %lld (%zu runs)",
                         (long long)seeds->from, (long long)seeds->at_most, session->grid->n_runs);
}

static ag_status pick(ag_run_session *session)
{
    ag_grid *part = ag_arena_alloc(&session->arena, sizeof *part);
    session->held = part;
    if (part == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    return ag_grid_pick(part, session->grid, session->asked, &session->arena);
}

ag_status ag_run_rounds_keep(ag_run_session *session)
{
    const ag_grid *grid = session->grid;
    if (!is_in_rounds(session))
        return AG_OK;
    for (size_t i = 0; i < grid->n_labels; i++) {
        if (session->tasks[grid->labels[i].run].was_complete)
            ask_for(session, i);
    }
    return pick(session);
}

/* Those of the part are in the same order as those of the whole. */
ag_status ag_run_rounds_plan(ag_run_session *session)
{
    const ag_grid *held = session->held;
    const char **names = ag_arena_alloc(&session->arena, (held->n_runs + 1) * sizeof *names);
    size_t n = 0;
    if (names == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t r = 0; r < session->grid->n_runs; r++) {
        if (session->tasks[r].mine)
            names[n++] = session->tasks[r].name;
    }
    return ag_store_plan(session->store, held, names, NULL);
}

/* --- what is asked for next */

/* Whether the label is one of the cell's, whose first label has these texts. */
static bool is_of_cell(const ag_grid *grid, const ag_label *label, const json_t *point)
{
    for (size_t axis = 0; axis + 1 < grid->n_axes; axis++) {
        const char *text = json_string_value(json_array_get(point, axis));
        if (text == NULL || strcmp(label->values[axis].text, text) != 0)
            return false;
    }
    return true;
}

typedef struct additions {
    size_t runs;
    size_t complete; /* of those */
} additions;

static void ask_cell(additions *added, ag_run_session *session, const json_t *cell)
{
    const ag_grid *grid = session->grid;
    const json_t *point = json_object_get(cell, "point");
    json_int_t seeds = json_integer_value(json_object_get(cell, "seeds"));
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *label = &grid->labels[i];
        if (session->asked[i] || ag_label_seed(grid, label) >= seeds ||
            !is_of_cell(grid, label, point) || !ask_for(session, i))
            continue;
        added->runs++;
        added->complete += ag_store_has(session->store, grid->runs[label->run].id);
    }
}

static ag_status ask_all(additions *added, ag_run_session *session, const json_t *rounds)
{
    const json_t *cells = json_object_get(rounds, "cells");
    *added = (additions){0};
    for (size_t i = 0; i < json_array_size(cells); i++)
        ask_cell(added, session, json_array_get(cells, i));
    if (added->runs == 0)
        return AG_OK;
    AG_TRY(pick(session));
    AG_TRY(ag_store_extend(session->store, session->held));
    return ag_run_rounds_plan(session);
}

/* A packed file holds just what the grid names, and is what a helper reads. */
static ag_status judge(json_t **value, ag_run_session *session)
{
    if (!ag_store_is_packed(session->store))
        AG_TRY(ag_run_publish(session));
    return ag_helper_of_results(value, "rounds", session->out, AG_CHILD_SILENT);
}

/* On the display, and for those who look later. */
static ag_status tell(ag_run_session *session, const json_t *rounds)
{
    ag_text members;
    const char *state = json_string_value(json_object_get(rounds, "state"));
    ag_display_event(session->display, AG_LOG_INFO, "seeds: %s", state != NULL ? state : "");
    ag_text_init(&members);
    ag_text_add(&members, "\"reason\": ");
    ag_json_string(&members, state != NULL ? state : "");
    ag_status status = members.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory")
                                      : ag_store_event(session->store, "round", members.data);
    ag_text_deinit(&members);
    return status;
}

/* Once, unless what was asked for is complete already and says more. */
ag_status ag_run_rounds_go_on(bool *more, ag_run_session *session)
{
    additions added = {.complete = 1};
    *more = false;
    while (is_in_rounds(session) && added.complete > 0) {
        json_t *value = NULL;
        AG_TRY(judge(&value, session));
        const json_t *rounds = json_object_get(value, "rounds");
        ag_status status = ask_all(&added, session, rounds);
        if (status == AG_OK && added.complete == 0)
            status = tell(session, rounds);
        json_decref(value);
        AG_TRY(status);
        *more = *more || added.runs > 0;
    }
    return AG_OK;
}
