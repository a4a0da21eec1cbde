/* A cache of the facts about corpora, so that planning need not read them. One small file per
 * entry, named by the SHA-256 of what the facts depend on:
 *
 *     altgrad-facts 2 DIGEST VOCAB TRAIN VAL ENTROPY_RATE SHA-256 of the key and all before it
 *
 * An entry that is damaged, or of another version, counts as none. Training never trusts it. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data_internal.h"
#include "run/digest.h"

enum { ENTRY_MAX = 512 };

/* No tool of a user sets ctime, so that what replaces a file is seen whatever its size and date;
 * inode and device tell files of images apart, which may have one date for all. */
static bool add_file(ag_text *key, const char *path)
{
    struct stat info;
    const time_t settled = time(NULL) - 2;
    if (stat(path, &info) != 0 || info.st_mtim.tv_sec > settled || info.st_ctim.tv_sec > settled)
        return false;
    ag_text_printf(key, "%s %lld bytes %lld.%09ld %lld.%09ld %llu %llu\n", path,
                   (long long)info.st_size, (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                   (long long)info.st_ctim.tv_sec, info.st_ctim.tv_nsec,
                   (unsigned long long)info.st_ino, (unsigned long long)info.st_dev);
    return true;
}

/* The list of files is part of the key: a pattern may match more of them tomorrow. */
static bool add_token_files(ag_text *key, const ag_data_spec *spec, bool is_val)
{
    ag_token_paths paths;
    bool settled = ag_token_paths_find(&paths, spec, is_val) == AG_OK;
    if (!settled)
        ag_error_clear(); /* who opens them will tell */
    for (size_t i = 0; i < paths.count && settled; i++)
        settled = add_file(key, paths.paths[i]);
    ag_text_printf(key, "%zu files\n", paths.count);
    ag_token_paths_free(&paths);
    return settled;
}

/* Every parameter that decides tokens, and what the system knows of the files. */
bool ag_facts_cache_key(ag_text *key, const ag_data_spec *spec)
{
    bool settled = true;
    ag_text_printf(key,
                   "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "%a"
                   " %" PRId64 " %" PRId64 "\n",
                   spec->synthetic, spec->tokenizer, spec->vocab, spec->order, spec->tokens,
                   spec->seed, spec->val_fraction, spec->dtype, spec->bin_format);
    if (ag_is_set(spec->text))
        settled = add_file(key, spec->text);
    else if (ag_is_set(spec->bin) || ag_is_set(spec->bin_train))
        settled = add_token_files(key, spec, false) && add_token_files(key, spec, true);
    return settled && !key->failed;
}

/* $XDG_CACHE_HOME/altgrad, else ~/.cache/altgrad; with `create`, makes it and what is above it. */
static bool find_folder(ag_text *folder, bool create)
{
    const char *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (cache != NULL && cache[0] == '/')
        ag_text_add(folder, cache);
    else if (home != NULL && home[0] == '/')
        ag_text_printf(folder, "%s/.cache", home);
    else
        return false;
    if (create)
        (void)mkdir(folder->data, 0700);
    ag_text_add(folder, "/altgrad");
    if (create)
        (void)mkdir(folder->data, 0700);
    return !folder->failed;
}

/* The name is a part of the hash; the whole key is checked by the entry's own sum. */
static bool find_entry(ag_text *path, const ag_text *key, bool create)
{
    char hex[AG_DIGEST_LENGTH + 1];
    if (!find_folder(path, create) || ag_sha256_of(hex, key->data, key->length) != AG_OK)
        return false;
    ag_text_printf(path, "/%.32s.facts", hex);
    return !path->failed;
}

/* The check at the end of an entry: over the key and the `length` bytes before the check. */
static bool checksum(char hex[AG_DIGEST_LENGTH + 1], const ag_text *key, const char *entry,
                     size_t length)
{
    ag_sha256 *hash;
    if (ag_sha256_create(&hash) != AG_OK)
        return false;
    ag_sha256_add(hash, key->data, key->length);
    ag_sha256_add(hash, entry, length);
    ag_sha256_hex(hash, hex);
    ag_sha256_destroy(hash);
    return true;
}

static bool parse_entry(ag_known_facts *known, const ag_text *key, const char *entry)
{
    char hex[AG_DIGEST_LENGTH + 1];
    const char *check = strrchr(entry, ' ');
    if (check == NULL || !checksum(hex, key, entry, (size_t)(check - entry)) ||
        strcmp(check + 1, hex) != 0)
        return false;
    ag_data_facts *facts = &known->facts;
    return sscanf(entry, "altgrad-facts 2 %64s %" SCNd64 " %" SCNd64 " %" SCNd64 " %la",
                  facts->digest, &facts->vocab_size, &facts->train_tokens, &facts->val_tokens,
                  &known->entropy_rate) == 5;
}

bool ag_facts_cache_read(ag_known_facts *known, const ag_text *key)
{
    char entry[ENTRY_MAX] = "";
    ag_text path;
    ag_text_init(&path);
    FILE *file = find_entry(&path, key, false) ? fopen(path.data, "re") : NULL;
    ag_text_deinit(&path);
    if (file == NULL)
        return false;
    size_t length = fread(entry, 1, sizeof entry - 1, file);
    fclose(file);
    entry[length] = '\0';
    return parse_entry(known, key, entry);
}

static bool format_entry(ag_text *entry, const ag_known_facts *known, const ag_text *key)
{
    char hex[AG_DIGEST_LENGTH + 1];
    const ag_data_facts *facts = &known->facts;
    ag_text_printf(entry, "altgrad-facts 2 %s %" PRId64 " %" PRId64 " %" PRId64 " %a",
                   facts->digest, facts->vocab_size, facts->train_tokens, facts->val_tokens,
                   known->entropy_rate);
    if (!checksum(hex, key, entry->data, entry->length))
        return false;
    ag_text_printf(entry, " %s", hex);
    return !entry->failed;
}

/* A reader sees the old entry, the new one or none, never a part. */
static void replace_file(const char *path, const ag_text *entry)
{
    ag_text temporary;
    ag_text_init(&temporary);
    ag_text_printf(&temporary, "%s.XXXXXX", path);
    int file = temporary.failed ? -1 : mkstemp(temporary.data);
    if (file >= 0) {
        bool written = write(file, entry->data, entry->length) == (ssize_t)entry->length;
        written = close(file) == 0 && written;
        if (!written || rename(temporary.data, path) != 0)
            (void)unlink(temporary.data);
    }
    ag_text_deinit(&temporary);
}

void ag_facts_cache_write(const ag_known_facts *known, const ag_text *key)
{
    ag_text path;
    ag_text entry;
    ag_text_init(&path);
    ag_text_init(&entry);
    if (find_entry(&path, key, true) && format_entry(&entry, known, key))
        replace_file(path.data, &entry);
    ag_text_deinit(&entry);
    ag_text_deinit(&path);
}
