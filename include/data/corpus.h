/* A corpus: the tokens of a text, of token files (nanoGPT's or llm.c's) or of the built-in Markov
 * source, cut into a training and a validation part. Read-only once open. */
#ifndef AG_DATA_CORPUS_H
#define AG_DATA_CORPUS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "run/run.h"

/* Text and synthetic corpora train on their first floor(n (1 - val_fraction)) tokens.
 *
 * facts.digest is SHA-256 over, all little-endian:
 *   uint64 vocab_size
 *   uint64 number of code points (vocab_size, or 0 where tokens are ids alone), uint32 each
 *   uint64 train_tokens, uint16 each
 *   uint64 val_tokens,   uint16 each
 * and uint32 in place of uint16 where any token is above 65535, whatever the files had. */
typedef struct ag_corpus {
    ag_data_facts facts;
    const uint16_t *train; /* [facts.train_tokens], or NULL: they are wide */
    const uint16_t *val;   /* [facts.val_tokens], likewise */
    const uint32_t *wide_train;
    const uint32_t *wide_val;
    const uint32_t *vocab; /* [facts.vocab_size] code points (char, byte), or NULL: ids alone */
    double entropy_rate;   /* nats per token, the floor of the loss; NaN where it is not known */
    void *memory;          /* what ag_corpus_close releases */
} ag_corpus;

/* Opens what `spec` names; paths as they are (config has made them absolute). AG_ERR_INPUT with the
 * path and what was expected: not found, not UTF-8 (with the byte's offset), empty, too short for
 * one window of block_size + 1 tokens in either part, more than 65,536 symbols, a token >= vocab,
 * or not what it was given for: a container, numbers in place of text, integers of another type.
 * The digest is that of the tokens that were read, always; only of the synthetic source, which is a
 * function of its parameters, it comes from the cache of ag_corpus_facts where it can. */
ag_status ag_corpus_open(ag_corpus *corpus, const ag_data_spec *spec, int64_t block_size);

void ag_corpus_close(ag_corpus *corpus);

/* Bytes that a token of such data takes in memory, at most: 2 or 4. */
size_t ag_corpus_token_bytes(const ag_data_facts *facts);

/* As ag_corpus_open, but only the facts, from a cache where it can. It knows files by path, size,
 * mtime, ctime, inode and device; who trains on them finds out by their digest all the same:
 * $XDG_CACHE_HOME/altgrad, else ~/.cache/altgrad; without either the corpus is read. */
ag_status ag_corpus_facts(ag_data_facts *facts, const ag_data_spec *spec, int64_t block_size);

#endif
