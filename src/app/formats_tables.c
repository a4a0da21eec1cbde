/* `altgrad formats`: the built-in code tables, and the values of one. */
#include "formats_tables.h"

#include <math.h>
#include <string.h>

#include "base/bits.h"
#include "numerics/code_table.h"

void ag_formats_add_tables(ag_text *out)
{
    ag_text_printf(out, "%-12s %4s %6s  %-13s  %-13s  %s\n", "TABLE", "BITS", "VALUES", "MAX",
                   "MIN MAGNITUDE", "FOLLOWS");
    size_t count;
    const ag_built_in_table *tables = ag_element_built_ins(&count);
    for (size_t i = 0; i < count; i++) {
        const ag_code_table *table = ag_element_find(tables[i].name);
        const ag_format f = ag_element_format(table);
        ag_text_printf(out, "%-12s %4d %6d  %-13.7g  %-13.7g  %s\n", f.name, f.bits, table->count,
                       (double)f.max, (double)f.min_subnormal, tables[i].follows);
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

float ag_formats_decode(const ag_format *format, uint32_t code)
{
    return format->table != NULL ? ag_table_decode(format->table, code)
                                 : ag_format_decode(format, code);
}
