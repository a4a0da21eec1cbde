/* --set of a key that spans the grid (seeds, formats, axes.NAME, ...): its value is YAML and takes
 * the place of the file's, before anything is read. Parameters of a run are set in sections.c. */
#include <string.h>

#include "base/printable.h"
#include "config_internal.h"

enum { DEEPEST = 4 }; /* model.init.where.AXIS */

/* What comes of "axes.optimizer.lr=[1, 2]". */
typedef struct entry {
    size_t depth;
    const char *path[DEEPEST]; /* "axes", "optimizer.lr" */
    ag_place place;            /* of the key */
    const ag_node *value;
} entry;

static bool begins_with(const char *key, const char *start)
{
    return strncmp(key, start, strlen(start)) == 0;
}

/* Splits a key where what follows is a name, which may have dots itself. */
static bool split(entry *e, const char *key, ag_findings *findings)
{
    static const char *const whole[] = {"name", "formats", "layer_configs", "seeds",
                                        "axes", "exclude", "include"};
    static const char *const named[] = {"axes.", "layer_configs."};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        if (strcmp(key, whole[i]) == 0)
            *e = (entry){.depth = 1, .path = {whole[i]}};
    }
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        size_t length = strlen(named[i]);
        if (begins_with(key, named[i]) && key[length] != '\0')
            *e = (entry){
                .depth = 2,
                .path = {ag_arena_strndup(findings->arena, named[i], length - 1), key + length}
            };
    }
    if (strcmp(key, "model.init.where") == 0)
        *e = (entry){
            .depth = 3, .path = {"model", "init", "where"}
        };
    else if (begins_with(key, "model.init.where.") && key[strlen("model.init.where.")] != '\0')
        *e = (entry){
            .depth = 4, .path = {"model", "init", "where", key + strlen("model.init.where.")}
        };
    else if (strcmp(key, "compare.baseline") == 0)
        *e = (entry){
            .depth = 2, .path = {"compare", "baseline"}
        };
    else if (begins_with(key, "compare.baseline.") && key[strlen("compare.baseline.")] != '\0')
        *e = (entry){
            .depth = 3, .path = {"compare", "baseline", key + strlen("compare.baseline.")}
        };
    return e->depth > 0;
}

bool ag_config_spans_grid(const char *key, ag_findings *findings)
{
    entry e = {0};
    return split(&e, key, findings);
}

/* A copy of `map` (NULL: an empty one) in which `key` has this value. A copy, because nodes may be
 * shared by aliases. */
static const ag_node *with_entry(ag_findings *findings, const ag_node *map, const ag_node *key,
                                 const ag_node *value)
{
    ag_node *copy = ag_config_alloc(findings, 1, sizeof *copy);
    size_t count = map != NULL ? map->count : 0;
    const ag_node **keys = ag_config_alloc(findings, count + 1, sizeof(const ag_node *));
    const ag_node **items = ag_config_alloc(findings, count + 1, sizeof(const ag_node *));
    if (findings->out_of_memory)
        return NULL;
    *copy = map != NULL ? *map : (ag_node){.kind = AG_NODE_MAP, .place = key->place, .text = ""};
    size_t at = count;
    for (size_t i = 0; i < count; i++) {
        keys[i] = map->keys[i];
        items[i] = map->items[i];
        at = strcmp(keys[i]->text, key->text) == 0 ? i : at;
    }
    keys[at] = key;
    items[at] = value;
    copy->count = at == count ? count + 1 : count;
    copy->keys = keys;
    copy->items = items;
    return copy;
}

/* Lays the value over `map`, from level `level` of its path on. What is no mapping in the file
 * stays, for the message about it. */
static const ag_node *lay_over(ag_findings *findings, const ag_node *map, const entry *e,
                               size_t level)
{
    if (level == e->depth)
        return e->value;
    if (map != NULL && map->kind != AG_NODE_MAP)
        return map;
    ag_node *key = ag_config_alloc(findings, 1, sizeof *key);
    if (key == NULL)
        return NULL;
    *key =
        (ag_node){.kind = AG_NODE_SCALAR, .place = e->place, .text = e->path[level], .weight = 1};
    const ag_node *below = map != NULL ? ag_node_get(map, key->text) : NULL;
    const ag_node *value = lay_over(findings, below, e, level + 1);
    return value != NULL ? with_entry(findings, map, key, value) : NULL;
}

/* The value after `start` bytes of the source. While it is parsed the key before it is replaced by
 * spaces, so that places are those of the whole text and messages show it whole. */
static const ag_node *parse_value(ag_yaml_source *source, size_t start, ag_findings *findings)
{
    const char *text = source->text;
    char *blank = ag_arena_strdup(findings->arena, text);
    ag_node *empty = ag_config_alloc(findings, 1, sizeof *empty);
    size_t errors = findings->errors;
    if (blank == NULL || empty == NULL)
        return NULL;
    memset(blank, ' ', start);
    source->text = blank;
    const ag_node *value = ag_yaml_parse(source, findings);
    source->text = text;
    if (value != NULL || findings->errors > errors)
        return value;
    *empty = (ag_node){
        .kind = AG_NODE_NULL, .place = {source, 0, start},
             .text = "", .weight = 1
    };
    return empty;
}

/* Names go where they are not checked again, and the parser of YAML takes UTF-8 alone. */
static bool check_text(const entry *e, ag_findings *findings)
{
    const ag_yaml_source *source = e->place.source;
    uint32_t character = 0;
    if (ag_find_control(e->path[e->depth - 1]) != NULL) {
        ag_config_error(findings, e->place, "the key holds control characters: leave them out");
        return false;
    }
    for (size_t i = 0, length; i < source->size; i += length) {
        length = ag_utf8_read(&character, source->text + i, source->size - i);
        if (length == 0) {
            ag_config_error(findings, e->place, "byte %zu (0x%02x) is not UTF-8", i,
                            (unsigned char)source->text[i]);
            return false;
        }
    }
    return true;
}

/* A key that is no such key is left to sections.c. */
static void overlay(ag_experiment *experiment, const char *set, size_t order)
{
    ag_findings *findings = &experiment->findings;
    size_t length = strcspn(set, "=");
    entry e = {0};
    const char *key = ag_arena_strndup(findings->arena, set, length);
    if (key == NULL || set[length] == '\0' || !split(&e, key, findings))
        return;
    ag_yaml_source *source = ag_config_set_source(findings, set, order);
    if (source == NULL)
        return;
    e.place = (ag_place){source, 0, length};
    if (!check_text(&e, findings))
        return;
    e.value = parse_value(source, length + 1, findings);
    const ag_node *root = e.value != NULL ? lay_over(findings, experiment->root, &e, 0) : NULL;
    if (root != NULL)
        experiment->root = root;
}

/* In the order of the command line: a later --set wins. */
void ag_config_overlay(ag_experiment *experiment, const char *const *sets, size_t n_sets)
{
    for (size_t i = 0; i < n_sets; i++)
        overlay(experiment, sets[i], i + 1);
}
