/* `altgrad plan --layers`: what each layer's operands are quantised to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "spec/layers.h"

enum { CELL = 120 };

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

/* Whether the layer has the same precision in every block. */
static bool same_in_all_blocks(const ag_run *run, size_t kind)
{
    for (int64_t block = 1; block < run->model.n_layer; block++) {
        size_t index = (size_t)block * AG_LINEARS_PER_BLOCK + kind;
        if (!same_precision(&run->layers[kind], &run->layers[index]))
            return false;
    }
    return true;
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
        ag_text_printf(text, "  %-32s %-18s %s\n", name, ag_role_words[role], first);
        return;
    }
    ag_text_printf(text, "  %-32s %-18s %s\n", name, ag_use_words[role][0], first);
    ag_text_printf(text, "  %-32s %-18s %s\n", "", ag_use_words[role][1], second);
}

static void add_layer(ag_text *text, const ag_run *run, const char *name, size_t index)
{
    const ag_layer_precision *precision = &run->layers[index];
    static const ag_layer_precision untouched;
    if (same_precision(precision, &untouched)) {
        char plain[CELL];
        cell(plain, run, &precision->scheme[0][0]);
        ag_text_printf(text, "  %-32s %s\n", name, plain);
        return;
    }
    for (int role = 0; role < AG_ROLES; role++)
        add_role(text, run, role == 0 ? name : "", role, precision);
}

static void add_table(ag_text *text, const ag_run *run)
{
    size_t last = ag_layer_count(&run->model) - 1;
    bool shared[AG_LINEARS_PER_BLOCK];
    for (size_t kind = 0; kind < AG_LINEARS_PER_BLOCK; kind++)
        shared[kind] = run->model.n_layer > 1 && same_in_all_blocks(run, kind);
    for (size_t i = 0; i <= last; i++) {
        size_t kind = i % AG_LINEARS_PER_BLOCK;
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        if (i < last && shared[kind]) {
            if (layer.block > 0)
                continue;
            const char *rest = strstr(layer.name, ".0.") + 2;
            char name[AG_LAYER_NAME_SIZE + 8];
            snprintf(name, sizeof name, "transformer.h.*%s", rest);
            add_layer(text, run, name, i);
        } else {
            add_layer(text, run, layer.name, i);
        }
    }
}

static bool same_table(const ag_grid *grid, const ag_label *a, const ag_label *b)
{
    return strcmp(a->values[0].text, b->values[0].text) == 0 &&
           strcmp(a->values[1].text, b->values[1].text) == 0 &&
           grid->runs[a->run].model.n_layer == grid->runs[b->run].model.n_layer;
}

ag_status ag_plan_layers(ag_text *text, const ag_grid *grid, const bool *selected)
{
    size_t *shown = calloc(grid->n_labels + 1, sizeof *shown); /* indices of labels */
    if (shown == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    size_t count = 0;
    for (size_t i = 0; i < grid->n_labels; i++) {
        const ag_label *label = &grid->labels[i];
        size_t at = 0;
        while (at < count && !same_table(grid, &grid->labels[shown[at]], label))
            at++;
        if (!selected[label->run] || at < count)
            continue;
        shown[count++] = i;
        const ag_run *run = &grid->runs[label->run];
        ag_text_printf(text, "\nlayers %s, format %s (%lld blocks)\n", label->values[1].text,
                       label->values[0].text, (long long)run->model.n_layer);
        add_table(text, run);
    }
    free(shown);
    return AG_OK;
}
