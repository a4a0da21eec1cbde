/* What the files of code tables share. */
#ifndef AG_NUMERICS_CODE_TABLE_INTERNAL_H
#define AG_NUMERICS_CODE_TABLE_INTERNAL_H

#include "numerics/code_table.h"

/* Whether two tables round alike and have the same top. */
bool ag_element_tables_equal(const ag_code_table *a, const ag_code_table *b);

/* Takes a table from malloc; *out is that which is equal to it, perhaps itself. */
ag_status ag_element_keep(const ag_code_table **out, ag_code_table *table);

#endif
