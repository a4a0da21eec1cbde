/* The sections of parameters (model, data, train, ...) and --set, laid over the defaults in that
 * order. What a parameter is called, which values it takes and what they mean is the table's
 * (run/params.h); here a node becomes a value, with a place for messages.
 *
 * Where a value has an error, the parameter counts as broken: it keeps its default, and checks that
 * would complain of that default stay silent. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "config_internal.h"

enum { KEY_SIZE = 128, MAX_PARAMS = 256 };

/* Parameters that name files to read. Their paths are relative to the experiment file, or, after
 * --set, to the current directory, as a shell's user expects. */
static bool is_input_path(const ag_param *param)
{
    static const char *const keys[] = {"data.text",    "data.bin",        "data.bin_train",
                                       "data.bin_val", "model.init.file", "train.start.file"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(param->key, keys[i]) == 0)
            return true;
    }
    return false;
}

const char *ag_plain_path(const char *path, ag_arena *arena)
{
    char *plain = ag_arena_strdup(arena, path);
    char *to = plain;
    for (const char *at = plain; at != NULL && *at != '\0';) {
        bool starts = to == plain || to[-1] == '/';
        size_t length = strcspn(at, "/");
        if (starts && length == 1 && *at == '.' && at[1] == '/')
            at += 2;
        else if (starts && length == 0 && to != plain)
            at++;
        else
            *to++ = *at++;
    }
    if (to != NULL)
        *to = '\0';
    return plain;
}

/* What the text of a parameter means. Of a file to read: the whole path. The path of the results
 * stays as it was written, because it is kept with them and they may be moved, but it must be one.
 * NULL after an error. */
static const char *settle_path(ag_findings *findings, const ag_param *param, const char *text,
                               const char *folder, ag_place place)
{
    const bool is_input = is_input_path(param);
    const char *path = NULL;
    if ((!is_input && strcmp(param->key, "output.file") != 0) || text[0] == '\0')
        return text;
    if (ag_path_expand(&path, text, findings->arena) != AG_OK) {
        ag_config_error(findings, place, "%s %s", param->key, ag_error_message());
        ag_error_clear();
        return NULL;
    }
    if (!is_input)
        return text;
    path = ag_path_after(folder, path, strncmp(param->key, "data.bin_", 9) == 0, findings->arena);
    if (path != NULL)
        path = ag_plain_path(path, findings->arena);
    findings->out_of_memory |= path == NULL;
    return path;
}

/* The place in the table, which arrays about parameters share. */
static size_t param_index(const ag_param *param)
{
    size_t count = 0;
    return (size_t)(param - ag_params(&count));
}

/* The size of a member of ag_run by the type of its parameter: settings are kept as bytes. */
static size_t value_size(const ag_param *param)
{
    switch (param->type) {
    case AG_PARAM_BOOL:
        return sizeof(bool);
    case AG_PARAM_PAIR:
        return 2 * sizeof(double);
    case AG_PARAM_STEP_LIST:
        return sizeof(ag_step_list);
    case AG_PARAM_REAL:
    case AG_PARAM_DURATION:
        return sizeof(double);
    case AG_PARAM_TEXT:
    case AG_PARAM_FORMAT:
        return sizeof(const char *);
    default:
        return sizeof(int64_t);
    }
}

void ag_setting_apply(ag_run *run, const ag_setting *setting)
{
    memcpy((char *)run + setting->param->offset, setting->value, value_size(setting->param));
}

/* Where relative paths start that were said at `place`; `here` has PATH_MAX bytes. */
static const char *path_folder(const ag_experiment *experiment, ag_place place, char *here)
{
    if (place.source == &experiment->file)
        return experiment->folder;
    return getcwd(here, PATH_MAX) != NULL ? here : "";
}

/* Parsed into a scratch run, out of which the member's bytes are taken. */
bool ag_config_setting(ag_setting *setting, ag_experiment *experiment, const ag_param *param,
                       const ag_node *node)
{
    ag_findings *findings = &experiment->findings;
    *setting = (ag_setting){.param = param, .place = node->place};
    const char *text = ag_config_is_where(param) ? ag_config_where(findings, node)
                                                 : ag_node_param_text(findings, node, param);
    char here[PATH_MAX];
    if (text != NULL)
        text = settle_path(findings, param, text, path_folder(experiment, node->place, here),
                           node->place);
    if (text == NULL)
        return false;
    ag_run scratch = {0};
    if (ag_param_set(&scratch, param, text, &experiment->arena) != AG_OK) {
        ag_config_failed(findings, node->place);
        return false;
    }
    memcpy(setting->value, (const char *)&scratch + param->offset, value_size(param));
    return true;
}

/* --- sections */

/* Names of the parameters below `prefix` without it: "lr", "betas", "init.file". */
static size_t section_words(const char **words, const char *prefix)
{
    size_t n_params = 0;
    size_t count = 0;
    const ag_param *params = ag_params(&n_params);
    size_t length = strlen(prefix);
    for (size_t i = 0; i < n_params && count < MAX_PARAMS; i++) {
        if (strncmp(params[i].key, prefix, length) == 0 && params[i].key[length] == '.')
            words[count++] = params[i].key + length + 1;
    }
    return count;
}

/* Notes that the parameter's value is not what the user meant. */
static void mark_broken(ag_experiment *experiment, const char *key)
{
    const ag_param *param = key != NULL ? ag_param_find(key) : NULL;
    if (param != NULL)
        experiment->param_broken[param_index(param)] = true;
}

bool ag_config_is_broken(const ag_experiment *experiment, const char *prefix)
{
    size_t count = 0;
    const ag_param *params = ag_params(&count);
    for (size_t i = 0; i < count; i++) {
        if (experiment->param_broken[i] && strncmp(params[i].key, prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

/* What a foreign word means in its section, else anywhere. */
static const char *foreign_key(const char **ours, ag_findings *findings, const char *prefix,
                               const char *word)
{
    const char *whole = ag_arena_printf(findings->arena, "%s.%s", prefix, word);
    const char *hint = whole != NULL ? ag_foreign_hint(ours, findings, AG_WORDS_KEYS, whole) : "";
    return hint[0] != '\0' ? hint : ag_foreign_hint(ours, findings, AG_WORDS_KEYS, word);
}

/* The best answer first: a word of another trainer, a near miss, the list of keys. The parameter
 * that was probably meant counts as broken, so that nothing complains of its default. */
static void unknown_key(ag_experiment *experiment, const ag_node *key, const char *prefix)
{
    ag_findings *findings = &experiment->findings;
    const char *words[MAX_PARAMS];
    const char *ours = NULL;
    size_t count = section_words(words, prefix);
    if (key->flawed)
        return;
    const char *hint = foreign_key(&ours, findings, prefix, key->text);
    const char *nearest = ag_nearest_word(key->text, words, count);
    if (hint[0] == '\0' && nearest != NULL) {
        hint = ag_config_hint(findings, key->text, words, count);
        ours = ag_arena_printf(findings->arena, "%s.%s", prefix, nearest);
    }
    mark_broken(experiment, ours);
    if (hint[0] == '\0')
        hint = ag_arena_printf(findings->arena, " ('altgrad params %.*s' lists them)",
                               (int)strcspn(prefix, "."), prefix);
    ag_config_error(findings, key->place, "section '%s' has no key '%.60s'%s", prefix, key->text,
                    hint != NULL ? hint : "");
}

static void read_section(ag_experiment *experiment, const char *prefix, const ag_node *map);

/* A key is a parameter, or a section within a section, such as model.init. */
static void read_key(ag_experiment *experiment, const char *prefix, const ag_node *key,
                     const ag_node *value)
{
    char full[KEY_SIZE];
    int length = snprintf(full, sizeof full, "%s.%s", prefix, key->text);
    const ag_param *param = ag_param_find(full);
    const char *words[MAX_PARAMS];
    if (length < KEY_SIZE && param == NULL && section_words(words, full) > 0) {
        read_section(experiment, full, value);
        return;
    }
    if (length >= KEY_SIZE || param == NULL) {
        unknown_key(experiment, key, prefix);
        return;
    }
    ag_setting setting;
    experiment->param_places[param_index(param)] = value->place;
    experiment->on_command_line[param_index(param)] = value->place.source != &experiment->file;
    if (ag_config_setting(&setting, experiment, param, value))
        ag_setting_apply(&experiment->base, &setting);
    else
        mark_broken(experiment, full);
}

static void read_section(ag_experiment *experiment, const char *prefix, const ag_node *map)
{
    if (map->kind == AG_NODE_NULL) {
        ag_config_error(&experiment->findings, map->place, "section '%s' is empty: leave it out",
                        prefix);
        return;
    }
    if (!ag_node_is(&experiment->findings, map, AG_NODE_MAP, prefix))
        return;
    for (size_t i = 0; i < map->count; i++) {
        bool is_baseline =
            strcmp(prefix, "compare") == 0 && strcmp(map->keys[i]->text, "baseline") == 0;
        if (!is_baseline)
            read_key(experiment, prefix, map->keys[i], map->items[i]);
    }
}

/* --- --set */

/* The first key of a section; NULL for a word that is none. */
static const char *first_leaf(const char *section)
{
    const char *words[MAX_PARAMS];
    bool is_section = strchr(section, '.') == NULL && section_words(words, section) > 0;
    return is_section ? words[0] : NULL;
}

ag_yaml_source *ag_config_set_source(ag_findings *findings, const char *text, size_t order)
{
    ag_yaml_source *source = ag_config_alloc(findings, 1, sizeof *source);
    if (source == NULL)
        return NULL;
    *source =
        (ag_yaml_source){"--set", ag_arena_strdup(findings->arena, text), strlen(text), order};
    return source->text != NULL ? source : NULL;
}

const char *ag_config_param_hint(ag_findings *findings, const char *key)
{
    const char *ours = NULL;
    const char *leaf = strrchr(key, '.');
    const char *nearest = ag_param_nearest(key);
    const char *hint = ag_foreign_hint(&ours, findings, AG_WORDS_KEYS, key);
    if (hint[0] == '\0' && leaf != NULL)
        hint = ag_foreign_hint(&ours, findings, AG_WORDS_KEYS, leaf + 1);
    if (hint[0] == '\0' && nearest != NULL)
        hint = ag_arena_printf(findings->arena, "; did you mean '%s'?", nearest);
    return hint != NULL ? hint : "";
}

/* The parameter of --set KEY=..., or NULL after a message with what may have been meant. */
static const ag_param *set_param(ag_findings *findings, const char *key, ag_place place)
{
    const ag_param *param = ag_param_find(key);
    if (param != NULL)
        return param;
    if (first_leaf(key) != NULL)
        ag_config_error(findings, place,
                        "--set takes one key of a section at a time, as in --set %.60s.%s=...", key,
                        first_leaf(key));
    else
        ag_config_error(findings, place,
                        "there is no parameter '%.60s'%s ('altgrad params' lists them)", key,
                        ag_config_param_hint(findings, key));
    return NULL;
}

/* Notes the place even where the value is wrong: messages about the parameter belong there. */
static void set_value(ag_experiment *experiment, const ag_param *param, const char *text,
                      ag_place place)
{
    char here[PATH_MAX];
    const char *folder = path_folder(experiment, place, here);
    text = settle_path(&experiment->findings, param, text, folder, place);
    if (text == NULL)
        return;
    experiment->param_places[param_index(param)] = place;
    experiment->on_command_line[param_index(param)] = true;
    if (ag_param_set(&experiment->base, param, text, &experiment->arena) == AG_OK)
        return;
    mark_broken(experiment, param->key);
    ag_config_failed(&experiment->findings, place);
}

/* --set KEY=VALUE: places are those within the argument, so that the caret points into it. */
static void read_set(ag_experiment *experiment, const char *text, size_t order)
{
    ag_findings *findings = &experiment->findings;
    const ag_yaml_source *source = ag_config_set_source(findings, text, order);
    if (source == NULL)
        return;
    const char *equals = strchr(source->text, '=');
    ag_place place = {source, 0, source->size};
    if (equals == NULL || equals == source->text) {
        ag_config_error(findings, place, "--set takes key=value, such as --set train.steps=100");
        return;
    }
    place.length = (size_t)(equals - source->text);
    const char *key = ag_arena_strndup(findings->arena, source->text, place.length);
    if (key == NULL)
        return;
    if (ag_config_spans_grid(key, findings)) /* it was laid over the file */
        return;
    const ag_param *param = set_param(findings, key, place);
    if (param == NULL)
        return;
    place.offset = place.length + 1;
    place.length = source->size - place.offset;
    set_value(experiment, param, equals + 1, place);
}

/* --- the file's top level */

/* "model" of "model.n_layer", into section [KEY_SIZE]. */
static void section_of(char *section, const ag_param *param)
{
    size_t length = strcspn(param->key, ".");
    memcpy(section, param->key, length);
    section[length] = '\0';
}

size_t ag_config_sections(const char *names[], size_t capacity, ag_findings *findings)
{
    size_t n_params = 0;
    const ag_param *params = ag_params(&n_params);
    size_t count = 0;
    for (size_t i = 0; i < n_params; i++) {
        char section[KEY_SIZE];
        section_of(section, &params[i]);
        if (count < capacity && (count == 0 || strcmp(names[count - 1], section) != 0)) {
            names[count] = ag_arena_strdup(findings->arena, section);
            count += names[count] != NULL;
        }
    }
    return count;
}

/* Defaults, then the file, then the command line: the last one wins. */
void ag_config_params(ag_experiment *experiment, const char *const *sets, size_t n_sets)
{
    ag_findings *findings = &experiment->findings;
    size_t n_params = 0;
    ag_params(&n_params);
    experiment->param_places = ag_config_alloc(findings, n_params, sizeof(ag_place));
    experiment->on_command_line = ag_config_alloc(findings, n_params, sizeof(bool));
    experiment->param_broken = ag_config_alloc(findings, n_params, sizeof(bool));
    if (findings->out_of_memory)
        return;
    ag_run_defaults(&experiment->base);
    for (size_t i = 0; i < experiment->root->count; i++) {
        const char *key = experiment->root->keys[i]->text;
        if (first_leaf(key) != NULL)
            read_section(experiment, key, experiment->root->items[i]);
    }
    for (size_t i = 0; i < n_sets; i++)
        read_set(experiment, sets[i], i + 1);
}
