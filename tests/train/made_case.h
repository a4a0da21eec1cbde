/* Weights, tokens and options of the cases that were computed elsewhere in double precision
 * (models.txt, metrics.txt). All come from splitmix64: element i of tensor k is offset +
 * 0.5 (u_i - 0.5) from state 1000 seed + k, offset 1 for gains; tokens of step s from state
 * 500 seed + s. */
#ifndef AG_TESTS_MADE_CASE_H
#define AG_TESTS_MADE_CASE_H

#include "tiny.h"

/* u - 0.5 */
static inline double made_centred(uint64_t *state)
{
    return (double)(ag_splitmix64(state) >> 40) * 0x1p-24 - 0.5;
}

/* " key=value ...", keys of model; the text is cut to pieces. */
static inline void made_options(ag_run *run, char *options)
{
    for (char *word = strtok(options, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        char key[64];
        char *value = strchr(word, '=');
        assert_non_null(value);
        snprintf(key, sizeof key, "model.%.*s", (int)(value - word), word);
        assert_non_null(ag_param_find(key));
        assert_ok(ag_param_set(run, ag_param_find(key), value + 1, NULL));
    }
}

static inline void made_weights(ag_train_state *state, int seed)
{
    for (size_t k = 0; k < state->tensors.count; k++) {
        const ag_tensor *tensor = &state->tensors.rows[k];
        uint64_t words = 1000 * (uint64_t)seed + k;
        double offset = tensor->init == AG_INIT_GAIN ? 1.0 : 0.0;
        for (size_t i = 0; i < tensor->count; i++)
            state->weights[tensor->offset + i] = (float)(offset + 0.5 * made_centred(&words));
    }
}

/* B sequences of T tokens below V. */
static inline void made_tokens(const ag_tokens *tokens, int seed, int step, int B, int T, int V)
{
    uint64_t words = 500 * (uint64_t)seed + (uint64_t)step;
    for (int b = 0; b < B; b++) {
        for (int t = 0; t <= T; t++) {
            int32_t token = (int32_t)(ag_splitmix64(&words) % (uint64_t)V);
            if (t < T)
                tokens->inputs[b * T + t] = token;
            if (t > 0)
                tokens->targets[b * T + t - 1] = token;
        }
    }
}

#endif
