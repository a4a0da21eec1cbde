/* SHA-256 by libcrypto. Ids and digests are compared between machines and years, so the hash is one
 * that every tool has: `sha256sum` gives the same. */
#include "run/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum { HASH_BYTES = AG_DIGEST_LENGTH / 2 };

struct ag_sha256 {
    EVP_MD_CTX *context;
};

/* Lower case, as sha256sum prints it: ids are compared as texts. */
static void write_hex(char hex[AG_DIGEST_LENGTH + 1], const unsigned char hash[HASH_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_BYTES; i++) {
        hex[2 * i] = digits[hash[i] >> 4];
        hex[2 * i + 1] = digits[hash[i] & 15];
    }
    hex[AG_DIGEST_LENGTH] = '\0';
}

ag_status ag_sha256_create(ag_sha256 **out)
{
    ag_sha256 *hash = calloc(1, sizeof *hash);
    if (hash == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    hash->context = EVP_MD_CTX_new();
    if (hash->context == NULL || EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1) {
        ag_sha256_destroy(hash);
        return ag_fail(AG_ERR_SYSTEM, "libcrypto offers no SHA-256");
    }
    *out = hash;
    return AG_OK;
}

void ag_sha256_destroy(ag_sha256 *hash)
{
    if (hash == NULL)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

/* Once started, SHA-256 is arithmetic on memory that is there: update and final cannot fail. So
 * callers that hash in a loop need no error path. */
void ag_sha256_add(ag_sha256 *hash, const void *bytes, size_t count)
{
    (void)EVP_DigestUpdate(hash->context, bytes, count);
}

void ag_sha256_hex(ag_sha256 *hash, char hex[AG_DIGEST_LENGTH + 1])
{
    unsigned char bytes[HASH_BYTES] = {0};
    (void)EVP_DigestFinal_ex(hash->context, bytes, NULL);
    write_hex(hex, bytes);
}

ag_status ag_sha256_of(char hex[AG_DIGEST_LENGTH + 1], const void *bytes, size_t count)
{
    unsigned char hash[HASH_BYTES];
    if (EVP_Digest(bytes, count, hash, NULL, EVP_sha256(), NULL) != 1)
        return ag_fail(AG_ERR_SYSTEM, "libcrypto offers no SHA-256");
    write_hex(hex, hash);
    return AG_OK;
}
