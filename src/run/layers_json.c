/* The precision of each layer as JSON: layer name, role, scheme. A role that is not quantised is
 * null; "input.wgrad" and its like stand only where the second use of a role differs from the
 * first, "e8m0" only with granularity mx, "hadamard" only where it is true, "accumulate" only where
 * a product has an accumulator of its own. Sites that are on stand between the layers, with the
 * roles that they have. */
#include <stdio.h>
#include <string.h>

#include "params_internal.h"
#include "run/layers.h"
#include "run/run_json.h"
#include "run/sites.h"

/* Longer than any scheme's text is; one that is longer still is written each time instead of being
 * kept. */
enum { SCHEME_SIZE = 512 };

static const bool s_all_roles[AG_ROLES] = {true, true, true};

/* --- writing */

/* Most schemes of a run are equal: the last one's text is kept to be added again. */
typedef struct layers_writer {
    ag_text *text;
    const ag_run *run;
    const ag_scheme *last; /* NULL at first */
    size_t length;         /* of its JSON */
    char json[SCHEME_SIZE];
} layers_writer;

static void add_scheme(layers_writer *w, const ag_scheme *scheme)
{
    if (!scheme->quantised) {
        ag_scheme_to_json(w->text, scheme);
        return;
    }
    if (w->last != NULL && ag_scheme_equal(w->last, scheme)) {
        ag_text_add_n(w->text, w->json, w->length);
        return;
    }
    size_t start = w->text->length;
    ag_scheme_to_json(w->text, scheme);
    w->length = w->text->length - start;
    w->last = w->length <= sizeof w->json ? scheme : NULL;
    if (w->last != NULL)
        memcpy(w->json, w->text->data + start, w->length);
}

/* The second use only where it differs: most schemes serve both products. */
static void add_role(layers_writer *w, const ag_layer_precision *precision, ag_role role)
{
    const ag_scheme *uses = precision->scheme[role];
    ag_json_add_word(w->text, "", ag_role_words[role]);
    ag_text_add(w->text, ":");
    add_scheme(w, &uses[0]);
    if (ag_scheme_equal(&uses[0], &uses[1]))
        return;
    ag_json_add_word(w->text, ",", ag_use_words[role][1]);
    ag_text_add(w->text, ":");
    add_scheme(w, &uses[1]);
}

/* In the order of the products' names. */
static void add_accumulators(ag_text *text, const ag_layer_precision *precision)
{
    static const ag_linear_product sorted[AG_LINEAR_PRODUCTS] = {AG_DGRAD, AG_FPROP, AG_WGRAD};
    const char *before = "\"accumulate\":{\"";
    for (size_t i = 0; i < AG_LINEAR_PRODUCTS; i++) {
        const ag_accumulator *accumulator = &precision->accumulate[sorted[i]];
        char written[AG_ACCUMULATOR_TEXT];
        if (accumulator->kind == AG_ACCUMULATE_SEGMENTS)
            continue;
        ag_accumulator_write(written, accumulator);
        ag_text_add(text, before);
        ag_text_add(text, ag_linear_product_words[sorted[i]]);
        ag_json_add_word(text, "\":", written);
        before = ",\"";
    }
    ag_text_add(text, "}");
}

/* The members of a layer have their names' order: accumulate, grad_output, input, weight. */
static void add_roles(layers_writer *w, const ag_layer_precision *precision,
                      const bool has_role[AG_ROLES])
{
    static const ag_role sorted[AG_ROLES] = {AG_ROLE_GRAD_OUTPUT, AG_ROLE_INPUT, AG_ROLE_WEIGHT};
    const char *before = ":{";
    if (!ag_accumulates_by_default(precision)) {
        ag_text_add(w->text, before);
        add_accumulators(w->text, precision);
        before = ",";
    }
    for (size_t i = 0; i < AG_ROLES; i++) {
        if (!has_role[sorted[i]])
            continue;
        ag_text_add(w->text, before);
        add_role(w, precision, sorted[i]);
        before = ",";
    }
    ag_text_add(w->text, "}");
}

static void add_layer(layers_writer *w, size_t index)
{
    ag_layer layer = ag_layer_at(&w->run->model, w->run->facts.vocab_size, index);
    ag_json_add_word(w->text, "", layer.name);
    add_roles(w, &w->run->layers[index], s_all_roles);
}

/* A site of one tensor has one role; a layer has all three. */
static void roles_of(bool has_role[AG_ROLES], const ag_site *site)
{
    memset(has_role, 0, AG_ROLES * sizeof *has_role);
    for (size_t i = 0; i < site->n_tensors; i++)
        has_role[site->tensors[i].role] = true;
}

static void add_site(layers_writer *w, size_t index)
{
    bool has_role[AG_ROLES];
    ag_site site = ag_site_at(&w->run->model, index);
    if (!ag_site_is_on(&w->run->sites[index]))
        return;
    roles_of(has_role, &site);
    ag_json_add_word(w->text, ",", site.name);
    add_roles(w, &w->run->sites[index], has_role);
}

/* Sites from `at` on as far as their names stand before `name`, or all of the block where that is
 * NULL; returns the first that is left. */
static size_t add_sites(layers_writer *w, size_t at, size_t end, const char *name)
{
    for (; w->run->sites != NULL && at < end; at++) {
        ag_site site = ag_site_at(&w->run->model, at);
        if (name != NULL && strcmp(site.name, name) > 0)
            break;
        add_site(w, at);
    }
    return at;
}

/* A block's layers in the order of their names, and the sites between them. */
static void add_block(layers_writer *w, size_t block)
{
    const ag_model_spec *model = &w->run->model;
    size_t site = block * ag_block_sites(model);
    size_t end = site + ag_block_sites(model);
    for (size_t i = 0; i < AG_BLOCK_KINDS; i++) {
        ag_linear_kind kind = ag_layer_kind_by_name(i);
        if (!ag_block_has(model, kind))
            continue;
        size_t index = ag_layer_index(model, kind, block);
        if (w->run->sites != NULL)
            site = add_sites(w, site, end, ag_layer_at(model, 1, index).name);
        ag_text_add(w->text, ",");
        add_layer(w, index);
    }
    add_sites(w, site, end, NULL);
}

/* The successor of `block` among the numbers below `count` ordered as texts: 0, 1, 10, 11, 2.
 * Blocks are sorted as texts, since RFC 8785 sorts members so and "h.10" comes before "h.2". */
static size_t next_block(size_t block, size_t count)
{
    if (block > 0 && block * 10 < count)
        return block * 10;
    while (block % 10 == 9 || block + 1 >= count)
        block /= 10;
    return block + 1;
}

/* lm_head is first in the order of names, embeddings are last. */
void ag_layers_to_json(ag_text *text, const ag_run *run)
{
    layers_writer w = {.text = text, .run = run};
    size_t blocks = (size_t)run->model.n_layer;
    size_t sites = ag_site_count(&run->model);
    size_t of_head = blocks * ag_block_sites(&run->model);
    ag_text_add(text, "{");
    add_layer(&w, ag_layer_count(&run->model) - 1);
    add_sites(&w, of_head, of_head + AG_SITES_PER_LINEAR, NULL);
    size_t block = 0;
    for (size_t done = 0; done < blocks; done++) {
        add_block(&w, block);
        if (done + 1 < blocks)
            block = next_block(block, blocks);
    }
    add_sites(&w, of_head + AG_SITES_PER_LINEAR, sites, NULL);
    ag_text_add(text, "}");
}

/* --- reading */

/* An accumulator that is the default, or not as ag_accumulator_write leaves it, is refused: two
 * texts of one run have two ids. Sorted keys are not asked for: the text is written again, and its
 * hash compared. */
static ag_status read_accumulators(ag_layer_precision *precision, ag_json_at layer)
{
    static const char *const known[] = {"dgrad", "fprop", "wgrad", NULL};
    json_t *value = NULL;
    char path[AG_KEY_PATH_SIZE + 16];
    AG_TRY(ag_json_member(&value, layer, "accumulate"));
    snprintf(path, sizeof path, "%s.accumulate", layer.path);
    ag_json_at at = {value, path};
    AG_TRY(ag_json_known(at, known));
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        const char *text = NULL;
        const char *word = ag_linear_product_words[product];
        char written[AG_ACCUMULATOR_TEXT];
        if (json_object_get(at.object, word) == NULL)
            continue;
        AG_TRY(ag_json_text(&text, at, word));
        AG_TRY(ag_accumulator_parse(&precision->accumulate[product], text));
        ag_accumulator_write(written, &precision->accumulate[product]);
        if (strcmp(text, written) != 0)
            return ag_fail(AG_ERR_INPUT, "%s.%s: '%s' is written '%s'", path, word, text, written);
    }
    return AG_OK;
}

/* `uses[1]` is a copy where the text has no key of its own for it, as add_role leaves it out. */
static ag_status read_precision(ag_layer_precision *precision, ag_json_at at,
                                const bool has_role[AG_ROLES], bool accumulates)
{
    const char *known[2 * AG_ROLES + 2] = {NULL};
    size_t count = 0;
    if (accumulates)
        known[count++] = "accumulate";
    for (size_t role = 0; role < AG_ROLES; role++) {
        if (!has_role[role])
            continue;
        known[count++] = ag_role_words[role];
        known[count++] = ag_use_words[role][1];
    }
    AG_TRY(ag_json_known(at, known));
    for (size_t role = 0; role < AG_ROLES; role++) {
        ag_scheme *uses = precision->scheme[role];
        if (!has_role[role])
            continue;
        AG_TRY(ag_scheme_from_json(&uses[0], at, ag_role_words[role]));
        uses[1] = uses[0];
        if (json_object_get(at.object, ag_use_words[role][1]) != NULL)
            AG_TRY(ag_scheme_from_json(&uses[1], at, ag_use_words[role][1]));
    }
    if (accumulates && json_object_get(at.object, "accumulate") != NULL)
        AG_TRY(read_accumulators(precision, at));
    return ag_layer_precision_check(precision);
}

static ag_status read_layer(ag_layer_precision *precision, ag_json_at at, const char *name,
                            const bool has_role[AG_ROLES], bool accumulates)
{
    json_t *value = NULL;
    char path[AG_KEY_PATH_SIZE];
    AG_TRY(ag_json_member(&value, at, name));
    snprintf(path, sizeof path, "%s.%s", at.path, name);
    return read_precision(precision, (ag_json_at){value, path}, has_role, accumulates);
}

static ag_status read_layers(ag_run *run, ag_json_at at, ag_arena *arena)
{
    size_t count = ag_layer_count(&run->model);
    ag_layer_precision *layers = ag_arena_alloc(arena, count * sizeof *layers);
    if (layers == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        ag_layer layer = ag_layer_at(&run->model, run->facts.vocab_size, i);
        AG_TRY(read_layer(&layers[i], at, layer.name, s_all_roles, true));
        AG_TRY(ag_layer_check(&run->model, &layer, &layers[i]));
    }
    run->layers = layers;
    return AG_OK;
}

/* A site without an effect would make two texts, and two ids, of one run. */
static ag_status read_site(ag_layer_precision *precision, const ag_run *run, ag_json_at at,
                           const ag_site *site)
{
    bool has_role[AG_ROLES];
    roles_of(has_role, site);
    AG_TRY(read_layer(precision, at, site->name, has_role, false));
    if (!ag_site_is_on(precision) ||
        !ag_site_has_effect(run, site->kind, ag_site_is_of_head(&run->model, site)))
        return ag_fail(AG_ERR_INPUT, "%s.%s: has no effect in this run: expected no such key",
                       at.path, site->name);
    return ag_site_check(site->kind, precision);
}

/* `found` sites are among the members. */
static ag_status read_sites(size_t *found, ag_run *run, ag_json_at at, ag_arena *arena)
{
    size_t count = ag_site_count(&run->model);
    ag_layer_precision *sites = ag_arena_alloc(arena, count * sizeof *sites);
    if (sites == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        ag_site site = ag_site_at(&run->model, i);
        if (json_object_get(at.object, site.name) == NULL)
            continue;
        AG_TRY(read_site(&sites[i], run, at, &site));
        ++*found;
    }
    run->sites = sites;
    return AG_OK;
}

/* Counts settle it: each layer of the model was found, so what is left over must be sites, and each
 * of those is looked for by name. */
ag_status ag_layers_from_json(ag_run *run, ag_json_at at, ag_arena *arena)
{
    size_t layers = ag_layer_count(&run->model);
    size_t members = json_object_size(at.object);
    size_t sites = 0;
    run->sites = NULL;
    if (members < layers)
        return ag_fail(AG_ERR_INPUT, "%s: expected the %zu layers of this model, found %zu",
                       at.path, layers, members);
    AG_TRY(read_layers(run, at, arena));
    if (members > layers)
        AG_TRY(read_sites(&sites, run, at, arena));
    if (members != layers + sites)
        return ag_fail(AG_ERR_INPUT,
                       "%s: expected the %zu layers of this model and its sites, found %zu keys "
                       "that are neither",
                       at.path, layers, members - layers - sites);
    return AG_OK;
}
