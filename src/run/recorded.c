/* How much a run records: the settings that decide which numbers are kept, and none of them. They
 * are no part of the id, since no bit of the result depends on them; so a run that was kept may
 * have recorded less than is asked for now, and this finds out. */
#include <string.h>

#include "params_internal.h"
#include "run/run_json.h"

/* Everything of the trainer's that is no path and no limit; a new such parameter counts by itself.
 */
static bool decides_records(const ag_param *param)
{
    return param->use == AG_PARAM_USE_RUN && param->type != AG_PARAM_TEXT && /* a path */
           strncmp(param->key, "run.", 4) != 0;
}

void ag_run_recorded(ag_text *text, const ag_run *run)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    const char *before = "{";
    for (size_t i = 0; i < count; i++) {
        if (!decides_records(&params[i]) || ag_param_is_neutral(run, &params[i]))
            continue;
        ag_text_add(text, before);
        ag_json_string(text, params[i].key);
        ag_text_add(text, ":");
        ag_param_to_json(text, run, &params[i]);
        before = ",";
    }
    ag_text_add(text, "}");
}

/* All of these parameters but lists are whole numbers, words or sets of words. */
static int64_t whole_of(const ag_run *run, const ag_param *param)
{
    const char *place = (const char *)run + param->offset;
    int64_t value = 0;
    if (param->type == AG_PARAM_BOOL)
        return *(const bool *)place;
    memcpy(&value, place, sizeof value);
    return value;
}

static bool lacks_a_step(const ag_step_list *wanted, const ag_step_list *there)
{
    int64_t found = 0;
    for (int64_t i = 0; i < wanted->count; i++) {
        for (int64_t j = 0; j < there->count; j++)
            found += wanted->at[i] == there->at[j];
    }
    return found < wanted->count;
}

/* By type: a set of words is what is sampled, a word how much is kept, a number of steps a period.
 * A period that is a multiple of the recorded one can be had by leaving out points. */
static bool asks_for_more(const ag_param *param, const ag_run *asked, const ag_run *held)
{
    if (param->type == AG_PARAM_STEP_LIST)
        return lacks_a_step(&asked->output.states, &held->output.states);
    int64_t wanted = whole_of(asked, param);
    int64_t there = whole_of(held, param);
    switch (param->type) {
    case AG_PARAM_WORDS:
        return (wanted & ~there) != 0;
    case AG_PARAM_WORD:
        return wanted > there;
    case AG_PARAM_INT:
        return wanted != 0 && (there == 0 || wanted % there != 0);
    default:
        return wanted != there;
    }
}

/* A period of samples means nothing while nothing is sampled. Asking for it would train for
 * nothing. */
static bool has_effect(const ag_param *param, const ag_run *asked)
{
    return param->offset != offsetof(ag_run, observe.quant_every) ||
           asked->observe.diagnostics != 0;
}

/* A setting that the text does not have was not known then: it has its default, which is what that
 * version did. */
static ag_status read_recorded(ag_run *held, json_t *recorded, ag_arena *arena)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++) {
        json_t *value = json_object_get(recorded, params[i].key);
        if (value != NULL && decides_records(&params[i]))
            AG_TRY(ag_param_from_json(held, &params[i], value, arena));
    }
    return AG_OK;
}

/* The first key in the table's order, as one is enough for a message that tells how to train again.
 */
const char *ag_run_lacks(const char *recorded, const ag_run *asked)
{
    json_t *object = json_loads(recorded, 0, NULL);
    ag_arena arena;
    ag_run held;
    const char *key = NULL;
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    ag_arena_init_growing(&arena);
    ag_run_defaults(&held);
    bool known = json_is_object(object) && read_recorded(&held, object, &arena) == AG_OK;
    for (size_t i = 0; known && key == NULL && i < count; i++) {
        if (decides_records(&params[i]) && has_effect(&params[i], asked) &&
            asks_for_more(&params[i], asked, &held))
            key = params[i].key;
    }
    if (!known)
        ag_error_clear(); /* of another version: nothing can be said */
    ag_arena_deinit(&arena);
    json_decref(object);
    return key;
}
