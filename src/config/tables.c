/* Targets become precisions, once the format of the run is known. Formats may change with the step:
 * a run's phases begin wherever one of its layers or sites changes, so tables are made for each of
 * these steps, and those that turn out equal to the one before are left out. */
#include "tables.h"

#include "run/layers.h"
#include "run/phases.h"
#include "run/sites.h"

/* The format that a target stands for in a run; NULL: BF16. In an fp32 run nothing is rounded. */
static const ag_staged *format_of(const ag_target *target, const ag_format_entry *format)
{
    if (target->kind == AG_TARGET_NULL || format->fp32)
        return NULL;
    return target->kind == AG_TARGET_RUN ? &format->staged : target->staged;
}

/* That of layer `index`, or of a site when all layers are counted; NULL: BF16. */
static const ag_staged *format_at(const ag_experiment *experiment, const ag_choice *choice,
                                  size_t format, size_t index)
{
    const ag_format_entry *entry = &experiment->formats[format];
    size_t layers = ag_layer_count(&choice->model);
    if (index < layers)
        return format_of(choice->layers[index], entry);
    const ag_rule *rule = choice->sites[index - layers];
    return rule == NULL ? NULL : format_of(&rule->target, entry);
}

static size_t places(const ag_choice *choice)
{
    size_t sites = choice->sites == NULL ? 0 : ag_site_count(&choice->model);
    return ag_layer_count(&choice->model) + sites;
}

bool ag_choice_changes(const ag_experiment *experiment, const ag_choice *choice, size_t format)
{
    for (size_t i = 0; i < places(choice); i++) {
        const ag_staged *staged = format_at(experiment, choice, format, i);
        if (staged != NULL && ag_staged_changes(staged))
            return true;
    }
    return false;
}

/* --- one phase */

static const ag_layer_precision *precision_of(const ag_staged *staged, const ag_routing *routing,
                                              int64_t step)
{
    return staged == NULL ? NULL : ag_staged_at(staged, step, routing->steps);
}

/* Operands of layers are BF16 values: for them BF16 is null. */
static void forget_bf16(ag_layer_precision *precision)
{
    for (int i = 0; i < AG_ROLES * AG_USES; i++)
        precision->scheme[i / AG_USES][i % AG_USES].is_bf16 = false;
}

/* Where a stage is written, or the format by its name. */
static ag_place place_of(const ag_staged *staged, const ag_layer_precision *format)
{
    size_t i = 0;
    while (&staged->stages[i].precision != format)
        i++;
    return staged->stages[i].place;
}

/* The first layer tells it for all: they mostly have one format. What is wrong with a format by
 * itself was told where it was read. */
static void check_layers(ag_experiment *experiment, const ag_routing *routing,
                         const ag_phase *phase, const ag_choice *choice)
{
    for (size_t i = 0; i < ag_layer_count(&choice->model); i++) {
        const ag_staged *staged = format_at(experiment, choice, routing->format, i);
        const ag_layer_precision *format = precision_of(staged, routing, phase->from);
        ag_layer layer = ag_layer_at(&routing->model, 1, i);
        if (format == NULL || ag_layer_check(&routing->model, &layer, format) == AG_OK)
            continue;
        if (ag_layer_precision_check(format) == AG_OK)
            ag_config_failed(&experiment->findings, place_of(staged, format));
        ag_error_clear();
        return;
    }
}

static bool resolve_layers(ag_phase *phase, const ag_routing *routing, ag_experiment *experiment,
                           const ag_choice *choice)
{
    size_t count = ag_layer_count(&choice->model);
    ag_layer_precision *layers = ag_routing_take(experiment, count, sizeof *layers);
    if (layers == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const ag_staged *staged = format_at(experiment, choice, routing->format, i);
        const ag_layer_precision *format = precision_of(staged, routing, phase->from);
        if (format != NULL)
            layers[i] = *format;
        forget_bf16(&layers[i]);
    }
    phase->layers = layers;
    check_layers(experiment, routing, phase, choice);
    return true;
}

/* The precision of one site, null where its rule, its format or the run leaves it so. */
static ag_layer_precision resolve_site(ag_experiment *experiment, const ag_routing *routing,
                                       const ag_layer_precision *format, const ag_rule *rule,
                                       const ag_site *site)
{
    bool of_head = ag_site_is_of_head(&routing->model, site);
    if (format == NULL || (routing->idle & ag_idle_bit(site->kind, of_head)) != 0)
        return (ag_layer_precision){0};
    ag_layer_precision precision = ag_site_precision(site->kind, format);
    if (ag_site_check(site->kind, &precision) != AG_OK)
        ag_config_failed(&experiment->findings, rule->place);
    return precision;
}

/* Where all turn out null there is no table: the run is then the run without rules for sites. */
static bool resolve_sites(ag_phase *phase, const ag_routing *routing, ag_experiment *experiment,
                          const ag_choice *choice)
{
    if (choice->sites == NULL)
        return true;
    size_t layers = ag_layer_count(&choice->model);
    size_t count = ag_site_count(&choice->model);
    ag_layer_precision *sites = ag_routing_take(experiment, count, sizeof *sites);
    if (sites == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const ag_staged *staged = format_at(experiment, choice, routing->format, layers + i);
        ag_site site = ag_site_at(&choice->model, i);
        sites[i] = resolve_site(experiment, routing, precision_of(staged, routing, phase->from),
                                choice->sites[i], &site);
        if (ag_site_is_on(&sites[i]))
            phase->sites = sites;
    }
    return true;
}

/* --- all phases */

typedef struct bounds {
    size_t count;
    size_t capacity;
    int64_t *steps; /* rising */
} bounds;

static bool add_bound(bounds *b, ag_findings *findings, int64_t step)
{
    void *items = b->steps;
    if (!ag_config_grow(&items, &b->capacity, findings, b->count, sizeof *b->steps))
        return false;
    b->steps = items;
    size_t at = b->count;
    while (at > 0 && b->steps[at - 1] > step)
        at--;
    if (at > 0 && b->steps[at - 1] == step)
        return true;
    for (size_t i = b->count++; i > at; i--)
        b->steps[i] = b->steps[i - 1];
    b->steps[at] = step;
    return true;
}

/* Those of one format, within the run. */
static bool add_bounds(bounds *b, ag_findings *findings, const ag_staged *staged, int64_t steps)
{
    int64_t *all = ag_config_alloc(findings, 2 * staged->n_stages + 1, sizeof *all);
    if (all == NULL)
        return false;
    for (size_t i = 0, count = ag_staged_bounds(all, staged, steps); i < count; i++) {
        if (all[i] > 0 && all[i] < steps && !add_bound(b, findings, all[i]))
            return false;
    }
    return true;
}

/* Neighbours mostly have one format. */
static bool find_bounds(bounds *b, ag_experiment *experiment, const ag_routing *routing,
                        const ag_choice *choice)
{
    const ag_staged *last = NULL;
    for (size_t i = 0; i < places(choice); i++) {
        const ag_staged *staged = format_at(experiment, choice, routing->format, i);
        if (staged == NULL || staged == last)
            continue;
        if (!add_bounds(b, &experiment->findings, staged, routing->steps))
            return false;
        last = staged;
    }
    return true;
}

bool ag_routing_resolve(ag_routing *routing, ag_experiment *experiment, const ag_choice *choice)
{
    bounds begins = {0};
    if (!resolve_layers(&routing->first, routing, experiment, choice) ||
        !resolve_sites(&routing->first, routing, experiment, choice) ||
        !find_bounds(&begins, experiment, routing, choice))
        return false;
    ag_phase *phases = ag_config_alloc(&experiment->findings, begins.count + 1, sizeof *phases);
    if (phases == NULL)
        return false;
    const ag_phase *before = &routing->first;
    for (size_t i = 0; i < begins.count; i++) {
        ag_phase *phase = &phases[routing->n_phases];
        *phase = (ag_phase){.from = begins.steps[i]};
        if (!resolve_layers(phase, routing, experiment, choice) ||
            !resolve_sites(phase, routing, experiment, choice))
            return false;
        if (ag_phase_equal(&choice->model, before, phase))
            continue;
        before = phase;
        routing->n_phases++;
    }
    routing->phases = routing->n_phases > 0 ? phases : NULL;
    return true;
}
