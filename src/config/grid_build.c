/* Every combination becomes a run: its settings, its data, the format of each layer, its id.
 * Combinations that mean the same, e.g. because a setting has no effect with another, get the same
 * id and are one run with several labels: it is trained once.
 *
 * A run goes through four steps: the base with the settings of its points; the tables of layers and
 * sites; checks of parameters against each other and of the data; the weights it starts from. Then
 * its id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "data/corpus.h"
#include "run/chance.h"
#include "run/layers.h"
#include "run/phases.h"
#include "run/run_json.h"

/* --- data */

/* All that decides which tokens a corpus has. */
static bool same_data(const ag_data_spec *a, const ag_data_spec *b)
{
    return strcmp(a->text, b->text) == 0 && strcmp(a->bin, b->bin) == 0 &&
           strcmp(a->bin_train, b->bin_train) == 0 && strcmp(a->bin_val, b->bin_val) == 0 &&
           a->dtype == b->dtype && a->bin_format == b->bin_format && a->synthetic == b->synthetic &&
           a->tokenizer == b->tokenizer && a->val_fraction == b->val_fraction &&
           a->vocab == b->vocab && a->order == b->order && a->tokens == b->tokens &&
           a->seed == b->seed;
}

ag_place ag_config_said(const ag_experiment *experiment, const uint32_t *tuple, const char *prefix)
{
    for (size_t a = 0; tuple != NULL && a < experiment->n_axes; a++) {
        const ag_point *point = &experiment->axes[a].points[tuple[a]];
        for (size_t s = 0; s < point->n_settings; s++) {
            if (strncmp(point->settings[s].param->key, prefix, strlen(prefix)) == 0)
                return point->settings[s].place;
        }
    }
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++) {
        if (experiment->param_places[i].source != NULL &&
            strncmp(params[i].key, prefix, strlen(prefix)) == 0)
            return experiment->param_places[i];
    }
    return (ag_place){0};
}

/* Where it was said, else where the file begins. */
static ag_place param_place(const ag_experiment *experiment, const uint32_t *tuple,
                            const char *prefix)
{
    ag_place place = ag_config_said(experiment, tuple, prefix);
    return place.source != NULL ? place : experiment->root->place;
}

/* A corpus is looked at once for each (data, block_size) of the grid. The newest is looked for
 * first, since neighbouring runs mostly share it. */
static bool set_facts(ag_run *run, ag_experiment *experiment, const uint32_t *tuple)
{
    for (size_t i = experiment->n_facts; i-- > 0;) {
        const ag_facts_entry *known = &experiment->facts[i];
        if (known->block_size != run->model.block_size || !same_data(&known->data, &run->data))
            continue;
        run->facts = known->facts;
        return known->ok;
    }
    if (experiment->n_facts == AG_MAX_CORPORA) {
        ag_config_error(&experiment->findings, param_place(experiment, tuple, "data."),
                        "the grid needs more than %d different corpora", AG_MAX_CORPORA);
        return false;
    }
    ag_facts_entry *entry = &experiment->facts[experiment->n_facts++];
    *entry = (ag_facts_entry){.data = run->data, .block_size = run->model.block_size};
    entry->ok = ag_corpus_facts(&entry->facts, &run->data, run->model.block_size) == AG_OK;
    if (!entry->ok)
        ag_config_failed(&experiment->findings, param_place(experiment, tuple, "data."));
    run->facts = entry->facts;
    return entry->ok;
}

/* --- one run */

/* Whether an error comes of a value that another error was about: then it says nothing new. */
static bool is_secondary(const ag_experiment *experiment, const char *key)
{
    if (strncmp(key, "model.n_", 8) == 0) /* width, heads */
        return ag_config_is_broken(experiment, "model.n_");
    return ag_config_is_broken(experiment, key);
}

/* The message in hand begins with the key it is about, which tells where in the file it belongs. */
static void tell(ag_experiment *experiment, const uint32_t *tuple)
{
    char key[64];
    size_t length = strcspn(ag_error_message(), ": ");
    snprintf(key, sizeof key, "%.*s", (int)(length < 60 ? length : 60), ag_error_message());
    if (is_secondary(experiment, key)) {
        ag_error_clear();
        return;
    }
    bool is_format = tuple != NULL && strcmp(key, "formats") == 0;
    ag_config_failed(&experiment->findings, is_format
                                                ? experiment->formats[tuple[AG_FORMAT_AXIS]].place
                                                : param_place(experiment, tuple, key));
}

/* Checks of several parameters together. */
static bool check_run(ag_experiment *experiment, const ag_run *run, const uint32_t *tuple)
{
    if (ag_run_check(run) == AG_OK)
        return true;
    tell(experiment, tuple);
    return false;
}

/* Weights of another run are looked for only when the model's shape is known. */
static bool set_init(ag_run *run, ag_experiment *experiment, const uint32_t *tuple)
{
    if (run->model.init_file[0] == '\0' || ag_config_is_broken(experiment, "model."))
        return true;
    const char *key = run->model.init_where[0] != '\0' ? "model.init.where" : "model.init";
    return ag_config_initial(run, experiment, param_place(experiment, tuple, key));
}

/* The state of another run likewise, which depends on the optimizer too. */
static bool set_start(ag_run *run, ag_experiment *experiment, const uint32_t *tuple)
{
    bool is_told = false;
    if (run->train.start_file[0] == '\0' || ag_config_is_broken(experiment, "model.") ||
        ag_config_is_broken(experiment, "train.start"))
        return true;
    if (ag_config_start(&is_told, run, experiment))
        return true;
    if (is_told || experiment->findings.out_of_memory)
        return false;
    if (strncmp(ag_error_message(), "train.", 6) == 0 || /* they name their key */
        strncmp(ag_error_message(), "output.", 7) == 0)
        tell(experiment, tuple);
    else
        ag_config_failed(&experiment->findings, param_place(experiment, tuple, "train.start"));
    return false;
}

/* The base run with the settings of each point; axes set different parameters, so their order has
 * no effect. */
static void apply_points(ag_run *run, const ag_experiment *experiment, const uint32_t *tuple)
{
    *run = experiment->base;
    for (size_t a = 0; a < experiment->n_axes; a++) {
        const ag_point *point = &experiment->axes[a].points[tuple[a]];
        for (size_t s = 0; s < point->n_settings; s++)
            ag_setting_apply(run, &point->settings[s]);
        if (experiment->axes[a].kind == AG_AXIS_SEED)
            run->seed = point->value.integer;
    }
    ag_run_settle(run);
    bool fp32 = experiment->formats[tuple[AG_FORMAT_AXIS]].fp32;
    run->compute = fp32 ? AG_COMPUTE_FP32 : AG_COMPUTE_BF16;
}

/* The parameters and the data are both looked at, so that one attempt tells of both. */
static bool check_both(ag_run *run, ag_experiment *experiment, const uint32_t *tuple)
{
    bool good = check_run(experiment, run, tuple);
    bool is_text = run->data.text[0] != '\0';
    bool is_bin = run->data.bin[0] != '\0';
    bool is_synthetic = run->data.synthetic != AG_SYNTHETIC_NONE;
    const char *needed = is_text ? "data.t" : "data."; /* a text decides its vocabulary itself */
    if (is_text + is_bin + is_synthetic != 1 || (is_synthetic && !good) ||
        ag_config_is_broken(experiment, needed) ||
        ag_config_is_broken(experiment, "model.block_size"))
        return false;
    return set_facts(run, experiment, tuple) && good;
}

/* False after an error; the layers are routed even then, because rules are checked by it. */
static bool resolve(ag_run *run, ag_experiment *experiment, const uint32_t *tuple)
{
    apply_points(run, experiment, tuple);
    experiment->layer_configs.items[tuple[AG_LAYERS_AXIS]].uses++;
    return ag_config_route(run, experiment, tuple[AG_LAYERS_AXIS], tuple[AG_FORMAT_AXIS]) &&
           check_both(run, experiment, tuple) && set_init(run, experiment, tuple) &&
           set_start(run, experiment, tuple);
}

/* --- folding */

/* What runs of the same meaning share: the id of one in which the seed has a part, and of one in
 * which it has none the id under seed 0. */
typedef struct run_key {
    char id[AG_ID_LENGTH + 1];
} run_key;

typedef struct wanted_run {
    const run_key *keys;
    const run_key *key;
} wanted_run;

static bool same_run(const void *context, size_t value)
{
    const wanted_run *wanted = context;
    return strcmp(wanted->keys[value].id, wanted->key->id) == 0;
}

static void set_label(ag_label *label, ag_experiment *experiment, const uint32_t *tuple,
                      ag_axis_value *values)
{
    for (size_t a = 0; a < experiment->n_axes; a++)
        values[a] = experiment->axes[a].points[tuple[a]].value;
    label->values = values;
}

static bool allocate(ag_experiment *experiment, ag_index *index, run_key **keys, ag_label **labels,
                     ag_axis_value **values)
{
    ag_findings *findings = &experiment->findings;
    size_t count = experiment->n_combinations;
    experiment->facts = ag_config_alloc(findings, AG_MAX_CORPORA, sizeof *experiment->facts);
    experiment->runs = calloc(count > 0 ? count : 1, sizeof *experiment->runs);
    *keys = ag_config_alloc(findings, count, sizeof **keys);
    *labels = ag_config_alloc(findings, count, sizeof **labels);
    *values = ag_config_alloc(findings, count * experiment->n_axes, sizeof **values);
    findings->out_of_memory |= experiment->runs == NULL;
    return ag_config_route_init(experiment) && ag_index_init(index, count, findings) &&
           !findings->out_of_memory;
}

/* A run in which no random number has a part is the same under every seed: its key is taken under
 * seed 0. */
static ag_status set_key(run_key *key, const ag_run *run)
{
    ag_run other = *run;
    memcpy(key->id, run->id, sizeof key->id);
    if (ag_run_draws(run))
        return AG_OK;
    other.seed = 0;
    AG_TRY(ag_run_identify(&other));
    memcpy(key->id, other.id, sizeof key->id);
    return AG_OK;
}

/* Ids are expensive (SHA-256 over every layer), so nobody asks for them where errors were found;
 * runs are resolved then for the checks alone. */
static bool identify(ag_run *run, run_key *key, ag_experiment *experiment)
{
    if (experiment->findings.errors > 0)
        return false;
    experiment->identified_layers += ag_layer_count(&run->model) * ag_phase_count(run);
    if (experiment->identified_layers > AG_MAX_IDENTIFIED) {
        ag_config_error(&experiment->findings, (ag_place){0},
                        "the grid has more than %d layers in all its runs; split the experiment",
                        AG_MAX_IDENTIFIED);
        return false;
    }
    if (ag_run_identify(run) == AG_OK && set_key(key, run) == AG_OK)
        return true;
    ag_config_failed(&experiment->findings, (ag_place){0});
    return false;
}

/* Without a combination, because axes have errors, the run of the sections is checked all the same:
 * data that is not found should not wait for the next attempt. */
static void check_base(ag_experiment *experiment)
{
    ag_run run = experiment->base;
    check_both(&run, experiment, NULL);
}

/* A share of steps is no number: an axis that has one holds texts. */
static ag_axis_type final_type(const ag_axis_points *axis)
{
    bool has_share = false;
    for (size_t i = 0; i < axis->n_points && axis->kind == AG_AXIS_PARAM; i++)
        has_share |= axis->param->type == AG_PARAM_STEPS && strchr(axis->points[i].canonical, '%');
    return has_share ? AG_AXIS_TEXT : axis->type;
}

/* What results and tables know of an axis: its name and the type of its points. */
static void fill_axes(ag_experiment *experiment)
{
    ag_axis *axes = ag_config_alloc(&experiment->findings, experiment->n_axes, sizeof *axes);
    for (size_t a = 0; a < experiment->n_axes && axes != NULL; a++)
        axes[a] = (ag_axis){experiment->axes[a].name, final_type(&experiment->axes[a])};
    experiment->grid.n_axes = experiment->n_axes;
    experiment->grid.axes = axes;
}

/* The run that the grid has with this key: the first that had it, so that runs which differ in a
 * seed without a part keep the seed that is listed first. */
static size_t fold(ag_grid *grid, ag_index *index, run_key *keys)
{
    const run_key *key = &keys[grid->n_runs];
    wanted_run wanted = {keys, key};
    size_t *slot = ag_index_find(index, ag_index_hash(key->id, AG_ID_LENGTH), same_run, &wanted);
    if (*slot == 0)
        *slot = ++grid->n_runs;
    return *slot - 1;
}

/* Goes on after errors, for messages of other runs, until nobody would read more. */
void ag_config_build(ag_experiment *experiment)
{
    ag_grid *grid = &experiment->grid;
    ag_label *labels = NULL;
    ag_axis_value *values = NULL;
    run_key *keys = NULL;
    ag_index index;
    fill_axes(experiment);
    if (!allocate(experiment, &index, &keys, &labels, &values))
        return;
    grid->runs = experiment->runs;
    grid->labels = labels;
    if (experiment->n_combinations == 0)
        check_base(experiment);
    for (size_t i = 0; i < experiment->n_combinations; i++) {
        if (ag_config_full(&experiment->findings))
            return;
        const uint32_t *tuple = &experiment->tuples[i * experiment->n_axes];
        ag_run *run = &grid->runs[grid->n_runs];
        if (!resolve(run, experiment, tuple) || !identify(run, &keys[grid->n_runs], experiment))
            continue;
        ag_label *label = &labels[grid->n_labels];
        experiment->draws |= ag_run_draws(run);
        label->run = fold(grid, &index, keys);
        set_label(label, experiment, tuple, &values[grid->n_labels++ * experiment->n_axes]);
        /* the run may keep the seed of an earlier label, where seeds have no part in it */
        experiment->n_seeds_folded +=
            label->values[experiment->n_axes - 1].integer != grid->runs[label->run].seed;
    }
}
