/* Reads an assignment. Nothing in it is trusted: after reading, the run is written again, and the
 * hash of that text must be the id. So whatever was misunderstood, lost or changed on the way is
 * found, and a trainer never computes something else than its id says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "params_internal.h"
#include "run/phases.h"
#include "run/run_json.h"

/* A missing key is one that an id from before the key leaves out. Assignments and run files of
 * earlier versions stay readable so. */
static ag_status read_param(ag_run *run, const ag_param *param, ag_json_at at, const char *leaf,
                            ag_arena *arena)
{
    json_t *value = json_object_get(at.object, leaf);
    if (value == NULL && param->neutral != NULL) {
        ag_param_preset(run, param, param->neutral);
        return AG_OK;
    }
    AG_TRY(ag_json_member(&value, at, leaf));
    if (json_is_null(value) && param->use == AG_PARAM_USE_IDENTITY)
        return AG_OK; /* check_effects looks at it, once everything is read */
    return ag_param_from_json(run, param, value, arena);
}

/* Whether an id may leave out the whole section. */
static bool is_later(const ag_param_section *section)
{
    size_t i = 0;
    while (i < section->count && section->params[i]->neutral != NULL)
        i++;
    return i == section->count;
}

/* A key that is not of this section is refused, so that a misspelt one cannot be a setting that is
 * ignored. */
static ag_status read_section(ag_run *run, ag_json_at parent, const char *name,
                              ag_section_part part, ag_arena *arena)
{
    char path[AG_KEY_PATH_SIZE];
    snprintf(path, sizeof path, "%s.%s", parent.path, name);
    ag_json_at at = {NULL, path};
    ag_param_section section;
    ag_param_section_fill(&section, name, part);
    bool is_left_out = is_later(&section) && json_object_get(parent.object, name) == NULL;
    if (!is_left_out) {
        AG_TRY(ag_json_member(&at.object, parent, name));
        AG_TRY(ag_json_known(at, section.leaves));
    }
    for (size_t i = 0; i < section.count; i++)
        AG_TRY(read_param(run, section.params[i], at, section.leaves[i], arena));
    return AG_OK;
}

/* null stands exactly where a parameter has no effect. Otherwise a run would have a text with null
 * and one with a value, and two ids. */
static ag_status check_effects(const ag_run *run, json_t *identity)
{
    for (size_t s = 0; ag_identity_sections[s] != NULL; s++) {
        json_t *object = json_object_get(identity, ag_identity_sections[s]);
        ag_param_section section;
        ag_param_section_fill(&section, ag_identity_sections[s], AG_SECTION_PART_IDENTITY);
        for (size_t i = 0; i < section.count; i++) {
            json_t *value = json_object_get(object, section.leaves[i]);
            bool is_null = json_is_null(value);
            if (value == NULL || is_null != ag_param_has_effect(run, section.params[i]))
                continue;
            return ag_fail(AG_ERR_INPUT, "run.%s: %s", section.params[i]->key,
                           is_null ? "is null, but has an effect in this run"
                                   : "has no effect in this run and must be null");
        }
    }
    return AG_OK;
}

/* Counts are part of the id as the digest is: the same tokens cut otherwise are other data. */
ag_status ag_facts_from_json(ag_data_facts *facts, ag_json_at at)
{
    static const char *const known[] = {"digest", "train_tokens", "val_tokens", "vocab_size", NULL};
    AG_TRY(ag_json_known(at, known));
    AG_TRY(ag_json_hex(facts->digest, at, "digest", AG_DIGEST_LENGTH));
    AG_TRY(ag_json_whole(&facts->train_tokens, at, "train_tokens", 1, AG_MAX_WHOLE));
    AG_TRY(ag_json_whole(&facts->val_tokens, at, "val_tokens", 0, AG_MAX_WHOLE));
    return ag_json_whole(&facts->vocab_size, at, "vocab_size", 1, AG_VOCAB_MAX);
}

ag_status ag_digest_from_json(char digest[AG_DIGEST_LENGTH + 1], ag_json_at at, const char *key)
{
    json_t *value = NULL;
    AG_TRY(ag_json_member(&value, at, key));
    digest[0] = '\0';
    return json_is_null(value) ? AG_OK : ag_json_hex(digest, at, key, AG_DIGEST_LENGTH);
}

/* The message says which altgrad could, as nobody can tell from bits that differ. */
static ag_status read_version(ag_json_at at)
{
    int64_t version = 0;
    AG_TRY(ag_json_whole(&version, at, "numerics", 0, AG_MAX_WHOLE));
    if (version != AG_NUMERICS_VERSION)
        return ag_fail(AG_ERR_INPUT,
                       "the run was made by numerics %" PRId64 "; this altgrad computes numerics "
                       "%d, with other bits: only an altgrad of numerics %" PRId64 " can repeat it",
                       version, AG_NUMERICS_VERSION, version);
    return AG_OK;
}

/* What is before the state is none of this run's. */
static ag_status read_start(ag_run *run, ag_json_at run_at)
{
    static const char *const known[] = {"digest", "step", NULL};
    ag_json_at at = {json_object_get(run_at.object, "start"), "run.start"};
    if (at.object == NULL)
        return AG_OK;
    AG_TRY(ag_json_known(at, known));
    AG_TRY(ag_json_hex(run->start_digest, at, "digest", AG_DIGEST_LENGTH));
    return ag_json_whole(&run->train.start_step, at, "step", 1, run->train.steps - 1);
}

/* A phase that changes nothing would give one run two texts. */
static ag_status read_phase(ag_run *run, ag_phase *phase, const ag_phase *before, ag_json_at at,
                            ag_arena *arena)
{
    static const char *const known[] = {"from", "layers", NULL};
    char path[AG_KEY_PATH_SIZE + 16];
    ag_run one = *run;
    snprintf(path, sizeof path, "%s.layers", at.path);
    ag_json_at layers = {NULL, path};
    AG_TRY(ag_json_known(at, known));
    AG_TRY(ag_json_whole(&phase->from, at, "from", before->from + 1, run->train.steps - 1));
    AG_TRY(ag_json_member(&layers.object, at, "layers"));
    AG_TRY(ag_layers_from_json(&one, layers, arena));
    phase->layers = one.layers;
    phase->sites = one.sites;
    if (ag_phase_equal(&run->model, before, phase))
        return ag_fail(AG_ERR_INPUT, "%s: is as the phase before: expected no such phase", at.path);
    return AG_OK;
}

static ag_status read_phases(ag_run *run, ag_json_at at, ag_arena *arena)
{
    json_t *list = json_object_get(at.object, "phases");
    size_t count = json_array_size(list);
    ag_phase first = ag_phase_of(run, 0);
    if (list == NULL)
        return AG_OK;
    if (count == 0)
        return ag_fail(AG_ERR_INPUT, "%s.phases: expected a list of phases, or no such key",
                       at.path);
    ag_phase *phases = ag_arena_alloc(arena, count * sizeof *phases);
    if (phases == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        char path[AG_KEY_PATH_SIZE];
        snprintf(path, sizeof path, "%s.phases[%zu]", at.path, i);
        AG_TRY(read_phase(run, &phases[i], i == 0 ? &first : &phases[i - 1],
                          (ag_json_at){json_array_get(list, i), path}, arena));
    }
    run->phases = phases;
    run->n_phases = count;
    return AG_OK;
}

/* Layers last, since their names depend on the model; effects after all, since they depend on other
 * parameters. */
static ag_status read_identity(ag_run *run, json_t *identity, ag_arena *arena)
{
    static const char *const known[] = {
        "compute", "data",  "eval", "init",  "layers", "model",  "numerics", "optimizer",
        "phases",  "ranks", "seed", "start", "stop",   "tables", "train",    NULL};
    ag_json_at at = {identity, "run"};
    ag_json_at data = {NULL, "run.data"};
    ag_json_at layers = {NULL, "run.layers"};
    int compute = 0;
    AG_TRY(ag_json_known(at, known));
    AG_TRY(read_version(at));
    AG_TRY(ag_json_word(&compute, at, "compute", ag_compute_words, AG_COMPUTES));
    run->compute = (ag_compute)compute;
    AG_TRY(ag_json_whole(&run->seed, at, "seed", 0, AG_MAX_WHOLE));
    AG_TRY(ag_json_member(&data.object, at, "data"));
    AG_TRY(ag_facts_from_json(&run->facts, data));
    AG_TRY(ag_digest_from_json(run->init_digest, at, "init"));
    for (size_t i = 0; ag_identity_sections[i] != NULL; i++)
        AG_TRY(read_section(run, at, ag_identity_sections[i], AG_SECTION_PART_IDENTITY, arena));
    AG_TRY(ag_run_tables_from_json(at));
    AG_TRY(ag_json_member(&layers.object, at, "layers"));
    AG_TRY(ag_layers_from_json(run, layers, arena));
    AG_TRY(read_start(run, at));
    AG_TRY(read_phases(run, at, arena));
    return check_effects(run, identity);
}

static ag_status read_local(ag_run *run, json_t *local, ag_arena *arena)
{
    ag_json_at at = {local, "local"};
    AG_TRY(ag_json_known(at, ag_local_sections));
    for (size_t i = 0; ag_local_sections[i] != NULL; i++)
        AG_TRY(read_section(run, at, ag_local_sections[i], AG_SECTION_PART_LOCAL, arena));
    return AG_OK;
}

/* The hash is taken of the run as it was understood, not of the text: what was read is what will be
 * trained, and that must be what the id stands for. */
static ag_status read_assignment(ag_run *run, json_t *assignment, ag_arena *arena)
{
    static const char *const known[] = {"id", "local", "run", NULL};
    ag_json_at at = {assignment, "assignment"};
    json_t *local = NULL;
    json_t *identity = NULL;
    char id[AG_ID_LENGTH + 1];
    AG_TRY(ag_json_known(at, known));
    AG_TRY(ag_json_hex(id, at, "id", AG_ID_LENGTH));
    AG_TRY(ag_json_member(&local, at, "local"));
    AG_TRY(ag_json_member(&identity, at, "run"));
    AG_TRY(read_identity(run, identity, arena));
    AG_TRY(read_local(run, local, arena));
    AG_TRY(ag_run_check(run));
    AG_TRY(ag_run_identify(run));
    if (strcmp(run->id, id) != 0)
        return ag_fail(AG_ERR_INPUT,
                       "assignment.id: %s is not the id of this run, which is %s: its text was "
                       "changed, or another version of altgrad wrote it",
                       id, run->id);
    return AG_OK;
}

ag_status ag_run_from_assignment(ag_run *run, const char *text, size_t size, ag_arena *arena)
{
    json_t *assignment = NULL;
    ag_run_defaults(run);
    AG_TRY(ag_json_parse(&assignment, text, size, "the assignment"));
    ag_status status = read_assignment(run, assignment, arena);
    json_decref(assignment);
    return status;
}
