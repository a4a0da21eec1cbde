/* Which tokens a step sees: a pure function of the run's data order, data seed and counters. */
#ifndef AG_DATA_BATCH_H
#define AG_DATA_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "data/corpus.h"
#include "run/run.h"

/* First token of training sequence q = (step * grad_accum + micro) * batch_size + row:
 *   sequential   q * T mod (n - T)
 *   random       Philox(data key, q) mod (n - T)       n = train tokens, T = block_size
 * where Philox(key, q) is word 1 * 2^32 + word 0 at the counter (low q, high q, 0, 0). */
int64_t ag_sequence_start(const ag_run *run, uint64_t sequence);

/* inputs [B, T] and targets [B, T] (the next tokens) of a micro-batch. */
void ag_batch_train(int32_t *inputs, int32_t *targets, const ag_corpus *corpus, const ag_run *run,
                    int64_t step, int64_t micro);

/* Number of non-overlapping windows of T tokens (and their targets) in the validation part. */
int64_t ag_val_windows(const ag_corpus *corpus, const ag_run *run);

/* inputs [count, T] and targets of the given validation windows, `window[i]` < ag_val_windows. */
void ag_batch_val(int32_t *inputs, int32_t *targets, const ag_corpus *corpus, const ag_run *run,
                  const int64_t *windows, int64_t count);

/* The fixed windows of the periodic evaluation: `eval.windows` of them (fewer where the validation
 * part has fewer), spread evenly: i * all / count. Returns how many. */
int64_t ag_eval_windows(int64_t *windows, const ag_corpus *corpus, const ag_run *run);

#endif
