/* altgrad sample: what a trained model says. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/commands.h"
#include "base/pool.h"
#include "base/printable.h"
#include "chosen_run.h"
#include "command_line.h"
#include "proc/cores.h"
#include "train/sample.h"
#include "wrong_file.h"

typedef struct request {
    ag_run_choice choice;
    const char *prompt;
    long count;
    long seed;
    long top_k;
    double temperature;
    bool hp;
} request;

static ag_status read_temperature(void *into, const char *value)
{
    request *asked = into;
    char *end = NULL;
    asked->temperature = strtod(value, &end);
    if (end == value || *end != '\0' || !(asked->temperature >= 0.0) ||
        !isfinite(asked->temperature))
        return ag_fail(AG_ERR_INPUT, "--temperature '%s': expected a number from 0 on", value);
    return AG_OK;
}

static const ag_option s_options[] = {
    {"--prompt TEXT",
     "what it goes on from: text, or for data of tokens their numbers, as in '7 11 3'\n"
     "(a line's end, where the vocabulary has one, else its first symbol)", AG_TEXT(request,   prompt)                                                     },
    {"--tokens N",    "how many follow (200)",                              AG_COUNT(request,  count,                                                        1L << 24)},
    {"--seed N",               "of the draws; equal seeds give equal text (0)",                                                          AG_WHOLE(request,              seed)},
    {"--temperature X",               "divides the logits (1); 0 takes the likeliest token",
     AG_OTHER(read_temperature)},
    {"--top-k K",     "draws among the K likeliest tokens (all)",           AG_COUNT(request,  top_k,                                                                                                                             1L << 24)},
    {"--hp",               "unquantised: the same weights, as for val_loss_hp",                                                              AG_FLAG(request,              hp)                                                       },
};

static const ag_command_line s_line = {
    .command = "sample",
    .usage = "usage: altgrad sample OUT [RUN...] [--prompt TEXT] [--tokens N] [--seed N] ...\n"
             "\n"
             "Generates tokens by the final weights of a completed run, quantised as the run was\n"
             "trained, and prints the prompt with them: text where the run's data are text, else "
             "the\n"
             "numbers of tokens. RUN is the beginning of a run id, or labels such as\n"
             "format=BF16 seed=0. The data must still be where they were, for their vocabulary.\n"
             "\n",
    .column = 19,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\n"
             "Exit codes: 0 done, 2 bad input, 3 environment.\n"
             "\n"
             "example: altgrad sample results/text.h5 format=E4M3 seed=0 --prompt 'To be' --tokens "
             "80\n",
};

/* --- tokens and text */

typedef struct codec {
    const ag_corpus *corpus;
    bool is_byte; /* each byte is a symbol, whatever it is part of */
} codec;

/* Prompts are short: a walk through the vocabulary is enough. */
static ag_status find_symbol(int32_t *token, const codec *c, uint32_t symbol)
{
    for (int64_t i = 0; i < c->corpus->facts.vocab_size; i++) {
        if (c->corpus->vocab[i] == symbol) {
            *token = (int32_t)i;
            return AG_OK;
        }
    }
    return ag_fail(AG_ERR_INPUT, "--prompt: the vocabulary of the run's data lacks U+%04X",
                   (unsigned)symbol);
}

/* One symbol per token, as the run's own text was read: by bytes or by characters. */
static ag_status encode_text(int32_t *tokens, size_t *n, const codec *c, const char *text)
{
    for (size_t left = strlen(text), length = 0; left > 0; left -= length, text += length) {
        uint32_t symbol = (unsigned char)*text;
        length = c->is_byte ? 1 : ag_utf8_read(&symbol, text, left);
        if (length == 0)
            return ag_fail(AG_ERR_INPUT, "--prompt: not UTF-8");
        AG_TRY(find_symbol(&tokens[(*n)++], c, symbol));
    }
    return AG_OK;
}

/* Data of tokens have no vocabulary here: their numbers are all that is known. */
static ag_status encode_numbers(int32_t *tokens, size_t *n, const codec *c, const char *text)
{
    for (const char *at = text + strspn(text, " ,"); *at != '\0'; at += strspn(at, " ,")) {
        char *end = NULL;
        long token = strtol(at, &end, 10);
        if (end == at || token < 0 || token >= c->corpus->facts.vocab_size)
            return ag_fail(AG_ERR_INPUT,
                           "--prompt '%.40s': the run's data are numbers of tokens, from 0 to %lld",
                           at, (long long)c->corpus->facts.vocab_size - 1);
        tokens[(*n)++] = (int32_t)token;
        at = end;
    }
    return AG_OK;
}

/* A model needs something to go on from. Without a prompt that is the end of a line, after which a
 * text may begin anew. */
static ag_status encode(int32_t *tokens, size_t *n, const codec *c, const char *prompt)
{
    *n = 0;
    if (prompt != NULL && prompt[0] != '\0')
        AG_TRY(c->corpus->vocab != NULL ? encode_text(tokens, n, c, prompt)
                                        : encode_numbers(tokens, n, c, prompt));
    if (*n > 0)
        return AG_OK;
    *n = 1;
    tokens[0] = 0;
    if (c->corpus->vocab != NULL && find_symbol(&tokens[0], c, '\n') != AG_OK)
        ag_error_clear();
    return AG_OK;
}

/* Bytes go out as they are: several of them may be one character, to the reader. */
static void print_symbol(uint32_t symbol, bool is_byte)
{
    char text[5];
    if (is_byte || symbol < 0x80) {
        putchar((int)symbol);
        return;
    }
    ag_utf8_write(text, symbol);
    fputs(text, stdout);
}

/* The prompt too, as the model read it. */
static void print_tokens(const int32_t *tokens, size_t count, const codec *c)
{
    for (size_t i = 0; i < count; i++) {
        if (c->corpus->vocab == NULL)
            printf("%s%d", i > 0 ? " " : "", (int)tokens[i]);
        else
            print_symbol(c->corpus->vocab[tokens[i]], c->is_byte);
    }
    putchar('\n');
}

/* --- the command */

/* The digest decides whether the data are those of the run: another text of the same name may have
 * another vocabulary, and every token would be a wrong letter. */
static ag_status generate(const request *asked, const ag_trained *trained, const ag_corpus *corpus,
                          ag_arena *arena)
{
    const ag_run *run = &trained->run;
    const codec c = {corpus, run->data.tokenizer == AG_TOKENIZER_BYTE};
    const ag_sampling how = {.seed = (uint64_t)asked->seed,
                             .temperature = asked->temperature,
                             .top_k = asked->top_k,
                             .hp = asked->hp};
    size_t n = 0;
    size_t most = asked->prompt != NULL ? strlen(asked->prompt) : 0;
    size_t count = (size_t)asked->count;
    int32_t *tokens = ag_arena_alloc(arena, (most + 1 + count) * sizeof *tokens);
    if (tokens == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu tokens", count);
    if (strcmp(corpus->facts.digest, run->facts.digest) != 0)
        return ag_fail(AG_ERR_INPUT,
                       "run %s: the data are no longer those it was trained on (digest %.12s, then "
                       "%.12s), and their vocabulary may be another: put them back",
                       run->id, corpus->facts.digest, run->facts.digest);
    AG_TRY(encode(tokens, &n, &c, asked->prompt));
    AG_TRY(ag_sample(tokens, n, count, &how, run, corpus, trained->weights, &ag_kernels_fast));
    print_tokens(tokens, n + count, &c);
    return AG_OK;
}

/* The corpus is opened for its vocabulary alone. All cores that this process may use: nothing else
 * runs in it. */
static ag_status sample(const request *asked, ag_arena *arena)
{
    ag_trained trained;
    ag_corpus corpus;
    AG_TRY(ag_chosen_model(&trained, &asked->choice, arena));
    AG_TRY(ag_kernels_init());
    AG_TRY(ag_pool_start(ag_cores_bound(1)));
    ag_status status = ag_corpus_open(&corpus, &trained.run.data, trained.run.model.block_size);
    if (status == AG_OK) {
        status = generate(asked, &trained, &corpus, arena);
        ag_corpus_close(&corpus);
    }
    ag_pool_stop();
    return status;
}

int ag_cmd_sample(int argc, char **argv)
{
    ag_arena arena;
    request asked = {.count = 200, .temperature = 1.0};
    int code = ag_app_read_options(&asked, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_run_choice_read(&asked.choice, &s_line, argc, argv);
    if (code >= 0)
        return code;
    ag_arena_init_growing(&arena);
    ag_status status = ag_app_expect_results(asked.choice.path);
    if (status == AG_OK)
        status = sample(&asked, &arena);
    ag_arena_deinit(&arena);
    return ag_app_exit(status);
}
