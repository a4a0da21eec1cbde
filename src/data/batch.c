/* Which tokens a step sees (batch.h has the formulas). A pure function of seed and step, so that a
 * run that resumes, or has other micro-batches on other threads, sees the same tokens, and so that
 * runs of different formats with one seed see the same batches: their difference is that of the
 * formats. */
#include "data/batch.h"

#include "base/philox.h"

/* In random order with replacement, as nanoGPT draws: the modulo favours the first starts by less
 * than n / 2^64. */
int64_t ag_sequence_start(const ag_run *run, uint64_t sequence)
{
    const uint64_t T = (uint64_t)run->model.block_size;
    const uint64_t starts = (uint64_t)run->facts.train_tokens - T;
    if (run->train.data_order == AG_ORDER_SEQUENTIAL)
        return (int64_t)(sequence % starts * T % starts); /* reduced first: no overflow */
    int64_t seed = run->train.data_seed >= 0 ? run->train.data_seed : run->seed;
    uint64_t key = ag_stream_key((uint64_t)seed, AG_STREAM_DATA);
    ag_philox_block random = ag_philox(key, (uint32_t)sequence, (uint32_t)(sequence >> 32), 0, 0);
    return (int64_t)(((uint64_t)random.word[1] << 32 | random.word[0]) % starts);
}

/* T inputs from token `start` on and, one further on, their targets; one of the two is not NULL. */
static void copy_window(int32_t *inputs, int32_t *targets, const uint16_t *tokens,
                        const uint32_t *wide, int64_t start, int64_t T)
{
    for (int64_t t = 0; t < T; t++) {
        inputs[t] = tokens != NULL ? tokens[start + t] : (int32_t)wide[start + t];
        targets[t] = tokens != NULL ? tokens[start + t + 1] : (int32_t)wide[start + t + 1];
    }
}

/* Micro-batches of a step follow each other, so that a step with k of b rows sees what one of k b
 * rows would. */
void ag_batch_train(int32_t *inputs, int32_t *targets, const ag_corpus *corpus, const ag_run *run,
                    int64_t step, int64_t micro)
{
    const int64_t T = run->model.block_size;
    const uint64_t batch = (uint64_t)step * (uint64_t)run->train.grad_accum + (uint64_t)micro;
    for (int64_t row = 0; row < run->train.batch_size; row++) {
        uint64_t sequence = batch * (uint64_t)run->train.batch_size + (uint64_t)row;
        int64_t start = ag_sequence_start(run, sequence);
        copy_window(inputs + row * T, targets + row * T, corpus->train, corpus->wide_train, start,
                    T);
    }
}

int64_t ag_val_windows(const ag_corpus *corpus, const ag_run *run)
{
    return (corpus->facts.val_tokens - 1) / run->model.block_size;
}

void ag_batch_val(int32_t *inputs, int32_t *targets, const ag_corpus *corpus, const ag_run *run,
                  const int64_t *windows, int64_t count)
{
    const int64_t T = run->model.block_size;
    for (int64_t i = 0; i < count; i++)
        copy_window(inputs + i * T, targets + i * T, corpus->val, corpus->wide_val, windows[i] * T,
                    T);
}

/* Spread over the whole part: neighbouring windows come from one text and are alike. */
int64_t ag_eval_windows(int64_t *windows, const ag_corpus *corpus, const ag_run *run)
{
    const int64_t all = ag_val_windows(corpus, run);
    const int64_t count = run->eval.windows < all ? run->eval.windows : all;
    for (int64_t i = 0; i < count; i++)
        windows[i] = i * all / count;
    return count;
}
