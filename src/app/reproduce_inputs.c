/* Whether what a run was trained on is still there. To altgrad-train these are data other than the
 * planned ones; to somebody who repeats a run they are lost, and a copy may be found. */
#include <stdio.h>
#include <string.h>

#include "data/corpus.h"
#include "init_digest.h"
#include "reproduce.h"
#include "start_read.h"

/* Paths are long; the message of ag_fail holds 2 KiB. */
enum { TEXT_SIZE = 1500 };

/* What is wrong with the path of `key`; in hand is the error of reading it, unless `found` says
 * what was read. A reader's own message is better than ours: it names the byte or the line. */
static void describe(char text[TEXT_SIZE], const char *key, const char *path, const char *found)
{
    if (ag_error_message()[0] != '\0')
        snprintf(text, TEXT_SIZE, "%s", ag_error_message());
    else
        snprintf(text, TEXT_SIZE, "%s '%s': not what this run was trained on, but %s", key, path,
                 found);
    ag_error_clear();
}

/* --- data */

/* Facts that somebody can compare: "the file is another" would not help. */
static void count(char text[200], const ag_data_facts *facts)
{
    snprintf(text, 200, "%lld training and %lld validation tokens of %lld symbols, digest %.12s",
             (long long)facts->train_tokens, (long long)facts->val_tokens,
             (long long)facts->vocab_size, facts->digest);
}

static bool are_same(const ag_data_facts *a, const ag_data_facts *b)
{
    return strcmp(a->digest, b->digest) == 0 && a->vocab_size == b->vocab_size &&
           a->train_tokens == b->train_tokens && a->val_tokens == b->val_tokens;
}

static ag_status lack_file(const char *key, const char *wrong, const char *expected,
                           const char *them)
{
    return ag_fail(AG_ERR_INPUT,
                   "%s\n    expected %s: put %s back, or '--set %s=PATH' says where a copy is",
                   wrong, expected, them, key);
}

/* A synthetic corpus cannot be put back: it is made by the program, and only another program makes
 * another. */
static ag_status lack_data(const ag_repeat *repeat, const char *key, const char *wrong)
{
    char expected[200];
    count(expected, &repeat->run.facts);
    if (strcmp(key, "data.synthetic") == 0)
        return ag_fail(AG_ERR_INPUT,
                       "%s\n    expected %s: altgrad %s made them from the data.* that are stored",
                       wrong, expected, repeat->stored.build);
    return lack_file(key, wrong, expected, "them");
}

/* The key that names the data, and what it says. */
static const char *find_source(const char **place, const ag_data_spec *data)
{
    const struct {
        const char *key;
        const char *path;
    } sources[] = {
        {"data.text",      data->text     },
        {"data.bin",       data->bin      },
        {"data.bin_train", data->bin_train},
    };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (sources[i].path[0] == '\0')
            continue;
        *place = sources[i].path;
        return sources[i].key;
    }
    return "data.synthetic";
}

/* Read anew, whole: the digest is over every token. */
static ag_status check_data(const ag_repeat *repeat)
{
    const ag_data_spec *data = &repeat->run.data;
    const char *place = "markov";
    const char *key = find_source(&place, data);
    char found[200] = "";
    char wrong[TEXT_SIZE];
    ag_data_facts now;
    ag_status status = ag_corpus_facts(&now, data, repeat->run.model.block_size);
    if (status == AG_ERR_SYSTEM || (status == AG_OK && are_same(&now, &repeat->run.facts)))
        return status;
    if (status == AG_OK)
        count(found, &now);
    describe(wrong, key, place, found);
    return lack_data(repeat, key, wrong);
}

/* --- initial weights */

/* As the run's id has them. A file that is wrong and one that cannot be read are told alike. */
static bool is_settled(ag_status status, const char *digest, const char *stored)
{
    return status == AG_ERR_SYSTEM || (status == AG_OK && strcmp(digest, stored) == 0);
}

static ag_status check_weights(const ag_run *run)
{
    static const char key[] = "model.init.file";
    const char *path = run->model.init_file;
    char digest[AG_DIGEST_LENGTH + 1] = "";
    char found[200];
    char expected[200];
    char wrong[TEXT_SIZE];
    if (path[0] == '\0')
        return AG_OK;
    ag_status status = ag_init_digest_read(digest, run);
    if (is_settled(status, digest, run->init_digest))
        return status;
    snprintf(found, sizeof found, "weights of digest %.12s", digest);
    snprintf(expected, sizeof expected, "weights of digest %.12s", run->init_digest);
    describe(wrong, key, path, found);
    return lack_file(key, wrong, expected, "them");
}

/* --- the state to begin with */

static ag_status read_digest(char digest[AG_DIGEST_LENGTH + 1], const ag_run *run)
{
    ag_arena arena;
    ag_start start;
    ag_arena_init_growing(&arena);
    ag_status status = ag_start_read(&start, digest, run, &arena);
    ag_arena_deinit(&arena);
    return status;
}

static ag_status check_start(const ag_run *run)
{
    static const char key[] = "train.start.file";
    const char *path = run->train.start_file;
    char digest[AG_DIGEST_LENGTH + 1] = "";
    char found[200];
    char expected[200];
    char wrong[TEXT_SIZE];
    if (path[0] == '\0')
        return AG_OK;
    ag_status status = read_digest(digest, run);
    if (is_settled(status, digest, run->start_digest))
        return status;
    snprintf(found, sizeof found, "a state of digest %.12s", digest);
    snprintf(expected, sizeof expected, "the state after step %lld of run %s, digest %.12s",
             (long long)run->train.start_step, run->train.start_run, run->start_digest);
    describe(wrong, key, path, found);
    return lack_file(key, wrong, expected, "it");
}

ag_status ag_reproduce_check_inputs(const ag_repeat *repeat)
{
    AG_TRY(check_data(repeat));
    AG_TRY(check_weights(&repeat->run));
    return check_start(&repeat->run);
}
