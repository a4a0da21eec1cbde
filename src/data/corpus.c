/* A corpus from whatever source, checked and with its digest. The digest enters run ids: runs on
 * other tokens are other runs, wherever the tokens came from and whatever the file was called.
 *
 * The three sources fill in tokens, vocabulary and sizes (text_corpus.c, bin_corpus.c, markov.c);
 * what all of them share is here: the cut into two parts, the least size, the digest, the cache of
 * facts. */
#include "data/corpus.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/markov.h"
#include "data_internal.h"
#include "run/digest.h"

/* What a message about this corpus begins with: the key and the path as they were written. */
void ag_corpus_place(char *place, size_t size, const ag_data_spec *spec)
{
    if (ag_is_set(spec->text))
        snprintf(place, size, "data.text '%.1000s'", spec->text);
    else if (ag_is_set(spec->bin))
        snprintf(place, size, "data.bin '%.1000s'", spec->bin);
    else if (ag_is_set(spec->bin_train))
        snprintf(place, size, "data.bin_train '%.1000s'", spec->bin_train);
    else
        snprintf(place, size, "data.synthetic");
}

/* The last part validates, as nanoGPT has it: a text goes on, so it is not shuffled. */
void ag_corpus_split(ag_corpus *corpus, const uint16_t *tokens, int64_t count, double val_fraction)
{
    int64_t train = (int64_t)((double)count * (1.0 - val_fraction));
    corpus->train = tokens;
    corpus->val = tokens + train;
    corpus->facts.train_tokens = train;
    corpus->facts.val_tokens = count - train;
}

/* Tokens are generated straight into their place; the entropy rate takes seconds and may come from
 * the cache. */
static ag_status load_markov(ag_corpus *corpus, const ag_data_spec *spec)
{
    ag_corpus_memory *memory = corpus->memory;
    ag_mapping *tokens = &memory->tokens[0];
    ag_markov *source;
    AG_TRY(ag_markov_create(&source, spec));
    ag_status status = ag_map_memory(tokens, (size_t)spec->tokens * sizeof(uint16_t));
    if (status == AG_OK && isnan(corpus->entropy_rate))
        status = ag_markov_entropy_rate(&corpus->entropy_rate, source);
    if (status == AG_OK) {
        ag_markov_generate(tokens->base, spec->tokens, source);
        ag_corpus_split(corpus, tokens->base, spec->tokens, spec->val_fraction);
        corpus->facts.vocab_size = spec->vocab;
    }
    ag_markov_destroy(source);
    return status;
}

static bool are_token_files(const ag_data_spec *spec)
{
    return ag_is_set(spec->bin) || ag_is_set(spec->bin_train);
}

static ag_status load(ag_corpus *corpus, const ag_data_spec *spec)
{
    if (ag_is_set(spec->text))
        return ag_text_corpus_load(corpus, spec);
    if (are_token_files(spec))
        return ag_bin_corpus_load(corpus, spec);
    return load_markov(corpus, spec);
}

/* One window of block_size tokens and the target after the last is the least to train or evaluate
 * on. */
static ag_status check_part(const ag_data_spec *spec, const char *part, int64_t tokens,
                            int64_t block_size)
{
    char place[1100];
    if (tokens > block_size)
        return AG_OK;
    ag_corpus_place(place, sizeof place, spec);
    return ag_fail(AG_ERR_INPUT,
                   "%s: the %s part has %lld tokens; expected at least model.block_size + 1 = "
                   "%lld of them, one window%s",
                   place, part, (long long)tokens, (long long)block_size + 1,
                   are_token_files(spec) ? "" : " (data.val_fraction sets where it is cut)");
}

static ag_status check_parts(const ag_data_facts *facts, const ag_data_spec *spec,
                             int64_t block_size)
{
    AG_TRY(check_part(spec, "training", facts->train_tokens, block_size));
    return check_part(spec, "validation", facts->val_tokens, block_size);
}

/* A count and that many elements, as they lie in memory: little-endian. */
static void add_counted(ag_sha256 *hash, const void *elements, int64_t count, size_t size)
{
    const uint64_t n = elements != NULL ? (uint64_t)count : 0;
    ag_sha256_add(hash, &n, sizeof n);
    ag_sha256_add(hash, elements, n * size);
}

/* The order and the widths are part of the run id (corpus.h has them). */
static ag_status compute_digest(ag_corpus *corpus)
{
    ag_data_facts *facts = &corpus->facts;
    const uint64_t vocab_size = (uint64_t)facts->vocab_size;
    ag_sha256 *hash;
    AG_TRY(ag_sha256_create(&hash));
    ag_sha256_add(hash, &vocab_size, sizeof vocab_size);
    add_counted(hash, corpus->vocab, facts->vocab_size, sizeof *corpus->vocab);
    if (corpus->train != NULL) {
        add_counted(hash, corpus->train, facts->train_tokens, sizeof *corpus->train);
        add_counted(hash, corpus->val, facts->val_tokens, sizeof *corpus->val);
    } else {
        add_counted(hash, corpus->wide_train, facts->train_tokens, sizeof *corpus->wide_train);
        add_counted(hash, corpus->wide_val, facts->val_tokens, sizeof *corpus->wide_val);
    }
    ag_sha256_hex(hash, facts->digest);
    ag_sha256_destroy(hash);
    return AG_OK;
}

/* For planning: by the vocabulary alone, since the tokens are not there yet. */
size_t ag_corpus_token_bytes(const ag_data_facts *facts)
{
    return facts->vocab_size > UINT16_MAX + 1 ? sizeof(uint32_t) : sizeof(uint16_t);
}

static bool same_sizes(const ag_data_facts *a, const ag_data_facts *b)
{
    return a->vocab_size == b->vocab_size && a->train_tokens == b->train_tokens &&
           a->val_tokens == b->val_tokens;
}

/* The digest of the synthetic source comes from the cache where it can, as it is a function of
 * parameters. What files hold is read anyway, and no date says that they still hold what they did,
 * so it is computed each time; the cache keeps it for those who only plan, unless the files changed
 * while they were read. */
static ag_status find_digest(ag_corpus *corpus, const ag_data_spec *spec,
                             const ag_known_facts *known, const ag_text *key)
{
    if (known != NULL && spec->synthetic != AG_SYNTHETIC_NONE &&
        same_sizes(&known->facts, &corpus->facts)) {
        memcpy(corpus->facts.digest, known->facts.digest, sizeof corpus->facts.digest);
        return AG_OK;
    }
    AG_TRY(compute_digest(corpus));
    ag_text now;
    ag_text_init(&now);
    if (ag_facts_cache_key(&now, spec) && strcmp(now.data, key->data) == 0) {
        ag_known_facts fresh = {.facts = corpus->facts, .entropy_rate = corpus->entropy_rate};
        ag_facts_cache_write(&fresh, key);
    }
    ag_text_deinit(&now);
    return AG_OK;
}

static ag_status open_corpus(ag_corpus *corpus, const ag_data_spec *spec, int64_t block_size,
                             const ag_known_facts *known, const ag_text *key)
{
    *corpus = (ag_corpus){.entropy_rate = known != NULL ? known->entropy_rate : NAN};
    corpus->memory = calloc(1, sizeof(ag_corpus_memory));
    if (corpus->memory == NULL)
        return ag_fail(AG_ERR_SYSTEM, "no memory for a corpus");
    ag_status status = load(corpus, spec);
    if (status == AG_OK)
        status = check_parts(&corpus->facts, spec, block_size);
    if (status == AG_OK)
        status = find_digest(corpus, spec, known, key);
    if (status != AG_OK)
        ag_corpus_close(corpus);
    return status;
}

ag_status ag_corpus_open(ag_corpus *corpus, const ag_data_spec *spec, int64_t block_size)
{
    ag_known_facts known;
    ag_text key;
    ag_text_init(&key);
    bool hit = ag_facts_cache_key(&key, spec) && ag_facts_cache_read(&known, &key);
    ag_status status = open_corpus(corpus, spec, block_size, hit ? &known : NULL, &key);
    ag_text_deinit(&key);
    return status;
}

void ag_corpus_close(ag_corpus *corpus)
{
    ag_corpus_memory *memory = corpus->memory;
    if (memory != NULL) {
        ag_unmap(&memory->tokens[0]);
        ag_unmap(&memory->tokens[1]);
        free(memory->vocab);
        free(memory);
    }
    *corpus = (ag_corpus){.entropy_rate = NAN};
}

/* Planning a grid of thousands of runs must not read gigabytes of tokens for each command. */
ag_status ag_corpus_facts(ag_data_facts *facts, const ag_data_spec *spec, int64_t block_size)
{
    ag_known_facts known;
    ag_text key;
    ag_text_init(&key);
    bool hit = ag_facts_cache_key(&key, spec) && ag_facts_cache_read(&known, &key);
    ag_text_deinit(&key);
    if (hit) {
        *facts = known.facts;
        return check_parts(facts, spec, block_size);
    }
    ag_corpus corpus;
    AG_TRY(ag_corpus_open(&corpus, spec, block_size));
    *facts = corpus.facts;
    ag_corpus_close(&corpus);
    return AG_OK;
}
