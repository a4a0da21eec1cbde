/* SHA-256 (FIPS 180-4). */
#ifndef AG_RUN_DIGEST_H
#define AG_RUN_DIGEST_H

#include <stddef.h>

#include "base/status.h"
#include "run/run.h"

typedef struct ag_sha256 ag_sha256;

ag_status ag_sha256_create(ag_sha256 **out);
void ag_sha256_destroy(ag_sha256 *hash);
void ag_sha256_add(ag_sha256 *hash, const void *bytes, size_t count);

/* Writes 64 hex digits and a 0. The hash may only be destroyed afterwards. */
void ag_sha256_hex(ag_sha256 *hash, char hex[AG_DIGEST_LENGTH + 1]);

/* The digest of one block of bytes. */
ag_status ag_sha256_of(char hex[AG_DIGEST_LENGTH + 1], const void *bytes, size_t count);

#endif
