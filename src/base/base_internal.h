/* What the files of base share. */
#ifndef AG_BASE_INTERNAL_H
#define AG_BASE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

/* Columns that a character takes on a terminal: 0, 1 or 2. */
size_t ag_character_width(uint32_t character);

#endif
