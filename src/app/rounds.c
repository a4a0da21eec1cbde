/* Which seeds an experiment asks for. Nothing is remembered between rounds: all of them are decided
 * anew from the runs that are there, each round by its own seeds, which gives the same answer
 * before and after a kill. */
#include "rounds.h"

#include <stdlib.h>

#include "claims.h"
#include "run/run_json.h"

/* The cell of the summary that has this label. */
static size_t cell_of(const ag_summary *s, const ag_label *label)
{
    size_t cell = 0;
    while (cell < s->n_cells &&
           !ag_summary_agree(s, s->cells[cell].label, label, s->results->grid.n_axes))
        cell++;
    return cell;
}

/* Seeds that the grid does not have yet are missing, too. */
static size_t missing_of(const ag_summary *s, const ag_summary_cell *cell, size_t asked)
{
    size_t there = 0;
    for (size_t i = 0; i < cell->n_labels; i++) {
        const ag_label *label = cell->labels[i];
        there += label->values[s->seed_axis].integer < (int64_t)asked &&
                 s->results->rows[label->run].status != AG_RUN_PENDING;
    }
    return asked - there;
}

static size_t count_missing(const ag_summary *s, const size_t *asked)
{
    size_t missing = 0;
    for (size_t i = 0; i < s->n_cells; i++)
        missing += missing_of(s, &s->cells[i], asked[i]);
    return missing;
}

static void raise(size_t *asked, size_t seeds)
{
    *asked = *asked < seeds ? seeds : *asked;
}

/* More seeds of a cell in which nothing has a value would have none either: its runs fail, or the
 * baseline's diverge. */
static bool can_be_decided(const ag_summary_cell *cell)
{
    if (cell->verdict == AG_VERDICT_OPEN)
        return true;
    return cell->verdict == AG_VERDICT_NONE && cell->difference.n == 1 &&
           cell->n_values == cell->done;
}

/* A claim is of all cells whose first seed it speaks of. */
static ag_status ask_for_claim(size_t *asked, ag_summary *s, const ag_claim *claim, size_t seeds)
{
    const ag_grid *grid = &s->results->grid;
    bool *used = ag_arena_alloc(&s->arena, grid->n_labels + 1);
    if (used == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the claims");
    ag_claim_uses(used, claim, grid);
    for (size_t i = 0; i < s->n_cells; i++) {
        if (used[s->cells[i].label - grid->labels])
            raise(&asked[i], seeds);
    }
    return AG_OK;
}

static ag_status ask_for_claims(size_t *open, size_t *asked, ag_summary *s, size_t seeds)
{
    const ag_grid *grid = &s->results->grid;
    ag_claim_result *results = ag_arena_alloc(&s->arena, (grid->n_claims + 1) * sizeof *results);
    if (results == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the claims");
    AG_TRY(ag_claims_judge(results, s));
    for (size_t i = 0; i < grid->n_claims; i++) {
        if (results[i].state != AG_CLAIM_OPEN || !ag_claim_can_be_decided(&results[i]))
            continue;
        ++*open;
        AG_TRY(ask_for_claim(asked, s, &grid->claims[i], seeds));
    }
    return AG_OK;
}

/* Raises asked [n_cells] to `seeds` where the first `now` seeds leave something open. */
static ag_status ask(size_t *open, size_t *asked, const ag_summary *all, size_t now, size_t seeds)
{
    ag_summary first; /* its cells are those of `all`, as each has seed 0 */
    *open = 0;
    AG_TRY(ag_summary_make_first(&first, all->results, NULL, now));
    for (size_t i = 0; i < first.n_cells; i++) {
        const ag_summary_cell *cell = &first.cells[i];
        if (!can_be_decided(cell))
            continue;
        ++*open;
        raise(&asked[i], seeds);
        if (cell->partners_of[0] != NULL)
            raise(&asked[cell_of(&first, cell->partners_of[0])], seeds);
    }
    ag_status status = ask_for_claims(open, asked, &first, seeds);
    ag_summary_deinit(&first);
    return status;
}

ag_status ag_rounds_find(ag_rounds *rounds, ag_summary *summary)
{
    *rounds = (ag_rounds){.looks = ag_summary_looks(&summary->results->grid)};
    const size_t *looks = rounds->looks.seeds;
    size_t n_cells = summary->n_cells;
    rounds->asked = ag_arena_alloc(&summary->arena, n_cells * sizeof *rounds->asked);
    if (rounds->asked == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the rounds");
    for (size_t i = 0; i < n_cells; i++)
        rounds->asked[i] = looks[0];
    while ((rounds->missing = count_missing(summary, rounds->asked)) == 0) {
        bool last = rounds->round + 1 == rounds->looks.n;
        size_t now = looks[rounds->round];
        AG_TRY(
            ask(&rounds->open, rounds->asked, summary, now, last ? now : looks[rounds->round + 1]));
        rounds->ended = last || rounds->open == 0;
        if (rounds->ended)
            return AG_OK;
        rounds->round++;
    }
    return AG_OK;
}

/* --- told */

/* "3, 5, 8, 13 and 20" */
static void add_looks(ag_text *out, const ag_interim *looks)
{
    for (size_t i = 0; i < looks->n; i++)
        ag_text_printf(out, "%s%zu",
                       i == 0              ? ""
                       : i + 1 == looks->n ? " and "
                                           : ", ",
                       looks->seeds[i]);
}

/* The comparisons and claims that are open. */
static const char *things(size_t n)
{
    return n == 1 ? "comparison or claim is" : "comparisons and claims are";
}

static void add_state(ag_text *out, const ag_rounds *r)
{
    size_t round = r->round + 1;
    if (r->ended && r->open == 0)
        ag_text_printf(out, "all decided after round %zu", round);
    else if (r->ended)
        ag_text_printf(out, "the last round is complete: %zu %s open", r->open, things(r->open));
    else if (r->round == 0)
        ag_text_printf(out, "round 1 of at most %zu", r->looks.n);
    else
        ag_text_printf(out, "round %zu of at most %zu: %zu %s open", round, r->looks.n, r->open,
                       things(r->open));
    ag_text_printf(out, "; %zu seeds", r->looks.seeds[r->round]);
    if (r->missing > 0)
        ag_text_printf(out, ", %zu run%s to go", r->missing, r->missing == 1 ? "" : "s");
}

/* Both forms find the rounds anew from the summary's results. */
static bool find(ag_rounds *rounds, ag_summary *again, const ag_summary *summary)
{
    if (summary->results->grid.seeds.at_most == 0 ||
        ag_summary_make(again, summary->results, NULL) != AG_OK)
        return false;
    if (ag_rounds_find(rounds, again) == AG_OK)
        return true;
    ag_summary_deinit(again);
    return false;
}

void ag_rounds_text(ag_text *out, const ag_summary *summary)
{
    ag_rounds rounds;
    ag_summary again;
    if (!find(&rounds, &again, summary))
        return;
    ag_text_add(out, "\nseeds     ");
    add_state(out, &rounds);
    ag_text_add(out, "\n");
    ag_summary_deinit(&again);
}

/* What an open verdict beside a clear interval means. */
void ag_rounds_words(ag_text *out, const ag_summary *summary)
{
    ag_rounds rounds;
    ag_summary again;
    if (!find(&rounds, &again, summary))
        return;
    ag_text_add(out, "Seeds in rounds, until decided (");
    add_looks(out, &rounds.looks);
    ag_text_add(out, "): ");
    add_state(out, &rounds);
    ag_text_add(out,
                ". Each look at them spends a part of the 5 %, so an interval beyond the margin "
                "may still be open. ");
    ag_summary_deinit(&again);
}

/* {"round", "rounds", "seeds", "open", "missing", "ended", "state", "cells": [{"point": [text of
 * each axis], "seeds"}, ...]}; the point has the cell's first seed. */
static void add_json(ag_text *out, const ag_rounds *r, const ag_summary *s)
{
    const ag_grid *grid = &s->results->grid;
    ag_text_printf(out,
                   ", \"rounds\": {\"round\": %zu, \"rounds\": %zu, \"seeds\": %zu, \"open\": %zu, "
                   "\"missing\": %zu, \"ended\": %s, \"state\": \"",
                   r->round + 1, r->looks.n, r->looks.seeds[r->round], r->open, r->missing,
                   r->ended ? "true" : "false");
    add_state(out, r);
    ag_text_add(out, "\", \"cells\": [");
    for (size_t i = 0; i < s->n_cells; i++) {
        ag_text_add(out, i > 0 ? ", {\"point\": [" : "{\"point\": [");
        for (size_t axis = 0; axis < grid->n_axes; axis++) {
            ag_text_add(out, axis > 0 ? ", " : "");
            ag_json_string(out, s->cells[i].label->values[axis].text);
        }
        ag_text_printf(out, "], \"seeds\": %zu}", r->asked[i]);
    }
    ag_text_add(out, "]}");
}

void ag_rounds_json(ag_text *out, const ag_summary *summary)
{
    ag_rounds rounds;
    ag_summary again;
    if (!find(&rounds, &again, summary))
        return;
    add_json(out, &rounds, &again);
    ag_summary_deinit(&again);
}

bool ag_rounds_go_on(const char *path)
{
    ag_results results;
    ag_summary summary;
    ag_rounds rounds = {0};
    if (ag_results_open(&results, path) == AG_OK) {
        if (results.grid.seeds.at_most > 0 && ag_summary_make(&summary, &results, NULL) == AG_OK) {
            if (ag_rounds_find(&rounds, &summary) != AG_OK)
                rounds.missing = 0;
            ag_summary_deinit(&summary);
        }
        ag_results_close(&results);
    }
    ag_error_clear();
    return rounds.missing > 0;
}

/* --- before there are runs */

/* Runs of several labels count once, with the least of their seeds. */
static size_t count_first(const ag_grid *grid)
{
    size_t runs = 0;
    bool *counted = calloc(grid->n_runs + 1, sizeof *counted);
    for (size_t i = 0; counted != NULL && i < grid->n_labels; i++) {
        const ag_label *label = &grid->labels[i];
        if (ag_label_seed(grid, label) >= grid->seeds.from || counted[label->run])
            continue;
        counted[label->run] = true;
        runs++;
    }
    free(counted);
    return runs;
}

void ag_rounds_plan_text(ag_text *out, const ag_grid *grid)
{
    if (grid->seeds.at_most == 0)
        return;
    ag_interim looks = ag_summary_looks(grid);
    ag_text_add(out, "  seeds come in rounds until decided, for what is open after ");
    add_looks(out, &looks);
    ag_text_printf(out,
                   " seeds:\n  %zu runs at first, %zu are the most; what follows is of the most\n",
                   count_first(grid), grid->n_runs);
}

void ag_rounds_plan_json(ag_text *out, const ag_grid *grid)
{
    if (grid->seeds.at_most == 0)
        return;
    ag_interim looks = ag_summary_looks(grid);
    ag_text_add(out, ",\"rounds\":{\"seeds\":[");
    for (size_t i = 0; i < looks.n; i++)
        ag_text_printf(out, "%s%zu", i > 0 ? "," : "", looks.seeds[i]);
    ag_text_printf(out, "],\"first_runs\":%zu,\"most_runs\":%zu}", count_first(grid), grid->n_runs);
}
