/* `altgrad plan --layers`: what each layer's operands are quantised to, after all rules have been
 * applied. A rule that matched nothing, or another layer than was meant, shows here, before a day
 * is spent on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "plan.h"
#include "run/layers.h"
#include "run/phases.h"
#include "run/sites.h"

/* Wide enough for the longest scheme and for three roles. */
enum { CELL = AG_SCHEME_TEXT, NAME_WIDTH = 32, SITE_NAME_WIDTH = 35, TENSOR_WIDTH = 27 };

/* Whether row `kind` of a table with `per_block` rows a block is the same in every block. */
static bool same_in_all_blocks(const ag_run *run, const ag_layer_precision *rows, size_t per_block,
                               size_t kind)
{
    for (int64_t block = 1; block < run->model.n_layer; block++) {
        if (!ag_layer_precision_equal(&rows[kind], &rows[(size_t)block * per_block + kind]))
            return false;
    }
    return run->model.n_layer > 1;
}

/* "transformer.h.0.mlp.c_fc" as "transformer.h.*.mlp.c_fc", for all blocks. */
static void name_all_blocks(char *out, size_t size, const char *name)
{
    snprintf(out, size, "transformer.h.*%s", strstr(name, ".0.") + 2);
}

/* Names with the endings of sites need more room. */
static int name_width(const ag_run *run)
{
    return run->sites != NULL ? SITE_NAME_WIDTH : NAME_WIDTH;
}

/* Names and tensors have columns, what follows is free. */
static void add_line(ag_text *text, const ag_run *run, const char *name, const char *tensor,
                     const char *what)
{
    ag_text_printf(text, "  %-*s %-*s %s\n", name_width(run), name, TENSOR_WIDTH, tensor, what);
}

/* What is not quantised has the precision of the run. */
static void cell(char text[CELL], const ag_run *run, const ag_scheme *scheme)
{
    if (scheme->quantised)
        ag_scheme_describe(text, CELL, scheme);
    else
        snprintf(text, CELL, "%s", run->compute == AG_COMPUTE_FP32 ? "FP32" : "BF16");
}

static bool is_used_once(const ag_layer_precision *precision, int role)
{
    return ag_scheme_equal(&precision->scheme[role][0], &precision->scheme[role][1]);
}

/* Roles from `role` on that are quantised alike, as "weight, input". Returns the first one that is
 * not told with them. */
static int gather_roles(char names[CELL], const ag_layer_precision *precision, int role)
{
    int end = role + 1;
    int length = snprintf(names, CELL, "%s", ag_role_words[role]);
    while (end < AG_ROLES && is_used_once(precision, end) &&
           ag_scheme_equal(&precision->scheme[end][0], &precision->scheme[role][0])) {
        length += snprintf(names + length, CELL - (size_t)length, ", %s", ag_role_words[end]);
        end++;
    }
    return end;
}

/* Returns the next role to tell. */
static int add_roles(ag_text *text, const ag_run *run, const char *name, int role,
                     const ag_layer_precision *precision)
{
    char first[CELL];
    char second[CELL];
    char roles[CELL];
    cell(first, run, &precision->scheme[role][0]);
    if (is_used_once(precision, role)) {
        int next = gather_roles(roles, precision, role);
        add_line(text, run, name, roles, first);
        return next;
    }
    cell(second, run, &precision->scheme[role][1]);
    add_line(text, run, name, ag_use_words[role][0], first);
    add_line(text, run, "", ag_use_words[role][1], second);
    return role + 1;
}

/* One line for all products where they are alike, else one each. */
static void add_accumulators(ag_text *text, const ag_run *run, const ag_layer_precision *precision)
{
    const ag_accumulator *accumulate = precision->accumulate;
    bool alike = ag_accumulator_equal(&accumulate[AG_FPROP], &accumulate[AG_DGRAD]) &&
                 ag_accumulator_equal(&accumulate[AG_FPROP], &accumulate[AG_WGRAD]);
    for (int i = 0; i < (alike ? 1 : AG_LINEAR_PRODUCTS); i++) {
        char product[24] = "accumulate";
        char what[AG_ACCUMULATOR_TEXT];
        if (!alike)
            snprintf(product, sizeof product, "accumulate.%s", ag_linear_product_words[i]);
        ag_accumulator_describe(what, &accumulate[i]);
        add_line(text, run, "", product, what);
    }
}

/* A layer that nothing touches needs one line. */
static void add_layer(ag_text *text, const ag_run *run, const char *name, size_t index)
{
    const ag_layer_precision *precision = &run->layers[index];
    static const ag_layer_precision untouched;
    if (ag_layer_precision_equal(precision, &untouched)) {
        char plain[CELL];
        cell(plain, run, &precision->scheme[0][0]);
        ag_text_printf(text, "  %-*s %s\n", name_width(run), name, plain);
        return;
    }
    for (int role = 0; role < AG_ROLES;)
        role = add_roles(text, run, role == 0 ? name : "", role, precision);
    if (!ag_accumulates_by_default(precision))
        add_accumulators(text, run, precision);
}

/* Blocks that are alike are told once: most models are the same in all of them. */
static void add_layers(ag_text *text, const ag_run *run)
{
    size_t last = ag_layer_count(&run->model) - 1;
    for (size_t i = 0; i <= last; i++) {
        size_t per_block = ag_block_linears(&run->model);
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        bool shared = i < last && same_in_all_blocks(run, run->layers, per_block, i % per_block);
        char name[AG_LAYER_NAME_SIZE + 16];
        snprintf(name, sizeof name, "%s", layer.name);
        if (shared && layer.block == 0)
            name_all_blocks(name, sizeof name, layer.name);
        if (!shared || layer.block == 0)
            add_layer(text, run, name, i);
    }
}

/* "q, k": the tensors of a site whose schemes are equal to that of tensor `first`. */
static void tensor_names(char text[CELL], const ag_site *site, const ag_layer_precision *precision,
                         size_t first, size_t use)
{
    const ag_scheme *scheme = &precision->scheme[site->tensors[first].role][use];
    const ag_scheme *other = &precision->scheme[site->tensors[first].role][1 - use];
    bool alike = ag_scheme_equal(scheme, other);
    size_t length = 0;
    for (size_t i = 0; i < site->n_tensors && length < CELL; i++) {
        const ag_site_tensor *tensor = &site->tensors[i];
        if (tensor->role == site->tensors[first].role)
            length += (size_t)snprintf(text + length, CELL - length, "%s%s", i > first ? ", " : "",
                                       alike ? tensor->name : tensor->uses[use]);
    }
}

/* Like roles, tensors of a site share a line where one scheme serves them. */
static void add_site(ag_text *text, const ag_run *run, const char *name, size_t index)
{
    const ag_layer_precision *precision = &run->sites[index];
    ag_site site = ag_site_at(&run->model, index);
    for (size_t i = 0; i < site.n_tensors; i++) {
        ag_role role = site.tensors[i].role;
        if (i > 0 && site.tensors[i - 1].role == role)
            continue; /* told with the one before */
        size_t uses =
            ag_scheme_equal(&precision->scheme[role][0], &precision->scheme[role][1]) ? 1 : AG_USES;
        for (size_t use = 0; use < uses; use++) {
            char tensors[CELL];
            char what[CELL];
            tensor_names(tensors, &site, precision, i, use);
            snprintf(what, sizeof what, "not quantised");
            if (precision->scheme[role][use].quantised)
                cell(what, run, &precision->scheme[role][use]);
            add_line(text, run, i + use == 0 ? name : "", tensors, what);
        }
    }
}

/* Sites that are on. */
static void add_sites(ag_text *text, const ag_run *run)
{
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        size_t per_block = ag_block_sites(&run->model);
        ag_site site = ag_site_at(&run->model, i);
        bool shared = site.block < (size_t)run->model.n_layer &&
                      same_in_all_blocks(run, run->sites, per_block, i % per_block);
        char name[AG_LAYER_NAME_SIZE + 16];
        snprintf(name, sizeof name, "%s", site.name);
        if (shared && site.block == 0)
            name_all_blocks(name, sizeof name, site.name);
        if (ag_site_is_on(&run->sites[i]) && (!shared || site.block == 0))
            add_site(text, run, name, i);
    }
}

/* Labels of one format and layer config have one table, told under one heading. */
static bool same_heading(const ag_grid *grid, const ag_label *a, const ag_label *b)
{
    return strcmp(a->values[0].text, b->values[0].text) == 0 &&
           strcmp(a->values[1].text, b->values[1].text) == 0 &&
           ag_have_same_layers(&grid->runs[a->run].model, &grid->runs[b->run].model);
}

static bool same_table(const ag_run *a, const ag_run *b)
{
    bool same = ag_have_same_layers(&a->model, &b->model) && a->compute == b->compute &&
                a->n_phases == b->n_phases;
    for (size_t phase = 0; same && phase < ag_phase_count(a); phase++) {
        ag_phase left = ag_phase_of(a, phase);
        ag_phase right = ag_phase_of(b, phase);
        same = left.from == right.from && ag_phase_equal(&a->model, &left, &right);
    }
    return same;
}

/* Whether some layer has more than one scale per tensor. */
static bool has_groups(const ag_run *run)
{
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        for (int j = 0; j < AG_ROLES * AG_USES; j++) {
            const ag_scheme *scheme = &run->layers[i].scheme[j / AG_USES][j % AG_USES];
            if (scheme->granularity != AG_GRANULARITY_TENSOR)
                return true;
        }
    }
    return false;
}

/* The first label of each heading, into `firsts`. Returns how many there are. */
static size_t find_headings(size_t *firsts, const ag_grid *grid, const bool *selected)
{
    size_t count = 0;
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *label = &grid->labels[i];
        size_t at = selected[label->run] ? 0 : count;
        while (at < count && !same_heading(grid, &grid->labels[firsts[at]], label))
            at++;
        if (at == count && selected[label->run])
            firsts[count++] = i;
    }
    return count;
}

static const ag_run *run_of(const ag_grid *grid, size_t label)
{
    return &grid->runs[grid->labels[label].run];
}

/* "format BF16, layers uniform, mlp_only (2 blocks)": those that have the table of heads[0]. A
 * format's labels are neighbours. Thus one table may stand for a dozen combinations. */
static void add_headings(ag_text *text, const ag_grid *grid, const size_t *heads, size_t n)
{
    const ag_run *run = run_of(grid, heads[0]);
    const char *format = NULL;
    for (size_t i = 0; i < n; i++) {
        const ag_label *label = &grid->labels[heads[i]];
        if (!same_table(run, run_of(grid, heads[i])))
            continue;
        bool same_format = format != NULL && strcmp(format, label->values[0].text) == 0;
        if (!same_format) {
            ag_text_add(text, format == NULL ? "format " : "\nformat ");
            ag_text_add_printable(text, format = label->values[0].text);
        }
        ag_text_add(text, same_format ? ", " : ", layers ");
        ag_text_add_printable(text, label->values[1].text);
    }
    ag_text_printf(text, " (%lld blocks)\n", (long long)run->model.n_layer);
}

/* A table is told under the first of its headings. */
static bool is_told(const ag_grid *grid, const size_t *heads, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (same_table(run_of(grid, heads[i]), run_of(grid, heads[at])))
            return true;
    }
    return false;
}

/* The table of each phase, under its steps where there are several. */
static bool add_phases(ag_text *text, const ag_run *run)
{
    bool groups = false;
    for (size_t phase = 0; phase < ag_phase_count(run); phase++) {
        ag_run one = ag_run_in_phase(run, phase);
        int64_t end = phase == run->n_phases ? run->train.steps : ag_phase_begin(run, phase + 1);
        if (run->n_phases > 0)
            ag_text_printf(text, "from step %lld until %lld\n",
                           (long long)ag_phase_begin(run, phase), (long long)end);
        add_layers(text, &one);
        add_sites(text, &one);
        groups |= has_groups(&one);
    }
    return groups;
}

/* Tables that are equal are printed once, with all the labels that have them: a grid over seeds or
 * learning rates has one. */
ag_status ag_plan_layers(ag_text *text, const ag_grid *grid, const bool *selected)
{
    size_t *heads = calloc(grid->n_labels + 1, sizeof *heads); /* indices of labels */
    if (heads == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    size_t count = find_headings(heads, grid, selected);
    bool groups = false;
    for (size_t i = 0; i < count; i++) {
        if (is_told(grid, heads, i))
            continue;
        ag_text_add(text, "\n");
        add_headings(text, grid, heads + i, count - i);
        groups |= add_phases(text, run_of(grid, heads[i]));
    }
    if (groups)
        ag_text_add(text,
                    "\nRows and blocks lie along what each product sums over: channels in fprop "
                    "and dgrad, tokens in wgrad.\n");
    free(heads);
    return AG_OK;
}
