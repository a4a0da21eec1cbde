/* What a state that a run begins with is, as one digest: every bit that the steps after it can
 * depend on, and nothing else. */
#include "run/kept_state.h"

#include <stdio.h>
#include <string.h>

#include "params_internal.h"
#include "run/digest.h"
#include "run/layers.h"
#include "run/optimizers.h"
#include "run/sites.h"

/* A tensor of a layer or of a site, and where its scales and amaxes lie in the state. */
typedef struct kept_operand {
    bool is_site;
    size_t index;
    ag_role role;
    const char *tensor;       /* of a site, else NULL */
    const ag_scheme *schemes; /* [AG_USES] */
    size_t scale;
    size_t amax;
} kept_operand;

typedef void visit(void *context, const kept_operand *operand);

static void pass_on(kept_operand *next, visit *see, void *context)
{
    see(context, next);
    next->scale += AG_USES;
    for (size_t use = 0; use < AG_USES; use++)
        next->amax += (size_t)next->schemes[use].history;
}

/* In the order of kept_state.h. */
static void visit_operands(const ag_run *run, visit *see, void *context)
{
    kept_operand next = {.is_site = false};
    for (size_t i = 0; i < ag_layer_count(&run->model) * AG_ROLES; i++) {
        next.index = i / AG_ROLES;
        next.role = (ag_role)(i % AG_ROLES);
        next.schemes = run->layers[next.index].scheme[next.role];
        pass_on(&next, see, context);
    }
    next.is_site = true;
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        ag_site site = ag_site_at(&run->model, i);
        next.index = i;
        for (size_t t = 0; t < site.n_tensors; t++) {
            next.role = site.tensors[t].role;
            next.tensor = site.tensors[t].name;
            next.schemes = run->sites[i].scheme[next.role];
            pass_on(&next, see, context);
        }
    }
}

static void count(void *context, const kept_operand *operand)
{
    ag_kept_state *sizes = context;
    sizes->n_scales = operand->scale + AG_USES;
    sizes->n_amaxes = operand->amax;
    for (size_t use = 0; use < AG_USES; use++)
        sizes->n_amaxes += (size_t)operand->schemes[use].history;
}

void ag_kept_sizes(ag_kept_state *sizes, const ag_run *run)
{
    sizes->n_scales = sizes->n_amaxes = 0;
    visit_operands(run, count, sizes);
}

/* --- copies that have parted */

static size_t flag_of(const ag_run *run, bool is_site, size_t index, ag_role role)
{
    size_t row = is_site ? ag_layer_count(&run->model) + index : index;
    return row * AG_ROLES + (size_t)role;
}

/* A second use that has seen amaxes has a copy of its own. */
static void note_parted(void *context, const kept_operand *operand)
{
    const ag_start *start = context;
    if (ag_scheme_keeps_history(&operand->schemes[1]) &&
        start->state.scales[operand->scale + 1].pushed > 0)
        start->parted[flag_of(&start->run, operand->is_site, operand->index, operand->role)] = true;
}

ag_status ag_kept_complete(ag_start *start, ag_arena *arena)
{
    const ag_model_spec *model = &start->run.model;
    size_t rows = ag_layer_count(model) + ag_site_count(model);
    start->parted = ag_arena_alloc(arena, rows * AG_ROLES * sizeof *start->parted);
    if (start->parted == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    memset(start->parted, 0, rows * AG_ROLES * sizeof *start->parted);
    start->run.start = start;
    visit_operands(&start->run, note_parted, start);
    return AG_OK;
}

bool ag_kept_has_parted(const ag_start *start, bool is_site, size_t index, ag_role role)
{
    return start->parted[flag_of(&start->run, is_site, index, role)];
}

/* --- the digest */

typedef struct digester {
    const ag_start *start;
    ag_sha256 *hash;
} digester;

/* Under a scheme that looks at no step but its own, a scale is made anew in each. The scale of
 * weights that an optimizer moves along their grid was made before the first. */
static bool lasts(const ag_start *start, const kept_operand *operand, size_t use)
{
    const ag_scheme *scheme = &operand->schemes[use];
    bool is_grid = !operand->is_site && operand->role == AG_ROLE_WEIGHT && use == 0 &&
                   ag_optimizer_of(&start->run)->fixes_scale && scheme->quantised;
    return is_grid || ag_scheme_keeps_history(scheme);
}

/* With the scheme: the same numbers go on under it, and under no other. */
static void add_name(digester *d, const kept_operand *operand, size_t use)
{
    const ag_run *run = &d->start->run;
    ag_text text;
    ag_text_init(&text);
    const char *tensor = operand->is_site ? operand->tensor : "";
    const ag_layer layer =
        ag_layer_at(&run->model, run->facts.vocab_size, operand->is_site ? 0 : operand->index);
    const ag_site site = ag_site_at(&run->model, operand->is_site ? operand->index : 0);
    ag_text_printf(&text, "%s %s %d %zu ", operand->is_site ? site.name : layer.name, tensor,
                   (int)operand->role, use);
    ag_scheme_to_json(&text, &operand->schemes[use]);
    ag_sha256_add(d->hash, text.data, text.length);
    ag_text_deinit(&text);
}

static void add_operand(void *context, const kept_operand *operand)
{
    digester *d = context;
    const ag_kept_state *state = &d->start->state;
    size_t amax = operand->amax;
    for (size_t use = 0; use < AG_USES; use++) {
        size_t history = (size_t)operand->schemes[use].history;
        const ag_scale *scale = &state->scales[operand->scale + use];
        if (lasts(d->start, operand, use)) {
            add_name(d, operand, use);
            ag_sha256_add(d->hash, &scale->pushed, sizeof scale->pushed);
            ag_sha256_add(d->hash, &scale->value, sizeof scale->value);
            ag_sha256_add(d->hash, state->amaxes + amax, history * sizeof *state->amaxes);
        }
        amax += history;
    }
}

/* Tensor by tensor, as ag_weights_digest; with its name, so that m is not v. */
static void add_tensors(ag_sha256 *hash, const char *name, const float *values,
                        const ag_tensor_table *tensors)
{
    if (values == NULL)
        return;
    ag_sha256_add(hash, name, strlen(name));
    for (size_t i = 0; i < tensors->count; i++)
        ag_sha256_add(hash, values + tensors->rows[i].offset,
                      tensors->rows[i].count * sizeof *values);
}

ag_status ag_kept_digest(char hex[AG_DIGEST_LENGTH + 1], const ag_start *start,
                         const ag_tensor_table *tensors)
{
    const ag_kept_state *state = &start->state;
    digester d = {.start = start};
    AG_TRY(ag_sha256_create(&d.hash));
    ag_sha256_add(d.hash, &state->step, sizeof state->step);
    ag_sha256_add(d.hash, &state->updates, sizeof state->updates);
    add_tensors(d.hash, "weights", state->weights, tensors);
    add_tensors(d.hash, "m", state->m, tensors);
    add_tensors(d.hash, "v", state->v, tensors);
    add_tensors(d.hash, "c", state->lost, tensors);
    visit_operands(&start->run, add_operand, &d);
    ag_sha256_hex(d.hash, hex);
    ag_sha256_destroy(d.hash);
    return AG_OK;
}
