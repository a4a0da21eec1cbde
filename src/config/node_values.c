/* Typed values out of nodes. What a key expects comes from its reader, never from how YAML would
 * guess the value: in YAML 1.1 `no` is a truth value and 1_000 a number, and whoever names a format
 * or a run so must get a text.
 *
 * Each reader says what it expected and what it found, under the name that it is given for the key,
 * and returns false: the caller then leaves its value alone and goes on. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nodes.h"

/* Mappings of people have few keys, and keys are unique (yaml_tree.c): the first is the one. */
const ag_node *ag_node_get(const ag_node *map, const char *key)
{
    for (size_t i = 0; i < map->count && map->kind == AG_NODE_MAP; i++) {
        if (strcmp(map->keys[i]->text, key) == 0)
            return map->items[i];
    }
    return NULL;
}

static const char *const s_kinds[] = {
    [AG_NODE_NULL] = "nothing",
    [AG_NODE_SCALAR] = "a single value",
    [AG_NODE_LIST] = "a list",
    [AG_NODE_MAP] = "a mapping of keys to values",
};

/* Says both what is expected and what is there. */
bool ag_node_is(ag_findings *findings, const ag_node *node, ag_node_kind kind, const char *what)
{
    if (node->kind != kind)
        ag_config_error(findings, node->place, "%s: expected %s, found %s", what, s_kinds[kind],
                        s_kinds[node->kind]);
    return node->kind == kind;
}

static bool is_word_of(const char *text, const char *const *words, size_t n_words)
{
    for (size_t i = 0; i < n_words; i++) {
        if (strcmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

/* The best answer first: a word of another trainer, a near miss, all keys. */
void ag_node_check_words(ag_findings *findings, const ag_node *map, const char *const *words,
                         size_t n_words, const char *what, ag_foreign_list list)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->keys[i]->text;
        const char *ours = NULL;
        if (map->keys[i]->flawed || is_word_of(key, words, n_words))
            continue;
        const char *hint = ag_foreign_hint(&ours, findings, list, key);
        if (hint[0] == '\0')
            hint = ag_config_hint(findings, key, words, n_words);
        if (hint[0] == '\0')
            hint = ag_arena_printf(findings->arena, " (its keys are %s)",
                                   ag_config_listed(findings, words, n_words));
        ag_config_error(findings, map->keys[i]->place, "%s has no key '%.100s'%s", what, key,
                        hint != NULL ? hint : "");
    }
}

void ag_node_check_keys(ag_findings *findings, const ag_node *map, const char *const *words,
                        size_t n_words, const char *what)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *key = map->keys[i]->text;
        if (!map->keys[i]->flawed && !is_word_of(key, words, n_words))
            ag_config_error(findings, map->keys[i]->place, "%s has no key '%.100s'%s", what, key,
                            ag_config_hint(findings, key, words, n_words));
    }
}

/* Null and an empty text are one mistake: a key without a value. */
bool ag_node_text(const char **out, ag_findings *findings, const ag_node *node, const char *what)
{
    if (node->kind == AG_NODE_NULL || (node->kind == AG_NODE_SCALAR && node->text[0] == '\0')) {
        ag_config_error(findings, node->place, "%s is empty", what);
        return false;
    }
    if (!ag_node_is(findings, node, AG_NODE_SCALAR, what) || node->flawed)
        return false;
    *out = node->text;
    return true;
}

/* A name becomes a label, a column, part of a file name; what pandas would take for a missing value
 * is none. */
bool ag_node_name(const char **out, ag_findings *findings, const ag_node *node, const char *what)
{
    if (!ag_node_text(out, findings, node, what))
        return false;
    if (strcmp(*out, "nan") == 0) {
        ag_config_error(findings, node->place,
                        "%s cannot be 'nan', which pandas reads from a table as a missing value: "
                        "take another, such as 'NaN' or 'nan_'",
                        what);
        return false;
    }
    if (strlen(*out) <= AG_MAX_NAME)
        return true;
    ag_config_error(findings, node->place, "%s has %zu bytes; a name has at most %d", what,
                    strlen(*out), AG_MAX_NAME);
    return false;
}

/* A sign and digits, nothing else: 1e3 and 0x10 are no whole numbers here. */
bool ag_node_int(int64_t *out, ag_findings *findings, const ag_node *node, const char *what)
{
    const char *text = NULL;
    if (!ag_node_text(&text, findings, node, what))
        return false;
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    const char *digits = text + (*text == '-' || *text == '+');
    if (errno != 0 || *end != '\0' || *digits < '0' || *digits > '9') {
        ag_config_error(findings, node->place, "%s: '%.60s' is not a whole number", what, text);
        return false;
    }
    *out = value;
    return true;
}

bool ag_node_int_within(int *out, ag_findings *findings, const ag_node *node, const char *what,
                        int least, int most)
{
    int64_t value = 0;
    if (!ag_node_int(&value, findings, node, what))
        return false;
    if (value < least || value > most) {
        ag_config_error(findings, node->place, "%s: %lld is out of range: expected %d to %d", what,
                        (long long)value, least, most);
        return false;
    }
    *out = (int)value;
    return true;
}

/* ag_bool_read knows which words are truth values, here as with --set. */
bool ag_node_bool(bool *out, ag_findings *findings, const ag_node *node, const char *what)
{
    const char *text = NULL;
    if (!ag_node_text(&text, findings, node, what))
        return false;
    if (ag_bool_read(out, text))
        return true;
    ag_config_error(findings, node->place,
                    "%s: '%.60s' is not valid: expected true or false (yes, no, on and off are "
                    "words)",
                    what, text);
    return false;
}

/* The message lists all words, since there are never many. */
bool ag_node_word(int *out, ag_findings *findings, const ag_node *node, const char *what,
                  const char *const *words, size_t n_words)
{
    const char *text = NULL;
    if (!ag_node_text(&text, findings, node, what))
        return false;
    for (size_t i = 0; i < n_words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *out = (int)i;
            return true;
        }
    }
    ag_text list;
    ag_text_init(&list);
    for (size_t i = 0; i < n_words; i++)
        ag_text_printf(&list, "%s%s", i == 0 ? "" : i + 1 < n_words ? ", " : " or ", words[i]);
    ag_config_error(findings, node->place, "%s: '%.60s' is not valid: expected %s", what, text,
                    list.data);
    ag_text_deinit(&list);
    return false;
}

/* "[a, b]", as ag_param_set reads a list. */
static const char *list_text(ag_findings *findings, const ag_node *node, const ag_param *param)
{
    ag_text text;
    ag_text_init(&text);
    ag_text_add(&text, "[");
    for (size_t i = 0; i < node->count; i++) {
        if (!ag_node_is(findings, node->items[i], AG_NODE_SCALAR, param->key))
            break;
        ag_text_printf(&text, "%s%s", i > 0 ? ", " : "", node->items[i]->text);
    }
    ag_text_add(&text, "]");
    const char *copy = ag_arena_strdup(findings->arena, text.data);
    findings->out_of_memory |= copy == NULL;
    ag_text_deinit(&text);
    return copy;
}

/* A parameter is parsed by its own table; here only what YAML adds to its text: null and lists. */
const char *ag_node_param_text(ag_findings *findings, const ag_node *node, const ag_param *param)
{
    bool takes_none = param->type == AG_PARAM_DURATION || param->type == AG_PARAM_BYTES;
    bool takes_empty = param->type == AG_PARAM_TEXT;
    if (node->kind == AG_NODE_NULL && takes_none)
        return "none";
    if (takes_empty && (node->kind == AG_NODE_NULL || node->text[0] == '\0') && node->count == 0)
        return "";
    if (node->kind == AG_NODE_LIST && ag_param_takes_list(param))
        return list_text(findings, node, param);
    const char *text = NULL;
    return ag_node_text(&text, findings, node, param->key) ? text : NULL;
}
