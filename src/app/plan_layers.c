/* `altgrad plan --layers`: what each layer's operands are quantised to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/printable.h"
#include "plan.h"
#include "spec/layers.h"
#include "spec/sites.h"

enum { CELL = 120, NAME_WIDTH = 32, SITE_NAME_WIDTH = 35 };

static bool same_precision(const ag_layer_precision *a, const ag_layer_precision *b)
{
    for (int role = 0; role < AG_ROLES; role++) {
        for (int use = 0; use < AG_USES; use++) {
            if (!ag_scheme_equal(&a->scheme[role][use], &b->scheme[role][use]))
                return false;
        }
    }
    return true;
}

/* Whether row `kind` of a table with `per_block` rows a block is the same in every block. */
static bool same_in_all_blocks(const ag_run *run, const ag_layer_precision *rows, size_t per_block,
                               size_t kind)
{
    for (int64_t block = 1; block < run->model.n_layer; block++) {
        if (!same_precision(&rows[kind], &rows[(size_t)block * per_block + kind]))
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

static void add_line(ag_text *text, const ag_run *run, const char *name, const char *tensor,
                     const char *what)
{
    ag_text_printf(text, "  %-*s %-18s %s\n", name_width(run), name, tensor, what);
}

static void cell(char text[CELL], const ag_run *run, const ag_scheme *scheme)
{
    if (scheme->quantised)
        ag_scheme_describe(text, CELL, scheme);
    else
        snprintf(text, CELL, "%s", run->compute == AG_COMPUTE_FP32 ? "FP32" : "BF16");
}

static void add_role(ag_text *text, const ag_run *run, const char *name, int role,
                     const ag_layer_precision *precision)
{
    char first[CELL];
    char second[CELL];
    cell(first, run, &precision->scheme[role][0]);
    cell(second, run, &precision->scheme[role][1]);
    if (strcmp(first, second) == 0) {
        add_line(text, run, name, ag_role_words[role], first);
        return;
    }
    add_line(text, run, name, ag_use_words[role][0], first);
    add_line(text, run, "", ag_use_words[role][1], second);
}

static void add_layer(ag_text *text, const ag_run *run, const char *name, size_t index)
{
    const ag_layer_precision *precision = &run->layers[index];
    static const ag_layer_precision untouched;
    if (same_precision(precision, &untouched)) {
        char plain[CELL];
        cell(plain, run, &precision->scheme[0][0]);
        ag_text_printf(text, "  %-*s %s\n", name_width(run), name, plain);
        return;
    }
    for (int role = 0; role < AG_ROLES; role++)
        add_role(text, run, role == 0 ? name : "", role, precision);
}

static void add_layers(ag_text *text, const ag_run *run)
{
    size_t last = ag_layer_count(&run->model) - 1;
    for (size_t i = 0; i <= last; i++) {
        size_t kind = i % AG_LINEARS_PER_BLOCK;
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        bool shared = i < last && same_in_all_blocks(run, run->layers, AG_LINEARS_PER_BLOCK, kind);
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
        size_t kind = i % AG_SITES_PER_BLOCK;
        ag_site site = ag_site_at(&run->model, i);
        bool shared = site.block < (size_t)run->model.n_layer &&
                      same_in_all_blocks(run, run->sites, AG_SITES_PER_BLOCK, kind);
        char name[AG_LAYER_NAME_SIZE + 16];
        snprintf(name, sizeof name, "%s", site.name);
        if (shared && site.block == 0)
            name_all_blocks(name, sizeof name, site.name);
        if (ag_site_is_on(&run->sites[i]) && (!shared || site.block == 0))
            add_site(text, run, name, i);
    }
}

static void add_table(ag_text *text, const ag_run *run)
{
    add_layers(text, run);
    add_sites(text, run);
}

static bool same_table(const ag_grid *grid, const ag_label *a, const ag_label *b)
{
    return strcmp(a->values[0].text, b->values[0].text) == 0 &&
           strcmp(a->values[1].text, b->values[1].text) == 0 &&
           grid->runs[a->run].model.n_layer == grid->runs[b->run].model.n_layer;
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

ag_status ag_plan_layers(ag_text *text, const ag_grid *grid, const bool *selected)
{
    size_t *shown = calloc(grid->n_labels + 1, sizeof *shown); /* indices of labels */
    if (shown == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    size_t count = 0;
    bool groups = false;
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *label = &grid->labels[i];
        size_t at = 0;
        while (at < count && !same_table(grid, &grid->labels[shown[at]], label))
            at++;
        if (!selected[label->run] || at < count)
            continue;
        shown[count++] = i;
        const ag_run *run = &grid->runs[label->run];
        ag_text_add(text, "\nlayers ");
        ag_text_add_printable(text, label->values[1].text);
        ag_text_add(text, ", format ");
        ag_text_add_printable(text, label->values[0].text);
        ag_text_printf(text, " (%lld blocks)\n", (long long)run->model.n_layer);
        add_table(text, run);
        groups |= has_groups(run);
    }
    if (groups)
        ag_text_add(text,
                    "\nRows and blocks lie along what each product sums over: channels in fprop "
                    "and dgrad, tokens in wgrad.\n");
    free(shown);
    return AG_OK;
}
