/* `altgrad formats`: the code tables, built in or of an experiment, and the values of one. */
#include "formats_tables.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "config/experiment.h"
#include "numerics/code_table.h"
#include "wrong_file.h"

ag_status ag_formats_read_tables(const char *path)
{
    if (path == NULL)
        return AG_OK;
    AG_TRY(ag_app_expect_experiment(path));
    ag_text diagnostics;
    ag_text_init(&diagnostics);
    ag_status status = ag_experiment_tables(path, &diagnostics);
    fputs(diagnostics.data, stderr);
    ag_text_deinit(&diagnostics);
    return status;
}

/* A table of the experiment is known by its name there; results have the other. */
void ag_formats_add_tables(ag_text *out)
{
    ag_text_printf(out, "%-12s %4s %6s  %-13s  %-13s  %s\n", "TABLE", "BITS", "VALUES", "MAX",
                   "MIN MAGNITUDE", "FOLLOWS");
    size_t n_built_in;
    const ag_built_in_table *built_in = ag_element_built_ins(&n_built_in);
    const ag_code_table *table;
    for (size_t i = 0; (table = ag_element_at(i)) != NULL; i++) {
        const ag_format f = ag_element_format(table);
        bool is_own = i >= n_built_in;
        ag_text_printf(out, "%-12s %4d %6d  %-13.7g  %-13.7g  %s",
                       is_own ? ag_element_alias(table, 0) : f.name, f.bits, table->count,
                       (double)f.max, (double)f.min_subnormal,
                       is_own ? f.name : built_in[i].follows);
        const char *alias;
        for (size_t a = is_own; (alias = ag_element_alias(table, a)) != NULL; a++)
            ag_text_printf(out, "; also '%s'", alias);
        ag_text_add(out, "\n");
    }
}

/* As many to a line as a terminal shows. */
static void add_values(ag_text *out, const ag_code_table *table)
{
    enum { A_LINE = 5 };
    for (int i = 0; i < table->count; i++) {
        const char *before = i == 0            ? "values         "
                             : i % A_LINE == 0 ? "\n               "
                                               : " ";
        ag_text_printf(out, "%s%.9g", before, (double)ag_bits_float(table->value[i]));
    }
    ag_text_add(out, "\n");
}

void ag_formats_add_table(ag_text *out, const ag_format *format)
{
    const ag_code_table *table = format->table;
    ag_text_printf(out, "%-14s %s\n%-14s %d\n%-14s table of %d values\n", "name", format->name,
                   "bits", format->bits, "kind", table->count);
    ag_text_printf(out, "%-14s %.9g (%a), which scales take for the largest value\n", "max",
                   (double)table->top, (double)table->top);
    add_values(out, table);
}

const char *ag_formats_alias(const ag_format *format, size_t index)
{
    return format->table != NULL ? ag_element_alias(format->table, index)
                                 : ag_format_alias(format->name, index);
}

uint32_t ag_formats_codes(const ag_format *format)
{
    uint32_t count = 1u << format->bits;
    for (int i = 0; format->table != NULL && i < format->table->count; i++)
        count = format->table->code[i] >= count ? format->table->code[i] + 1u : count;
    return count;
}

float ag_formats_decode(const ag_format *format, uint32_t code)
{
    return format->table != NULL ? ag_table_decode(format->table, code)
                                 : ag_format_decode(format, code);
}
