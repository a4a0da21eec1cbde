/* `altgrad formats`: code tables, the formats that are lists of values. */
#ifndef AG_APP_FORMATS_TABLES_H
#define AG_APP_FORMATS_TABLES_H

#include <stdint.h>

#include "base/text.h"
#include "numerics/format.h"

/* The built-in tables, a line each. */
void ag_formats_add_tables(ag_text *out);

/* One of them, with its values in rising order. */
void ag_formats_add_table(ag_text *out, const ag_format *format);

/* The value of a code of any format, NaN where it is no number. */
float ag_formats_decode(const ag_format *format, uint32_t code);

#endif
