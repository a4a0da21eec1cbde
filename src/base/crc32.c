/* The CRC-32 of zlib (polynomial 0x04c11db7, as in gzip and PNG), which guards pieces of results on
 * their way, notes and checkpoints against accidents. Its own function takes 32-bit lengths. */
#include "base/crc32.h"

#include <zlib.h>

uint32_t ag_crc32_add(uint32_t crc, const void *bytes, size_t count)
{
    uLong sum = crc;
    const Bytef *at = bytes;
    while (count > 0) {
        uInt part = count < (1U << 30) ? (uInt)count : 1U << 30;
        sum = crc32(sum, at, part);
        at += part;
        count -= part;
    }
    return (uint32_t)sum;
}

uint32_t ag_crc32(const void *bytes, size_t count)
{
    return ag_crc32_add(0, bytes, count);
}
