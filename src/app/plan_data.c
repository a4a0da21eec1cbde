/* What a plan says of its data: where they come from, tokens of each part, vocabulary. A file read
 * as something else than it is shows here first. */
#include <inttypes.h>
#include <string.h>

#include "plan.h"
#include "run/run_json.h"

/* Data and the model's window decide it; a grid names few of them, mostly one after the other. */
static bool same_data(const ag_run *a, const ag_run *b)
{
    return strcmp(a->facts.digest, b->facts.digest) == 0 &&
           a->facts.vocab_size == b->facts.vocab_size && strcmp(a->data.text, b->data.text) == 0 &&
           strcmp(a->data.bin, b->data.bin) == 0 &&
           strcmp(a->data.bin_train, b->data.bin_train) == 0 &&
           strcmp(a->data.bin_val, b->data.bin_val) == 0;
}

/* The next run from `*at` on whose data no selected run before it has; NULL at the end. Quadratic
 * only in the number of different corpora, of which a grid has few. */
static const ag_run *next_data(size_t *at, const ag_grid *grid, const bool *selected)
{
    for (; *at < grid->n_runs; (*at)++) {
        const ag_run *run = &grid->runs[*at];
        bool is_new = selected[*at];
        for (size_t i = *at; is_new && i-- > 0;)
            is_new = !selected[i] || !same_data(&grid->runs[i], run);
        if (!is_new)
            continue;
        (*at)++;
        return run;
    }
    return NULL;
}

/* The parameter that named it. By what is set: exactly one is (ag_run_check). */
static const char *kind_of(const ag_data_spec *data)
{
    return data->text[0] != '\0'        ? "data.text"
           : data->bin[0] != '\0'       ? "data.bin"
           : data->bin_train[0] != '\0' ? "data.bin_train"
                                        : "data.synthetic";
}

/* As the user wrote it, expanded. */
static void add_source(ag_text *text, const ag_data_spec *data)
{
    if (data->text[0] != '\0')
        ag_text_printf(text, "%s, one token per %s", data->text,
                       data->tokenizer == AG_TOKENIZER_BYTE ? "byte" : "character");
    else if (data->bin[0] != '\0')
        ag_text_printf(text, "%s/train.bin, val.bin", data->bin);
    else if (data->bin_train[0] != '\0')
        ag_text_printf(text, "%s, %s", data->bin_train, data->bin_val);
    else
        ag_text_printf(text, "markov, order %" PRId64 ", seed %" PRId64, data->order, data->seed);
}

/* 1234567 as 1,234,567. */
static void add_count(ag_text *text, int64_t count)
{
    if (count >= 1000) {
        add_count(text, count / 1000);
        ag_text_printf(text, ",%03" PRId64, count % 1000);
    } else {
        ag_text_printf(text, "%" PRId64, count);
    }
}

void ag_plan_data(ag_text *text, const ag_grid *grid, const bool *selected)
{
    size_t at = 0;
    ag_text_add(text, "\ndata\n");
    for (const ag_run *run; (run = next_data(&at, grid, selected)) != NULL;) {
        ag_text_printf(text, "  %s: ", kind_of(&run->data));
        add_source(text, &run->data);
        ag_text_add(text, "\n    ");
        add_count(text, run->facts.train_tokens);
        ag_text_add(text, " training tokens, ");
        add_count(text, run->facts.val_tokens);
        ag_text_add(text, " validation tokens, vocabulary of ");
        add_count(text, run->facts.vocab_size);
        ag_text_printf(text, " (digest %.12s)\n", run->facts.digest);
    }
}

/* The whole digest, which the text cuts for the eye. */
void ag_plan_data_json(ag_text *text, const ag_grid *grid, const bool *selected)
{
    const char *comma = "";
    size_t at = 0;
    ag_text_add(text, "[");
    for (const ag_run *run; (run = next_data(&at, grid, selected)) != NULL; comma = ",") {
        ag_text source;
        ag_text_init(&source);
        add_source(&source, &run->data);
        ag_text_printf(text, "%s\n{\"kind\":\"%s\",\"source\":", comma, kind_of(&run->data));
        ag_json_string(text, source.data);
        ag_text_printf(text,
                       ",\"train_tokens\":%" PRId64 ",\"val_tokens\":%" PRId64
                       ",\"vocab_size\":%" PRId64 ",\"digest\":\"%s\"}",
                       run->facts.train_tokens, run->facts.val_tokens, run->facts.vocab_size,
                       run->facts.digest);
        ag_text_deinit(&source);
    }
    ag_text_add(text, "\n]");
}
