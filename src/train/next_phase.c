/* From phase to phase. What depends on the precision is laid out anew, in the same memory, which is
 * measured for the largest phase; what does not, stays where it is. Of the operands' scales those
 * go along whose scheme does not change. */
#include "next_phase.h"

#include <string.h>

#include "run/layers.h"
#include "run/phases.h"
#include "run/sites.h"

/* --- scales */

/* One operand of a phase. Its history is that of the copy which the products read: where one copy
 * serves both, that of use 0. */
typedef struct slot {
    const ag_scheme *scheme;
    ag_scale *scale;
    float *amaxes;
} slot;

static const ag_scheme s_null;

/* The operands of one tensor, at `next`, which moves on behind them. Schemes NULL: a site of a
 * phase that has none on, which takes no scales. */
static void find_slots(slot slots[AG_USES], ag_scale_cursor *next, const ag_scales_of *of,
                       const ag_scheme *schemes, bool shares)
{
    for (size_t use = 0; use < AG_USES; use++) {
        slots[use] = (slot){.scheme = &s_null};
        if (schemes == NULL)
            continue;
        slots[use] = (slot){&schemes[use], &of->scales[next->scales++], of->amaxes + next->amaxes};
        next->amaxes += (size_t)schemes[use].history;
    }
    if (schemes != NULL && shares) {
        slots[1].scale = slots[0].scale;
        slots[1].amaxes = slots[0].amaxes;
    }
}

static void carry(const slot to[AG_USES], const slot from[AG_USES])
{
    for (size_t use = 0; use < AG_USES; use++) {
        if (to[use].scale == NULL || from[use].scale == NULL ||
            !ag_scheme_equal(to[use].scheme, from[use].scheme))
            continue;
        *to[use].scale = *from[use].scale;
        memcpy(to[use].amaxes, from[use].amaxes,
               (size_t)to[use].scheme->history * sizeof *to[use].amaxes);
    }
}

typedef struct walk {
    const ag_scales_of *of;
    ag_scale_cursor next;
    slot slots[AG_USES];
} walk;

static void visit_layer(walk *w, size_t layer, size_t role)
{
    const ag_run run = ag_run_in_phase(w->of->run, w->of->phase);
    const ag_scheme *schemes = run.layers[layer].scheme[role];
    bool shares = ag_layer_serves_both(w->of->run, w->of->phase, layer, (ag_role)role);
    find_slots(w->slots, &w->next, w->of, schemes, shares);
}

static void visit_site(walk *w, size_t site, const ag_site_tensor *tensor)
{
    const ag_run run = ag_run_in_phase(w->of->run, w->of->phase);
    const ag_scheme *schemes = run.sites == NULL ? NULL : run.sites[site].scheme[tensor->role];
    bool shares = tensor->uses[1] == NULL ||
                  ag_site_serves_both(w->of->run, w->of->phase, site, tensor->role);
    find_slots(w->slots, &w->next, w->of, schemes, shares);
}

void ag_trainer_carry(const ag_scales_of *to, const ag_scales_of *from)
{
    const ag_model_spec *model = &to->run->model;
    walk new = {.of = to};
    walk old = {.of = from};
    for (size_t i = 0; i < ag_layer_count(model) * AG_ROLES; i++) {
        visit_layer(&new, i / AG_ROLES, i % AG_ROLES);
        visit_layer(&old, i / AG_ROLES, i % AG_ROLES);
        carry(new.slots, old.slots);
    }
    for (size_t i = 0; i < ag_site_count(model); i++) {
        ag_site site = ag_site_at(model, i);
        for (size_t t = 0; t < site.n_tensors; t++) {
            visit_site(&new, i, &site.tensors[t]);
            visit_site(&old, i, &site.tensors[t]);
            carry(new.slots, old.slots);
        }
    }
}

/* --- the trainer */

void ag_trainer_lay_out_ended(ag_trainer *trainer, ag_layout *layout)
{
    const ag_run *run = trainer->run;
    ag_scale_cursor most = {0, 0};
    for (size_t phase = 0; run->n_phases > 0 && phase < ag_phase_count(run); phase++) {
        ag_run one = ag_run_in_phase(run, phase);
        ag_scale_cursor all = ag_all_scales(&one);
        most.scales = all.scales > most.scales ? all.scales : most.scales;
        most.amaxes = all.amaxes > most.amaxes ? all.amaxes : most.amaxes;
    }
    trainer->ended.scales = ag_layout_bytes(layout, most.scales * sizeof(ag_scale));
    trainer->ended.amaxes = ag_layout_floats(layout, most.amaxes);
}

ag_status ag_trainer_enter(ag_trainer *trainer, size_t phase)
{
    ag_layout layout = {.arena = trainer->arena};
    if (phase == trainer->phase) {
        ag_train_state_reset_scales(&trainer->state);
        return AG_OK;
    }
    ag_arena_rewind(trainer->arena, trainer->lasting);
    trainer->phase = phase;
    return ag_trainer_lay_out_phase(trainer, &layout);
}

ag_status ag_trainer_follow(ag_trainer *trainer)
{
    const ag_train_state *state = &trainer->state;
    size_t phase = ag_phase_at(trainer->run, state->step);
    if (phase == trainer->phase)
        return AG_OK;
    ag_scales_of from = {trainer->run, trainer->phase, trainer->ended.scales,
                         trainer->ended.amaxes};
    memcpy(from.scales, state->scales, state->n_scales * sizeof *state->scales);
    memcpy(from.amaxes, state->amaxes, state->n_amaxes * sizeof *state->amaxes);
    AG_TRY(ag_trainer_enter(trainer, phase));
    ag_scales_of to = {trainer->run, phase, state->scales, state->amaxes};
    ag_trainer_carry(&to, &from);
    return AG_OK;
}
