/* The built-in synthetic corpus: a mixture transition distribution (Raftery, "A model for
 * high-order Markov chains", J. R. Statist. Soc. B 47, 1985). Each lag votes with a table of its
 * own, so that a small transformer learns it in some hundred steps: first how frequent symbols
 * are, then what follows the last one, then what follows those before it.
 *
 *   P(x | c_1 .. c_k) = 1/16 * 1/V + 15/16 * sum_j lambda_j sum_r w_r [x = S_j(c_j, r)]
 *
 *   V        symbols               k       order
 *   c_j      the symbol j tokens back; symbol 0 before the first token
 *   lambda   1/2, 1/4, ... for j = 1 .. k; the last as much as the one before it, so that they
 *            add up to 1
 *   w        1/2, 1/4, 1/8, 1/8
 *   S_j      four likely successors of each symbol: floor(V u^2), u uniform in [0, 1) from
 *            Philox(key, c, j, r, 1), which makes symbols with small numbers more frequent
 *   k = 0    P(x) = 1/V
 *
 * key = ag_stream_key(data.seed, AG_STREAM_CORPUS). Token t takes the words of
 * Philox(key, low t, high t, 0, 0): word 0 below 2^28 means noise, else leading zeros of words 1
 * and 2 choose j and r; noise is the number word 3 * 2^32 + word 2, modulo V. */
#ifndef AG_DATA_MARKOV_H
#define AG_DATA_MARKOV_H

#include <stdint.h>

#include "base/status.h"
#include "run/run.h"

/* The entropy rate is summed over all V^k contexts: at most so many. */
enum { AG_MARKOV_CONTEXTS_MAX = 1 << 20 };

typedef struct ag_markov ag_markov;

/* The source that data.vocab, data.order and data.seed describe. AG_ERR_INPUT when it has too many
 * contexts. */
ag_status ag_markov_create(ag_markov **out, const ag_data_spec *spec);
void ag_markov_destroy(ag_markov *source);

/* P(symbol | context); context[j - 1] = c_j, `order` of them. */
double ag_markov_probability(const ag_markov *source, const uint16_t *context, uint16_t symbol);

/* The first `count` tokens. */
void ag_markov_generate(uint16_t *tokens, int64_t count, const ag_markov *source);

/* Nats per token: the mean, over the stationary distribution of the contexts, of the entropy of
 * what follows. No model's expected loss is lower. Accurate to about 1e-12. */
ag_status ag_markov_entropy_rate(double *rate, const ag_markov *source);

#endif
