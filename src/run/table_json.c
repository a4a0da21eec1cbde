/* The code tables of a run that are not built in, as JSON: what the formats "table-..." of its
 * schemes are. {"table-0123456789abcdef": {"from": "..", "top": "..", "values": ".."}}, each table
 * once, by name; numbers are bits of float32; "from" has the smallest that goes to each value but
 * the first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "numerics/code_table.h"
#include "params_internal.h"
#include "run/layers.h"
#include "run/phases.h"
#include "run/run_json.h"
#include "run/sites.h"

enum { MOST_TABLES = 256 }; /* of one run */

typedef struct used {
    const ag_code_table *tables[MOST_TABLES];
    size_t count;
} used;

static void add_used(used *all, const ag_scheme *scheme)
{
    const ag_code_table *table = scheme->quantised ? scheme->format.table : NULL;
    if (table == NULL || table->is_built_in)
        return;
    for (size_t i = 0; i < all->count; i++) {
        if (all->tables[i] == table)
            return;
    }
    if (all->count < MOST_TABLES)
        all->tables[all->count++] = table;
}

static void add_rows(used *all, const ag_layer_precision *rows, size_t count)
{
    for (size_t i = 0; rows != NULL && i < count; i++) {
        for (int j = 0; j < AG_ROLES * AG_USES; j++)
            add_used(all, &rows[i].scheme[j / AG_USES][j % AG_USES]);
    }
}

static int by_name(const void *a, const void *b)
{
    const ag_code_table *const *x = a;
    const ag_code_table *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void find_used(used *all, const ag_run *run)
{
    for (size_t phase = 0; phase < ag_phase_count(run); phase++) {
        ag_phase in = ag_phase_of(run, phase);
        add_rows(all, in.layers, ag_layer_count(&run->model));
        add_rows(all, in.sites, ag_site_count(&run->model));
    }
    qsort(all->tables, all->count, sizeof(const ag_code_table *), by_name);
}

/* As words of 8 hexadecimal digits: exact, and no integer that readers of JSON refuse. */
static void add_numbers(ag_text *text, const char *name, const uint32_t *bits, int count)
{
    ag_text_add(text, name);
    for (int i = 0; i < count; i++)
        ag_text_printf(text, "%s%08" PRIx32, i == 0 ? ":\"" : " ", bits[i]);
    ag_text_add(text, "\"");
}

void ag_run_tables_to_json(ag_text *text, const ag_run *run)
{
    used all = {.count = 0};
    if (!ag_element_has_tables())
        return;
    find_used(&all, run);
    for (size_t i = 0; i < all.count; i++) {
        const ag_code_table *table = all.tables[i];
        const uint32_t top = ag_float_bits(table->top);
        ag_json_add_word(text, i == 0 ? "\"tables\":{" : ",", table->name);
        add_numbers(text, ":{\"from\"", table->nearest.from, table->count - 1);
        add_numbers(text, ",\"top\"", &top, 1);
        add_numbers(text, ",\"values\"", table->value, table->count);
        ag_text_add(text, "}");
    }
    ag_text_add(text, all.count > 0 ? "}," : "");
}

/* --- reading */

static ag_status read_numbers(float numbers[AG_TABLE_CODES], int *count, ag_json_at at,
                              const char *key)
{
    const char *words = json_string_value(json_object_get(at.object, key));
    int length = 0;
    *count = 0;
    for (; words != NULL && *words != '\0'; words += length) {
        uint32_t bits;
        length = 0;
        sscanf(words, "%8" SCNx32 "%n", &bits, &length);
        if (length != 8 || *count == AG_TABLE_CODES)
            break;
        memcpy(&numbers[(*count)++], &bits, sizeof bits);
        length += words[length] == ' ';
    }
    if (words == NULL || *words != '\0')
        return ag_fail(AG_ERR_INPUT,
                       "%s.%s: expected up to %d float32 numbers of 8 hexadecimal digits", at.path,
                       key, AG_TABLE_CODES);
    return AG_OK;
}

static ag_status read_table(ag_json_at at, const char *name)
{
    static const char *const known[] = {"from", "top", "values", NULL};
    float values[AG_TABLE_CODES];
    float from[AG_TABLE_CODES];
    float top[AG_TABLE_CODES];
    int n_top = 0;
    int n_values = 0;
    int n_from = 0;
    const ag_code_table *table = NULL;
    AG_TRY(ag_json_known(at, known));
    AG_TRY(read_numbers(values, &n_values, at, "values"));
    AG_TRY(read_numbers(from, &n_from, at, "from"));
    if (n_from + 1 != n_values)
        return ag_fail(AG_ERR_INPUT, "%s.from: expected one number fewer than values", at.path);
    AG_TRY(read_numbers(top, &n_top, at, "top"));
    if (n_top != 1)
        return ag_fail(AG_ERR_INPUT, "%s.top: expected one number", at.path);
    AG_TRY(ag_element_table_resolved(&table, n_values, values, from, top[0]));
    if (strcmp(table->name, name) != 0)
        return ag_fail(AG_ERR_INPUT, "%s: these values are the table %s", at.path, table->name);
    return AG_OK;
}

ag_status ag_run_tables_from_json(ag_json_at at)
{
    json_t *tables = json_object_get(at.object, "tables");
    const char *name;
    json_t *value;
    if (tables != NULL && !json_is_object(tables))
        return ag_fail(AG_ERR_INPUT, "%s.tables: expected an object", at.path);
    json_object_foreach(tables, name, value)
    {
        char path[AG_KEY_PATH_SIZE];
        snprintf(path, sizeof path, "%s.tables.%.40s", at.path, name);
        AG_TRY(read_table((ag_json_at){value, path}, name));
    }
    return AG_OK;
}
