/* zlib's crc32, of any length. */
#ifndef AG_BASE_CRC32_H
#define AG_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t ag_crc32(const void *bytes, size_t count);

/* Of bytes that follow those whose crc32 is `crc`; 0 where none do. */
uint32_t ag_crc32_add(uint32_t crc, const void *bytes, size_t count);

#endif
