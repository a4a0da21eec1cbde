/* Two runs that differ in a seed which decides nothing are one run. To train both would waste a
 * day, and to count both would make two replicates of one number. */
#include "run/chance.h"

#include <stddef.h>

#include "run/layers.h"
#include "run/optimizers.h"
#include "run/phases.h"
#include "run/sites.h"

/* Evaluation meets the operands of forward products alone. A run of no steps is such an evaluation.
 */
static bool rounds_by_chance(const ag_layer_precision *precision, bool trains)
{
    for (int role = 0; role < AG_ROLES; role++) {
        for (int use = 0; use < AG_USES; use++) {
            const ag_scheme *scheme = &precision->scheme[role][use];
            bool is_used = trains || (use == 0 && role != AG_ROLE_GRAD_OUTPUT);
            if (is_used && scheme->quantised && scheme->rounding == AG_ROUND_STOCHASTIC)
                return true;
        }
    }
    return false;
}

/* Sites of a linear layer (its moments, dW) are met in training alone, those of a block in every
 * forward pass too. */
static bool phase_by_chance(const ag_run *run, bool trains)
{
    for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
        if (rounds_by_chance(&run->layers[i], trains))
            return true;
    }
    for (size_t i = 0; run->sites != NULL && i < ag_site_count(&run->model); i++) {
        bool is_met = trains || ag_site_at(&run->model, i).kind >= AG_SITE_PV;
        if (is_met && rounds_by_chance(&run->sites[i], trains))
            return true;
    }
    return false;
}

static bool quantises_by_chance(const ag_run *run, bool trains)
{
    bool by_chance = false;
    for (size_t phase = 0; phase < ag_phase_count(run); phase++) {
        ag_run one = ag_run_in_phase(run, phase);
        by_chance |= phase_by_chance(&one, trains);
    }
    return by_chance;
}

/* An optimizer in steps of the grid rounds its moves by chance whatever the format says. */
static bool trains_by_chance(const ag_run *run)
{
    return (run->train.data_order == AG_ORDER_RANDOM && run->train.data_seed < 0) ||
           run->model.dropout > 0 || ag_optimizer_of(run)->fixes_scale;
}

bool ag_run_draws(const ag_run *run)
{
    bool trains = run->train.steps > 0;
    bool is_given = run->init_digest[0] != '\0' || run->start_digest[0] != '\0';
    bool starts_by_chance = !is_given && run->model.init_seed < 0;
    return starts_by_chance || (trains && trains_by_chance(run)) ||
           quantises_by_chance(run, trains);
}
