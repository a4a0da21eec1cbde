/* `tables`: element formats that are lists of values, by name. They are read before the formats
 * that name them:
 *
 *   tables: {NAME: {values: [..] or a built-in name, or file: PATH, ties: even, bounds: [..], top:
 * 1}}
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "config_internal.h"
#include "numerics/code_table.h"

enum { FILE_BYTES = 32768 }; /* of a table: 128 for each number */

/* A float32 that is finite. */
static bool read_number(float *out, const char *text)
{
    char *end = NULL;
    *out = strtof(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

static bool number_of(float *out, ag_findings *findings, const ag_node *node, const char *what)
{
    if (node->kind == AG_NODE_SCALAR && read_number(out, node->text))
        return true;
    if (node->kind == AG_NODE_SCALAR)
        ag_config_error(findings, node->place,
                        "%s: '%.40s' is no number that float32 holds: expected one such as 0.25",
                        what, node->text);
    else
        ag_config_error(findings, node->place, "%s: expected a number%s", what,
                        node->kind == AG_NODE_NULL ? ", not null, which is for values" : "");
    return false;
}

static bool has_room(ag_findings *findings, ag_place place, const char *what, size_t count)
{
    if (count >= 1 && count <= AG_TABLE_CODES)
        return true;
    ag_config_error(findings, place, "%s: %zu numbers, but a table has 2 to %d values", what, count,
                    AG_TABLE_CODES);
    return false;
}

static void refuse_name(ag_findings *findings, const ag_node *node, const char *name)
{
    size_t count;
    const ag_built_in_table *tables = ag_element_built_ins(&count);
    ag_text names;
    ag_text_init(&names);
    for (size_t i = 0; i < count; i++)
        ag_text_printf(&names, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", tables[i].name);
    ag_config_error(findings, node->place,
                    "values: '%.60s' is no built-in table; expected a list of numbers, or %s", name,
                    names.data);
    ag_text_deinit(&names);
}

/* A list by code, null where a code is no number; or the name of a built-in table, whose ties and
 * bounds come with its values. */
static bool read_values(ag_table_text *text, ag_findings *findings, const ag_node *node)
{
    const char *name = NULL;
    if (node->kind != AG_NODE_LIST) {
        if (!ag_node_text(&name, findings, node, "values"))
            return false;
        if (ag_element_built_in(text, name))
            return true;
        refuse_name(findings, node, name);
        return false;
    }
    if (!has_room(findings, node->place, "values", node->count))
        return false;
    for (size_t i = 0; i < node->count; i++) {
        text->value[i] = NAN;
        if (node->items[i]->kind != AG_NODE_NULL &&
            !number_of(&text->value[i], findings, node->items[i], "values"))
            return false;
    }
    text->n_codes = (int)node->count;
    return true;
}

/* The words of a file, which is cut at what stands between them: values by code, null or - where a
 * code is no number; # begins a comment. */
static bool read_words(ag_table_text *text, ag_findings *findings, ag_place place, char *words)
{
    char *next = NULL;
    for (char *comment = words; (comment = strchr(comment, '#')) != NULL;)
        memset(comment, ' ', strcspn(comment, "\n"));
    for (char *word = strtok_r(words, " \t\r\n,", &next); word != NULL;
         word = strtok_r(NULL, " \t\r\n,", &next)) {
        float value = NAN;
        bool is_null = strcmp(word, "null") == 0 || strcmp(word, "-") == 0;
        if (text->n_codes == AG_TABLE_CODES) {
            ag_config_error(findings, place, "the file has more than %d values", AG_TABLE_CODES);
            return false;
        }
        if (!is_null && !read_number(&value, word)) {
            ag_config_error(findings, place,
                            "value %d of the file (counted from 0), '%.40s', is no number that "
                            "float32 holds: expected numbers by code, and null for codes that "
                            "are none",
                            text->n_codes, word);
            return false;
        }
        text->value[text->n_codes++] = value;
    }
    return true;
}

static ag_status read_bytes(char words[FILE_BYTES], const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return ag_fail(AG_ERR_INPUT, "cannot open the table %s: %s", path, strerror(errno));
    size_t count = fread(words, 1, FILE_BYTES - 1, file);
    ag_status status = AG_OK;
    if (ferror(file) != 0)
        status = ag_fail(AG_ERR_INPUT, "cannot read the table %s: %s", path, strerror(errno));
    else if (count == FILE_BYTES - 1 || memchr(words, 0, count) != NULL)
        status = ag_fail(AG_ERR_INPUT, "%s is no table: expected a text of 2 to %d numbers", path,
                         AG_TABLE_CODES);
    words[count] = '\0';
    (void)fclose(file);
    return status;
}

static bool read_file(ag_table_text *text, ag_experiment *experiment, const ag_node *node)
{
    ag_findings *findings = &experiment->findings;
    const char *path = NULL;
    if (!ag_node_text(&path, findings, node, "file"))
        return false;
    if (ag_path_expand(&path, path, findings->arena) != AG_OK) {
        ag_config_failed(findings, node->place);
        return false;
    }
    path = ag_path_after(experiment->folder, path, false, findings->arena);
    findings->out_of_memory |= path == NULL;
    if (path == NULL)
        return false;
    char words[FILE_BYTES];
    if (read_bytes(words, path) != AG_OK) {
        ag_config_failed(findings, node->place);
        return false;
    }
    return read_words(text, findings, node->place, words);
}

static bool read_bounds(ag_table_text *text, ag_findings *findings, const ag_node *node)
{
    if (!ag_node_is(findings, node, AG_NODE_LIST, "bounds") ||
        !has_room(findings, node->place, "bounds", node->count))
        return false;
    for (size_t i = 0; i < node->count; i++) {
        if (!number_of(&text->bound[i], findings, node->items[i], "bounds"))
            return false;
    }
    text->n_bounds = (int)node->count;
    return true;
}

/* The values first: a built-in table brings ties and bounds, which the other keys change. */
static bool read_text(ag_table_text *text, ag_experiment *experiment, const ag_node *map)
{
    ag_findings *findings = &experiment->findings;
    const ag_node *values = ag_node_get(map, "values");
    const ag_node *file = ag_node_get(map, "file");
    const ag_node *part;
    int ties = 0;
    if ((values != NULL) == (file != NULL)) {
        ag_config_error(findings, map->place, "a table has either 'values' or 'file'");
        return false;
    }
    bool good =
        values != NULL ? read_values(text, findings, values) : read_file(text, experiment, file);
    if ((part = ag_node_get(map, "ties")) != NULL) {
        good &= ag_node_word(&ties, findings, part, "ties", ag_ties_words, AG_TABLE_TIES);
        text->ties = (ag_table_ties)ties;
    }
    if ((part = ag_node_get(map, "bounds")) != NULL)
        good &= read_bounds(text, findings, part);
    if ((part = ag_node_get(map, "top")) == NULL)
        return good;
    if (!number_of(&text->top, findings, part, "top"))
        return false;
    if (text->top <= 0.0f)
        ag_config_error(findings, part->place, "top is %g: expected a number above 0",
                        (double)text->top);
    return good && text->top > 0.0f;
}

static void read_table(ag_experiment *experiment, const ag_node *name, const ag_node *map)
{
    static const char *const keys[] = {"values", "file", "ties", "bounds", "top"};
    ag_findings *findings = &experiment->findings;
    ag_table_text text = {0};
    const ag_code_table *table = NULL;
    if (!ag_node_is(findings, map, AG_NODE_MAP, "a table"))
        return;
    ag_node_check_keys(findings, map, keys, sizeof keys / sizeof keys[0], "a table");
    if (!read_text(&text, experiment, map))
        return;
    const ag_node *bounds = ag_node_get(map, "bounds");
    const ag_node *values = ag_node_get(map, "values");
    ag_place place = bounds != NULL ? bounds->place : values != NULL ? values->place : map->place;
    if (ag_element_table(&table, &text) != AG_OK)
        ag_config_failed(findings, place);
    else if (ag_element_define(name->text, table) != AG_OK)
        ag_config_failed(findings, name->place);
}

void ag_config_code_tables(ag_experiment *experiment)
{
    const ag_node *map = ag_node_get(experiment->root, "tables");
    ag_element_forget();
    if (map == NULL || !ag_node_is(&experiment->findings, map, AG_NODE_MAP, "tables"))
        return;
    for (size_t i = 0; i < map->count && !ag_config_full(&experiment->findings); i++)
        read_table(experiment, map->keys[i], map->items[i]);
}
