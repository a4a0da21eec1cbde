/* `altgrad formats`: code tables, the formats that are lists of values. */
#ifndef AG_APP_FORMATS_TABLES_H
#define AG_APP_FORMATS_TABLES_H

#include <stdint.h>

#include "base/status.h"
#include "base/text.h"
#include "numerics/format.h"

/* Makes the code tables of an experiment file known, if one is named; what its reader has to say
 * goes to standard error. NULL: none. */
ag_status ag_formats_read_tables(const char *path);

/* The tables, a line each. */
void ag_formats_add_tables(ag_text *out);

/* One of them, with its values in rising order. */
void ag_formats_add_table(ag_text *out, const ag_format *format);

/* The `index`-th other name of a format, that of a table in the experiment included, or NULL. */
const char *ag_formats_alias(const ag_format *format, size_t index);

/* How many codes there are to list: those beyond the last of a table with a number have none. */
uint32_t ag_formats_codes(const ag_format *format);

/* The value of a code of any format, NaN where it is no number. */
float ag_formats_decode(const ag_format *format, uint32_t code);

#endif
