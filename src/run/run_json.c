/* A run as text. Written straight into the text, without a tree: a grid of thousands of runs is
 * identified each time it is planned. */
#include "run/run_json.h"

#include <inttypes.h>
#include <string.h>

#include "params_internal.h"
#include "run/digest.h"
#include "run/layers.h"
#include "run/model_spec.h"
#include "run/optimizers.h"
#include "run/phases.h"

static void add_key(ag_text *text, const char *key)
{
    ag_text_add(text, "\"");
    ag_text_add(text, key);
    ag_text_add(text, "\":");
}

void ag_digest_to_json(ag_text *text, const char *digest)
{
    if (digest[0] == '\0')
        ag_text_add(text, "null");
    else
        ag_json_string(text, digest);
}

/* null in the identity only: a trainer takes its local settings whether or not they have an effect.
 */
static void add_param(ag_text *text, const ag_run *run, const ag_param *param, ag_section_part part)
{
    if (part == AG_SECTION_PART_IDENTITY && !ag_param_has_effect(run, param))
        ag_text_add(text, "null");
    else
        ag_param_to_json(text, run, param);
}

/* A section without members is {} and not left out: its key is part of every id. Neutral ones are
 * left out, so that ids of before the key stay. */
static void add_section(ag_text *text, const ag_run *run, const char *name, ag_section_part part)
{
    ag_param_section section;
    ag_param_section_fill(&section, name, part);
    add_key(text, name);
    const char *before = "{";
    for (size_t i = 0; i < section.count; i++) {
        if (ag_param_is_neutral(run, section.params[i]))
            continue;
        ag_text_add(text, before);
        add_key(text, section.leaves[i]);
        add_param(text, run, section.params[i], part);
        before = ",";
    }
    ag_text_add(text, *before == '{' ? "{}" : "}");
}

/* One that came after schema 1, and a comma: left out as its members are. */
static void add_later_section(ag_text *text, const ag_run *run, const char *name)
{
    ag_param_section section;
    ag_param_section_fill(&section, name, AG_SECTION_PART_IDENTITY);
    if (ag_param_section_is_neutral(&section, run))
        return;
    add_section(text, run, name, AG_SECTION_PART_IDENTITY);
    ag_text_add(text, ",");
}

void ag_facts_to_json(ag_text *text, const ag_data_facts *facts)
{
    ag_text_add(text, "{");
    add_key(text, "digest");
    ag_digest_to_json(text, facts->digest);
    ag_text_printf(text,
                   ",\"train_tokens\":%" PRId64 ",\"val_tokens\":%" PRId64
                   ",\"vocab_size\":%" PRId64 "}",
                   facts->train_tokens, facts->val_tokens, facts->vocab_size);
}

/* Without weights on a grid, what would follow it is what it derives from. In BF16 manifold_adamw
 * is adamw to the last bit, and must be the same run. */
static int64_t plain_optimizer(const ag_run *run)
{
    for (size_t phase = 0; phase < ag_phase_count(run); phase++) {
        ag_run one = ag_run_in_phase(run, phase);
        for (size_t i = 0; i < ag_layer_count(&run->model); i++) {
            if (ag_layer_grid(&one, i) != NULL)
                return run->optimizer.type;
        }
    }
    return ag_optimizer_of(run)->plain;
}

/* The run with its own seed in place of the seeds that were not given, and one name for each
 * optimizer and model. A seed that was left out and the same seed written down mean one run. */
static ag_run resolve(const ag_run *run)
{
    ag_run resolved = *run;
    resolved.optimizer.type = plain_optimizer(run);
    ag_spec_resolve(&resolved.model);
    if (resolved.model.init_seed < 0)
        resolved.model.init_seed = run->seed;
    if (resolved.train.data_seed < 0)
        resolved.train.data_seed = run->seed;
    return resolved;
}

/* Nothing for a run of one phase, whose id is that of before there were any. */
static void add_phases(ag_text *text, const ag_run *run)
{
    for (size_t i = 0; i < run->n_phases; i++) {
        ag_run one = ag_run_in_phase(run, i + 1);
        ag_text_printf(text, "%s{\"from\":%" PRId64 ",\"layers\":", i == 0 ? "\"phases\":[" : ",",
                       run->phases[i].from);
        ag_layers_to_json(text, &one);
        ag_text_add(text, i + 1 == run->n_phases ? "}]," : "}");
    }
}

/* Nothing for a run that begins at its beginning. */
static void add_start(ag_text *text, const ag_run *run)
{
    if (run->start_digest[0] != '\0')
        ag_text_printf(text, "\"start\":{\"digest\":\"%s\",\"step\":%" PRId64 "},",
                       run->start_digest, run->train.start_step);
}

/* The members by name, as RFC 8785 asks; tests/run/golden_run.json pins the whole text. */
void ag_run_canonical(ag_text *text, const ag_run *run)
{
    ag_run resolved = resolve(run);
    ag_text_add(text, "{\"compute\":");
    ag_json_string(text, ag_compute_words[run->compute]);
    ag_text_add(text, ",\"data\":");
    ag_facts_to_json(text, &run->facts);
    ag_text_add(text, ",");
    add_section(text, &resolved, "eval", AG_SECTION_PART_IDENTITY);
    ag_text_add(text, ",");
    add_key(text, "init");
    ag_digest_to_json(text, run->init_digest);
    ag_text_add(text, ",\"layers\":");
    ag_layers_to_json(text, run);
    ag_text_add(text, ",");
    add_section(text, &resolved, "model", AG_SECTION_PART_IDENTITY);
    ag_text_printf(text, ",\"numerics\":%d,", AG_NUMERICS_VERSION);
    add_section(text, &resolved, "optimizer", AG_SECTION_PART_IDENTITY);
    ag_text_add(text, ",");
    add_phases(text, run);
    add_later_section(text, &resolved, "ranks");
    ag_text_printf(text, "\"seed\":%" PRId64 ",", run->seed);
    add_start(text, run);
    add_section(text, &resolved, "stop", AG_SECTION_PART_IDENTITY);
    ag_text_add(text, ",");
    ag_run_tables_to_json(text, run);
    add_section(text, &resolved, "train", AG_SECTION_PART_IDENTITY);
    ag_text_add(text, "}");
}

/* Twelve hexadecimal digits, 48 bits: among a million runs the chance that two share an id is about
 * one in 560. */
ag_status ag_run_identify(ag_run *run)
{
    char hex[AG_DIGEST_LENGTH + 1];
    ag_text text;
    ag_text_init(&text);
    ag_run_canonical(&text, run);
    ag_status status = text.failed ? ag_fail(AG_ERR_SYSTEM, "out of memory")
                                   : ag_sha256_of(hex, text.data, text.length);
    ag_text_deinit(&text);
    if (status != AG_OK)
        return status;
    memcpy(run->id, hex, AG_ID_LENGTH);
    run->id[AG_ID_LENGTH] = '\0';
    return AG_OK;
}

void ag_run_local(ag_text *text, const ag_run *run)
{
    for (size_t i = 0; ag_local_sections[i] != NULL; i++) {
        ag_param_section section;
        ag_param_section_fill(&section, ag_local_sections[i], AG_SECTION_PART_LOCAL);
        if (ag_param_section_is_neutral(&section, run))
            continue;
        ag_text_add(text, i == 0 ? "{" : ",");
        add_section(text, run, ag_local_sections[i], AG_SECTION_PART_LOCAL);
    }
    ag_text_add(text, "}");
}

/* The canonical text last, for people who look at the line: it is by far the longest. */
void ag_run_assignment(ag_text *text, const ag_run *run)
{
    ag_text_add(text, "{\"id\":");
    ag_json_string(text, run->id);
    ag_text_add(text, ",\"local\":");
    ag_run_local(text, run);
    ag_text_add(text, ",\"run\":");
    ag_run_canonical(text, run);
    ag_text_add(text, "}");
}
