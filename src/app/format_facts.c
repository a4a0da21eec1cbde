/* What each format of a grid is: the schemes that its runs quantise with, by operand. A name such
 * as mxfp8 is short for several decisions; plan and summary spell them out, so that a table can be
 * read years later. */
#include "format_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "run/layers.h"
#include "run/phases.h"
#include "run/sites.h"

/* A format whose layers have more than four different schemes for one operand is told by `plan
 * --layers`. */
enum { MOST_SCHEMES = 4, SCHEME_SIZE = AG_SCHEME_TEXT + 48, OPERANDS = AG_ROLES * AG_USES };
enum { NAME_COLUMNS = 48, TEXT_COLUMNS = 80 };

/* The runs that are looked at. */
typedef struct facts {
    const ag_grid *grid;
    const bool *selected; /* [n_runs]; NULL: all */
    size_t axis;          /* the formats' */
    size_t width;         /* columns of the widest name, and two */
    bool bits;            /* whether they are told */
} facts;

/* Texts and not schemes: two that read alike are alike for people. Compared as bytes, so it starts
 * zeroed. */
typedef struct scheme_list {
    size_t count;
    char text[MOST_SCHEMES][SCHEME_SIZE];
} scheme_list;

/* In the order in which layers have them. */
static void add_once(scheme_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->text[i], text) == 0)
            return;
    }
    if (list->count < MOST_SCHEMES)
        snprintf(list->text[list->count++], SCHEME_SIZE, "%s", text);
}

/* A use that stays BF16 is told where the other one of the role does not. */
static void add_use(scheme_list *list, const facts *f, const ag_scheme uses[AG_USES], size_t use)
{
    char text[SCHEME_SIZE];
    char description[AG_SCHEME_TEXT];
    char bits[16] = "";
    const ag_format *format = &uses[use].format;
    if (!uses[0].quantised && !uses[1].quantised)
        return;
    ag_scheme_describe(description, sizeof description, &uses[use]);
    if (f->bits)
        snprintf(bits, sizeof bits, ", %d bits", format->bits);
    snprintf(text, sizeof text, "%s%s, max %g", description, bits, (double)format->max);
    add_once(list, uses[use].quantised ? text : description);
}

/* Layers and sites together, since both take schemes of the format. */
static void collect_run(scheme_list *list, const facts *f, const ag_run *run, size_t operand)
{
    size_t role = operand / AG_USES;
    size_t use = operand % AG_USES;
    for (size_t layer = 0; layer < ag_layer_count(&run->model); layer++)
        add_use(list, f, run->layers[layer].scheme[role], use);
    for (size_t site = 0; run->sites != NULL && site < ag_site_count(&run->model); site++)
        add_use(list, f, run->sites[site].scheme[role], use);
}

static const char *format_of(const facts *f, size_t label)
{
    return f->grid->labels[label].values[f->axis].text;
}

/* Of runs that --only leaves out nothing is told. */
static bool is_selected(const facts *f, size_t label)
{
    return f->selected == NULL || f->selected[f->grid->labels[label].run];
}

/* All that the layers and sites of the format's runs have, by operand. Neighbours mostly share
 * their layers. */
static void collect(scheme_list lists[OPERANDS], const facts *f, const char *format)
{
    const ag_run *last = NULL;
    for (size_t i = 0; i < f->grid->n_labels; i++) {
        const ag_run *run = &f->grid->runs[f->grid->labels[i].run];
        if (!is_selected(f, i) || strcmp(format_of(f, i), format) != 0 ||
            (last != NULL && ag_phases_shared(run, last)))
            continue;
        for (size_t at = 0; at < OPERANDS * ag_phase_count(run); at++) {
            ag_run one = ag_run_in_phase(run, at / OPERANDS);
            collect_run(&lists[at % OPERANDS], f, &one, at % OPERANDS);
        }
        last = run;
    }
}

/* Lists are filled in one order, so equal ones are equal as bytes. */
static bool are_same(const scheme_list *a, const scheme_list *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The role where both its uses are the same: that stands for both. */
static const char *operand_name(const scheme_list lists[OPERANDS], size_t operand)
{
    size_t role = operand / AG_USES;
    size_t use = operand % AG_USES;
    if (!are_same(&lists[role * AG_USES], &lists[role * AG_USES + 1]))
        return ag_use_words[role][use];
    return use == 0 ? ag_role_words[role] : NULL;
}

/* What stands left of the operands, in columns. */
static size_t name_width(const facts *f)
{
    return f->width + (f->bits ? 2 : 0);
}

/* Operands that are treated alike share a line: most formats have two or three. */
static void add_operand(ag_text *out, const facts *f, const scheme_list lists[OPERANDS],
                        size_t operand)
{
    const scheme_list *list = &lists[operand];
    const char *separator = "";
    ag_text line;
    ag_text_init(&line);
    for (size_t i = operand; i < OPERANDS; i++) {
        const char *name = are_same(&lists[i], list) ? operand_name(lists, i) : NULL;
        if (name == NULL)
            continue;
        ag_text_printf(&line, "%s%s", separator, name);
        separator = ", ";
    }
    ag_text_add(&line, ": ");
    for (size_t i = 0; i < list->count; i++)
        ag_text_printf(&line, "%s%s", i > 0 ? " | " : "", list->text[i]);
    ag_text_add_wrapped(out, line.data, TEXT_COLUMNS, name_width(f) + 2);
    ag_text_add(out, "\n");
    out->failed |= line.failed;
    ag_text_deinit(&line);
}

/* An operand that nothing quantises has no line. */
static bool seen_before(const scheme_list lists[OPERANDS], size_t operand)
{
    for (size_t i = 0; i < operand; i++) {
        if (are_same(&lists[i], &lists[operand]))
            return true;
    }
    return lists[operand].count == 0;
}

/* The first layer of the format's runs whose products have accumulators of their own, or NULL. */
static const ag_layer_precision *find_accumulators(const facts *f, const char *format)
{
    for (size_t i = 0; i < f->grid->n_labels; i++) {
        const ag_run *run = &f->grid->runs[f->grid->labels[i].run];
        if (!is_selected(f, i) || strcmp(format_of(f, i), format) != 0)
            continue;
        size_t layers = ag_layer_count(&run->model);
        for (size_t at = 0; at < layers * ag_phase_count(run); at++) {
            ag_run one = ag_run_in_phase(run, at / layers);
            if (!ag_accumulates_by_default(&one.layers[at % layers]))
                return &one.layers[at % layers];
        }
    }
    return NULL;
}

/* One layer speaks for all: a format says accumulators once. */
static void add_accumulators(ag_text *out, const facts *f, size_t label)
{
    const ag_layer_precision *layer = find_accumulators(f, format_of(f, label));
    if (layer == NULL)
        return;
    ag_text_add_padded(out, "", f->width + (f->bits ? 2 : 0));
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        char text[AG_ACCUMULATOR_TEXT];
        ag_accumulator_describe(text, &layer->accumulate[product]);
        ag_text_printf(out, "%s%s %s", product == 0 ? "accumulate: " : "; ",
                       ag_linear_product_words[product], text);
    }
    ag_text_add(out, "\n");
}

/* What is not quantised is said in words, since a format without a line would look forgotten. */
static void add_format(ag_text *out, const facts *f, size_t label)
{
    const ag_run *run = &f->grid->runs[f->grid->labels[label].run];
    scheme_list lists[OPERANDS];
    bool quantised = false;
    memset(lists, 0, sizeof lists); /* compared as bytes */
    collect(lists, f, format_of(f, label));
    ag_text_add(out, f->bits ? "  " : "");
    ag_text_add_cell(out, format_of(f, label), f->width - 2);
    ag_text_add(out, "  ");
    for (size_t i = 0; i < OPERANDS; i++) {
        if (seen_before(lists, i))
            continue;
        ag_text_add_padded(out, "", quantised ? name_width(f) : 0);
        add_operand(out, f, lists, i);
        quantised = true;
    }
    if (!quantised)
        ag_text_add(out, run->compute == AG_COMPUTE_FP32 ? "float32, nothing is rounded\n"
                                                         : "bf16 operands and results\n");
    add_accumulators(out, f, label);
}

/* The first label of each format, into `firsts` [n_labels]. Returns how many there are. */
static size_t find_formats(size_t *firsts, const facts *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->grid->n_labels; i++) {
        size_t at = is_selected(f, i) ? 0 : count;
        while (at < count && strcmp(format_of(f, firsts[at]), format_of(f, i)) != 0)
            at++;
        if (at == count && is_selected(f, i))
            firsts[count++] = i;
    }
    return count;
}

/* Columns as wide as the longest name, up to a limit: names are the user's. */
void ag_format_facts(ag_text *out, const ag_grid *grid, const bool *selected, bool as_section)
{
    facts f = {.grid = grid, .selected = selected, .bits = as_section};
    while (f.axis < grid->n_axes && strcmp(grid->axes[f.axis].name, "format") != 0)
        f.axis++;
    size_t *firsts = calloc(grid->n_labels + 1, sizeof *firsts);
    if (firsts == NULL || f.axis == grid->n_axes) {
        out->failed |= firsts == NULL;
        free(firsts);
        return;
    }
    size_t count = find_formats(firsts, &f);
    for (size_t i = 0; i < count; i++) {
        size_t width = ag_text_width(format_of(&f, firsts[i])) + 2;
        f.width = width > f.width ? width : f.width;
    }
    if (f.width > NAME_COLUMNS + 2)
        f.width = NAME_COLUMNS + 2;
    ag_text_add(out, as_section ? "\nformats\n" : "");
    for (size_t i = 0; i < count; i++)
        add_format(out, &f, firsts[i]);
    free(firsts);
}
