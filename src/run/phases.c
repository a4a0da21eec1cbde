/* The phases of a run, and the run that each of them is. */
#include "run/phases.h"

#include "run/kept_state.h"
#include "run/layers.h"
#include "run/sites.h"

size_t ag_phase_count(const ag_run *run)
{
    return 1 + run->n_phases;
}

ag_phase ag_phase_of(const ag_run *run, size_t phase)
{
    return phase == 0 ? (ag_phase){run->train.start_step, run->layers, run->sites}
                      : run->phases[phase - 1];
}

int64_t ag_phase_begin(const ag_run *run, size_t phase)
{
    return ag_phase_of(run, phase).from;
}

size_t ag_phase_at(const ag_run *run, int64_t step)
{
    size_t phase = 0;
    while (phase < run->n_phases && run->phases[phase].from <= step)
        phase++;
    return phase;
}

double ag_phase_share(const ag_run *run, size_t phase)
{
    int64_t end = phase == run->n_phases ? run->train.steps : run->phases[phase].from;
    if (run->n_phases == 0)
        return 1.0;
    return (double)(end - ag_phase_begin(run, phase)) / (double)ag_run_own_steps(run);
}

void ag_run_drop_phases(ag_run *run)
{
    size_t first = ag_phase_at(run, run->train.start_step);
    const ag_phase in = ag_phase_of(run, first);
    run->layers = in.layers;
    run->sites = in.sites;
    run->phases += first;
    run->n_phases -= first;
}

ag_run ag_run_in_phase(const ag_run *run, size_t phase)
{
    ag_run one = *run;
    const ag_phase in = ag_phase_of(run, phase);
    one.n_phases = 0;
    one.phases = NULL;
    one.layers = in.layers;
    one.sites = in.sites;
    return one;
}

/* --- copies */

/* The schemes of a layer's or a site's tensor in a phase. */
typedef struct tensor_at {
    const ag_run *run;
    bool is_site;
    size_t index;
    ag_role role;
} tensor_at;

static const ag_scheme *schemes_in(const tensor_at *at, size_t phase)
{
    static const ag_scheme null[AG_USES];
    const ag_phase in = ag_phase_of(at->run, phase);
    const ag_layer_precision *rows = at->is_site ? in.sites : in.layers;
    return rows == NULL ? null : rows[at->index].scheme[at->role];
}

/* Before the first phase of a run is the precision of the state that it begins with. */
static const ag_scheme *schemes_before(const tensor_at *at, size_t phase)
{
    const tensor_at of_state = {phase == 0 ? &at->run->start->run : at->run, at->is_site, at->index,
                                at->role};
    return schemes_in(&of_state, phase == 0 ? 0 : phase - 1);
}

/* Of two uses with one scheme: whether their histories differ. A use keeps the history that it has
 * under that scheme, and begins without one where it had another. */
static bool have_parted(const tensor_at *at, size_t phase)
{
    const ag_start *start = at->run->start;
    const ag_scheme *now = schemes_in(at, phase);
    if ((phase == 0 && start == NULL) || !ag_scheme_keeps_history(&now[0]))
        return false;
    const ag_scheme *before = schemes_before(at, phase);
    bool first = ag_scheme_equal(&before[0], &now[0]);
    bool second = ag_scheme_equal(&before[1], &now[0]);
    if (first != second || !first)
        return first != second;
    return phase == 0 ? ag_kept_has_parted(start, at->is_site, at->index, at->role)
                      : have_parted(at, phase - 1);
}

static bool serves_both(const tensor_at *at, size_t phase)
{
    return ag_scheme_serves_both(schemes_in(at, phase)) && !have_parted(at, phase);
}

bool ag_layer_serves_both(const ag_run *run, size_t phase, size_t index, ag_role role)
{
    return serves_both(&(tensor_at){run, false, index, role}, phase);
}

bool ag_site_serves_both(const ag_run *run, size_t phase, size_t index, ag_role role)
{
    return serves_both(&(tensor_at){run, true, index, role}, phase);
}

/* --- tables */

bool ag_phases_shared(const ag_run *a, const ag_run *b)
{
    return a->layers == b->layers && a->sites == b->sites && a->n_phases == b->n_phases &&
           a->phases == b->phases;
}

/* One pointer is the usual case: runs of a layer config share their rows. */
static bool same_rows(const ag_layer_precision *a, const ag_layer_precision *b, size_t count)
{
    if (a == b || a == NULL || b == NULL)
        return a == b;
    for (size_t i = 0; i < count; i++) {
        if (!ag_layer_precision_equal(&a[i], &b[i]))
            return false;
    }
    return true;
}

bool ag_phase_equal(const ag_model_spec *model, const ag_phase *a, const ag_phase *b)
{
    return same_rows(a->layers, b->layers, ag_layer_count(model)) &&
           same_rows(a->sites, b->sites, ag_site_count(model));
}
