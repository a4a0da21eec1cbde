/* Which tables there are, and what they are called. Tables are few and stay; the names that an
 * experiment gives them are taken back before the next one is read. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "code_table_internal.h"
#include "numerics/recipe.h"
#include "numerics_internal.h"

enum { MOST_TABLES = 1024 };

static ag_code_table *s_tables[MOST_TABLES];
static size_t s_count;
static bool s_built; /* the built-in ones are the first */

static struct {
    char name[AG_TABLE_NAME];
    const ag_code_table *table;
} s_names[MOST_TABLES];
static size_t s_named;

static ag_status add_table(const ag_code_table **out, ag_code_table *table)
{
    for (size_t i = 0; i < s_count; i++) {
        if (!ag_element_tables_equal(s_tables[i], table))
            continue;
        free(table);
        *out = s_tables[i];
        return AG_OK;
    }
    if (s_count == MOST_TABLES) {
        free(table);
        return ag_fail(AG_ERR_INPUT, "there are more than %d tables", MOST_TABLES);
    }
    *out = s_tables[s_count++] = table;
    return AG_OK;
}

/* Built-in tables come first, so that one that is equal to them has their name. */
static ag_status build(void)
{
    size_t count;
    const ag_built_in_table *tables = ag_element_built_ins(&count);
    if (s_built)
        return AG_OK;
    s_built = true;
    for (size_t i = 0; i < count; i++) {
        ag_table_text text;
        const ag_code_table *table = NULL;
        ag_element_built_in(&text, tables[i].name);
        AG_TRY(ag_element_table(&table, &text));
        s_tables[i]->is_built_in = true;
        snprintf(s_tables[i]->name, sizeof s_tables[i]->name, "%s", tables[i].name);
    }
    return AG_OK;
}

ag_status ag_element_keep(const ag_code_table **out, ag_code_table *table)
{
    ag_status status = build();
    if (status != AG_OK) {
        free(table);
        return status;
    }
    return add_table(out, table);
}

bool ag_element_has_tables(void)
{
    size_t built_in;
    ag_element_built_ins(&built_in);
    return s_count > built_in;
}

const ag_code_table *ag_element_at(size_t index)
{
    return build() == AG_OK && index < s_count ? s_tables[index] : NULL;
}

const char *ag_element_alias(const ag_code_table *table, size_t index)
{
    for (size_t i = 0; i < s_named; i++) {
        if (s_names[i].table == table && index-- == 0)
            return s_names[i].name;
    }
    return NULL;
}

const ag_code_table *ag_element_find(const char *name)
{
    if (build() != AG_OK)
        return NULL;
    for (size_t i = 0; i < s_named; i++) {
        if (strcasecmp(s_names[i].name, name) == 0)
            return s_names[i].table;
    }
    for (size_t i = 0; i < s_count; i++) {
        if (strcasecmp(s_tables[i]->name, name) == 0)
            return s_tables[i];
    }
    return NULL;
}

static ag_status check_name(const char *name)
{
    size_t length = strlen(name);
    bool good = length > 0 && length < AG_TABLE_NAME && isalpha((unsigned char)name[0]);
    for (size_t i = 0; good && i < length; i++)
        good = isalnum((unsigned char)name[i]) || name[i] == '_' || name[i] == '-';
    if (!good)
        return ag_fail(AG_ERR_INPUT,
                       "'%.40s' is no name for a table: expected a letter and up to %d letters, "
                       "digits, - and _",
                       name, AG_TABLE_NAME - 2);
    ag_format format;
    bool is_format = ag_format_parse(&format, name) == AG_OK;
    ag_error_clear();
    if (is_format || ag_recipe_find(name) != NULL || strcasecmp(name, "none") == 0 ||
        strcasecmp(name, "null") == 0)
        return ag_fail(AG_ERR_INPUT, "'%s' is a format's name: give the table another", name);
    if (ag_element_find(name) != NULL)
        return ag_fail(AG_ERR_INPUT, "'%s' is the name of another table: give this one its own",
                       name);
    return AG_OK;
}

ag_status ag_element_define(const char *name, const ag_code_table *table)
{
    AG_TRY(check_name(name));
    if (s_named == MOST_TABLES)
        return ag_fail(AG_ERR_INPUT, "there are more than %d tables", MOST_TABLES);
    snprintf(s_names[s_named].name, sizeof s_names[s_named].name, "%s", name);
    s_names[s_named++].table = table;
    return AG_OK;
}

void ag_element_forget(void)
{
    s_named = 0;
}

/* --- as formats */

/* Significant bits below the leading one, of the value that has the most. */
static int mantissa_of(const ag_code_table *table)
{
    int most = 0;
    for (int i = 0; i < table->count; i++) {
        uint32_t fraction = table->value[i] & ((1u << FLOAT_MANTISSA) - 1);
        int bits = FLOAT_MANTISSA;
        while (bits > 0 && (fraction >> (FLOAT_MANTISSA - bits) & 1) == 0)
            bits--;
        most = bits > most ? bits : most;
    }
    return most;
}

static float least_of(const ag_code_table *table)
{
    uint32_t least = AG_INFINITE_BITS;
    for (int i = 0; i < table->count; i++) {
        uint32_t magnitude = table->value[i] & AG_MAGNITUDE_BITS;
        least = magnitude != 0 && magnitude < least ? magnitude : least;
    }
    return ag_bits_float(least);
}

static int exponent_of(float x)
{
    return (int)(ag_float_bits(x) >> FLOAT_MANTISSA) - FLOAT_BIAS;
}

ag_format ag_element_format(const ag_code_table *table)
{
    ag_format format = {.table = table, .kind = AG_KIND_F, .max = table->top};
    snprintf(format.name, sizeof format.name, "%s", table->name);
    while (1 << format.bits < table->count)
        format.bits++;
    format.mantissa = mantissa_of(table);
    format.max_bits = ag_float_bits(table->top);
    format.min_subnormal = least_of(table);
    format.emin = exponent_of(format.min_subnormal);
    format.emax = exponent_of(table->top);
    format.has_negative_zero = true;
    return format;
}

/* A misspelt table is told apart from a misspelt format by its nearest name. */
static ag_status suggest(const char *name, ag_status failed)
{
    const char *words[2 * MOST_TABLES];
    size_t count = 0;
    for (size_t i = 0; i < s_named; i++)
        words[count++] = s_names[i].name;
    for (size_t i = 0; i < s_count && s_tables[i]->is_built_in; i++)
        words[count++] = s_tables[i]->name;
    const char *nearest = ag_nearest_word(name, words, count);
    if (nearest == NULL)
        return failed;
    ag_error_clear();
    return ag_fail(AG_ERR_INPUT, "there is no format '%s'; did you mean the table '%s'?", name,
                   nearest);
}

ag_status ag_element_parse(ag_format *format, const char *name)
{
    const ag_code_table *table = ag_element_find(name);
    if (table != NULL) {
        *format = ag_element_format(table);
        return AG_OK;
    }
    ag_status status = ag_format_parse(format, name);
    return status == AG_OK ? status : suggest(name, status);
}
