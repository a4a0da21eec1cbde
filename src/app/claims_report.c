/* Claims as people and scripts read them. */
#include <math.h>

#include "base/printable.h"
#include "claims.h"
#include "run/run_json.h"
#include "summary_forms.h"

enum { TEXT_COLUMNS = 80, INDENT = 4 };

/* "format = E4M3 is better than format = E5M2", from two neighbours among the points. */
static void add_pair(ag_text *out, const ag_claim *claim, const ag_grid *grid, size_t first,
                     const char *words)
{
    ag_summary_add_points(out, grid, &claim->points[first * grid->n_axes]);
    ag_text_add(out, words);
    ag_summary_add_points(out, grid, &claim->points[(first + 1) * grid->n_axes]);
}

static void add_order(ag_text *out, const ag_claim *claim, const ag_grid *grid)
{
    for (size_t i = 0; i < claim->n_points; i++) {
        ag_text_add(out, i > 0 ? " is better than " : "");
        ag_summary_add_points(out, grid, &claim->points[i * grid->n_axes]);
    }
}

/* The claim in the words of its definition, from its points alone: its name and text are the
 * user's, and may say anything. */
void ag_claim_words_add(ag_text *out, const ag_claim *claim, const ag_grid *grid)
{
    switch (claim->kind) {
    case AG_CLAIM_ORDER:
        add_order(out, claim, grid);
        break;
    case AG_CLAIM_DIVERGES:
        ag_summary_add_points(out, grid, claim->points);
        ag_text_printf(out, " diverges in more than %g of its runs", claim->bound);
        return;
    case AG_CLAIM_SAME:
        add_pair(out, claim, grid, 0, " is the same as ");
        ag_text_printf(out, " within %g", claim->bound);
        return;
    default:
        add_pair(out, claim, grid, 0,
                 claim->kind == AG_CLAIM_WORSE ? " is worse than " : " is better than ");
        break;
    }
    if (claim->bound > 0)
        ag_text_printf(out, " by more than %g", claim->bound);
}

/* In quotes, and the source in parentheses: both are the user's own words. */
static void add_text(ag_text *out, const ag_claim *claim)
{
    if (claim->text[0] != '\0') {
        ag_text_add(out, " \"");
        ag_text_add_printable(out, claim->text);
        ag_text_add(out, "\"");
    }
    if (claim->source[0] != '\0') {
        ag_text_add(out, " (");
        ag_text_add_printable(out, claim->source);
        ag_text_add(out, ")");
    }
}

/* --- before there are runs */

/* Wrapped with an indent, so that the first word of each claim, its state, stands out. */
static void add_paragraph(ag_text *out, const ag_text *words)
{
    ag_text_add(out, "  ");
    ag_text_add_wrapped(out, words->data != NULL ? words->data : "", TEXT_COLUMNS, INDENT);
    ag_text_add(out, "\n");
    out->failed |= words->failed;
}

/* Before training: what will be judged, while it can still be changed with a good conscience. */
void ag_claims_plan_text(ag_text *out, const ag_grid *grid)
{
    for (size_t i = 0; i < grid->n_claims; i++) {
        ag_text words;
        ag_text_init(&words);
        ag_text_add(out, i == 0 ? "\nclaims, for the runs to judge\n" : "");
        ag_text_add_printable(&words, grid->claims[i].name);
        ag_text_add(&words, ": ");
        ag_claim_words_add(&words, &grid->claims[i], grid);
        ag_text_add(&words, ".");
        add_text(&words, &grid->claims[i]);
        add_paragraph(out, &words);
        ag_text_deinit(&words);
    }
}

/* The members that a claim has before and after; open at its end. */
static void add_claim_json(ag_text *out, const ag_claim *claim, const ag_grid *grid)
{
    ag_text words;
    ag_text_init(&words);
    ag_claim_words_add(&words, claim, grid);
    ag_text_add(out, "{\"name\": ");
    ag_json_string(out, claim->name);
    ag_text_add(out, ", \"text\": ");
    ag_json_string(out, claim->text);
    ag_text_add(out, ", \"source\": ");
    ag_json_string(out, claim->source);
    ag_text_printf(out, ", \"kind\": \"%s\", \"bound\": ", ag_claim_words[claim->kind]);
    char bound[32];
    ag_json_real(bound, claim->bound);
    ag_text_printf(out, "%s, \"statement\": ", bound);
    ag_json_string(out, words.data != NULL ? words.data : "");
    out->failed |= words.failed;
    ag_text_deinit(&words);
}

void ag_claims_plan_json(ag_text *out, const ag_grid *grid)
{
    for (size_t i = 0; i < grid->n_claims; i++) {
        ag_text_add(out, i == 0 ? ", \"claims\": [\n  " : ",\n  ");
        add_claim_json(out, &grid->claims[i], grid);
        ag_text_add(out, "}");
    }
    ag_text_add(out, grid->n_claims > 0 ? "]" : "");
}

/* --- judged */

/* What the state rests on: how many seeds, their difference, and what is missing. */
static void add_numbers(ag_text *out, const ag_claim_result *r, const ag_grid *grid)
{
    if (r->claim->kind == AG_CLAIM_DIVERGES) {
        ag_text_printf(out, " %zu of %zu runs diverged", r->diverged, r->runs);
        if (r->runs > 0)
            ag_text_printf(out, " (95 %% interval of the share: %.2f to %.2f)", r->low, r->high);
        ag_text_add(out, ".");
        return;
    }
    if (r->claim->n_points > 2) {
        ag_text_add(out, " Least certain, ");
        add_pair(out, r->claim, grid, r->link, " before ");
        ag_text_add(out, ":");
    }
    if (r->difference.n > 1)
        ag_text_printf(out, " difference %+.4f ± %.4f over %zu seeds.", r->difference.mean,
                       r->difference.half, r->difference.n);
    else
        ag_text_printf(out, " %zu seed%s with a difference.", r->difference.n,
                       r->difference.n == 1 ? "" : "s");
    if (r->diverged > 0)
        ag_text_printf(out, " Runs of %zu seed%s diverged: those that are left settle nothing.",
                       r->diverged, r->diverged == 1 ? "" : "s");
    else if (r->missing > 0)
        ag_text_printf(out, " %zu seed%s without.", r->missing, r->missing == 1 ? "" : "s");
}

static void add_result(ag_text *out, const ag_claim_result *r, const ag_grid *grid)
{
    ag_text words;
    ag_text_init(&words);
    ag_text_printf(&words, "%s: ", ag_claim_state_words[r->state]);
    ag_text_add_printable(&words, r->claim->name);
    ag_text_add(&words, ": ");
    ag_claim_words_add(&words, r->claim, grid);
    ag_text_add(&words, ".");
    add_numbers(&words, r, grid);
    if (r->more_seeds > 0)
        ag_text_printf(&words, " %zu more %s might decide.", r->more_seeds,
                       r->claim->kind == AG_CLAIM_DIVERGES ? "runs" : "seeds");
    add_text(&words, r->claim);
    add_paragraph(out, &words);
    ag_text_deinit(&words);
}

static void add_result_json(ag_text *out, const ag_claim_result *r, const ag_grid *grid)
{
    add_claim_json(out, r->claim, grid);
    ag_text_printf(out, ", \"state\": \"%s\", \"link\": %zu, \"seeds\": %zu",
                   ag_claim_state_words[r->state], r->link, r->difference.n);
    ag_summary_add_number(out, "difference", r->difference.mean);
    ag_summary_add_number(out, "difference_sd", r->difference.sd);
    ag_summary_add_number(out, "low", r->low);
    ag_summary_add_number(out, "high", r->high);
    ag_summary_add_number(out, "p", r->p);
    ag_summary_add_number(out, "p_adjusted", r->adjusted);
    ag_summary_add_number(out, "more_seeds", r->more_seeds > 0 ? (double)r->more_seeds : NAN);
    ag_text_printf(out, ", \"missing\": %zu, \"diverged\": %zu, \"runs\": %zu}", r->missing,
                   r->diverged, r->runs);
}

/* Judges all and writes each by `add`, between the two texts. */
static void report(ag_text *out, const ag_summary *summary, const char *first, const char *between,
                   void (*add)(ag_text *out, const ag_claim_result *r, const ag_grid *grid))
{
    const ag_grid *grid = &summary->results->grid;
    ag_arena arena;
    if (grid->n_claims == 0)
        return;
    ag_arena_init_growing(&arena);
    ag_claim_result *results = ag_arena_alloc(&arena, grid->n_claims * sizeof *results);
    bool judged = results != NULL && ag_claims_judge(results, summary) == AG_OK;
    for (size_t i = 0; judged && i < grid->n_claims; i++) {
        ag_text_add(out, i == 0 ? first : between);
        add(out, &results[i], grid);
    }
    out->failed |= !judged; /* memory ran out */
    ag_arena_deinit(&arena);
}

void ag_claims_text(ag_text *out, const ag_summary *summary)
{
    report(out, summary, "\nclaims\n", "", add_result);
}

void ag_claims_json(ag_text *out, const ag_summary *summary)
{
    report(out, summary, ", \"claims\": [\n  ", ",\n  ", add_result_json);
    ag_text_add(out, summary->results->grid.n_claims > 0 ? "]" : "");
}

/* An error is none of the report's: it would be told by whoever reads these results for their own
 * sake. */
void ag_claims_of_results(ag_text *out, const char *path,
                          void (*form)(ag_text *out, const ag_summary *summary))
{
    ag_results results;
    ag_summary summary;
    if (ag_results_open(&results, path) == AG_OK) {
        if ((results.grid.n_claims > 0 || results.grid.seeds.at_most > 0) &&
            ag_summary_make(&summary, &results, NULL) == AG_OK) {
            form(out, &summary);
            ag_summary_deinit(&summary);
        }
        ag_results_close(&results);
    }
    ag_error_clear();
}
