/* altgrad export: what was trained, into files that other programs read. */
#include <stdio.h>

#include "analysis.h"
#include "app/commands.h"
#include "chosen_run.h"
#include "command_line.h"
#include "foreign/weights.h"
#include "results/guard.h"
#include "wrong_file.h"

typedef struct request {
    ag_run_choice choice;
    const char *to;
    bool nanogpt;
    const char *tables;
    ag_arena *arena;
} request;

static const ag_option s_options[] = {
    {"--to DIR",     "the folder; it is made where there is none",       AG_TEXT(request, to)     },
    {"--nanogpt",
     "nanogpt.safetensors instead: a state dict with nanoGPT's names and shapes, of\n"
     "any model; those of keys that nanoGPT lacks have altgrad's names", AG_FLAG(request, nanogpt)},
    {"--tables DIR",
     "all tables of OUT instead: runs, curves, the comparison, what was sampled; as CSV\nfiles, as "
     "Parquet where Python has pyarrow, and the curves for TensorBoard", AG_TEXT(request, tables) },
};

static const ag_command_line s_line = {
    .command = "export",
    .usage =
        "usage: altgrad export OUT [RUN...] --to DIR [--nanogpt]\n"
        "       altgrad export OUT --tables DIR\n"
        "\n"
        "Writes the final weights of a completed run as Hugging Face's transformers loads them:\n"
        "model.safetensors in float32, and config.json. The class is GPT2LMHeadModel,\n"
        "LlamaForCausalLM, Qwen3ForCausalLM or Olmo2ForCausalLM; a model that none of them\n"
        "computes is refused by the key that none has. Formats are no part of it: the classes\n"
        "compute in the precision that they are loaded in.\n"
        "RUN is the beginning of a run id, or labels such as format=BF16 seed=0.\n"
        "Tables are written by Python: $ALTGRAD_PYTHON or python3, with h5py, numpy, pandas\n"
        "and scipy.\n"
        "\n",
    .column = 13,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\n"
             "Exit codes: 0 written, 2 bad input, 3 environment.\n"
             "\n"
             "example: altgrad export results/quickstart.h5 format=BF16 seed=0 --to bf16\n",
};

static const char s_hint[] = "--nanogpt writes the weights of any, under altgrad's own names";

/* In a child: it opens HDF5 files, and those may be damaged. */
static ag_status export_weights(void *context)
{
    const request *asked = context;
    ag_arena *arena = asked->arena;
    ag_trained trained;
    ag_architecture which = AG_ARCHITECTURE_NANOGPT;
    AG_TRY(ag_chosen_model(&trained, &asked->choice, arena));
    const char *what = ag_arena_printf(arena, "run %s", trained.run.id);
    if (what == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (!asked->nanogpt)
        AG_TRY(ag_architecture_of(&which, &trained.run, what, s_hint));
    AG_TRY(
        ag_architecture_export(asked->to, which, &trained.run, &trained.tensors, trained.weights));
    printf("%s/%s: run %s, %zu parameters, for %s\n", asked->to,
           asked->nanogpt ? AG_NANOGPT_FILE : AG_MODEL_FILE, trained.run.id,
           ag_tensor_parameters(&trained.tensors), ag_architecture_class(which));
    return fflush(stdout) == 0 ? AG_OK : ag_fail_errno("cannot write to standard output");
}

/* Python takes the place of this process, which therefore is no guarded child. */
static ag_status export_tables(const request *asked)
{
    char *to = ag_arena_printf(asked->arena, "--to=%s", asked->tables);
    const char *const arguments[] = {"tables", to, "--", asked->choice.path, NULL};
    if (to == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory");
    return ag_analysis_become(arguments, asked->arena);
}

/* Weights are of one run, tables of all: options of the one say nothing of the other. */
static int check_tables(const request *asked)
{
    if (asked->to != NULL || asked->nanogpt)
        return ag_app_usage("export", "--tables and %s: one of them at a time",
                            asked->to != NULL ? "--to" : "--nanogpt");
    if (asked->choice.count > 0)
        return ag_app_usage("export", "--tables writes those of all runs: no RUN is named");
    if (asked->tables[0] == '\0')
        return ag_app_usage("export", "where to? --tables DIR names a folder");
    return -1;
}

static int parse_options(request *asked, int argc, char **argv)
{
    int code = ag_app_read_options(asked, &s_line, argc, argv, NULL);
    if (code < 0)
        code = ag_run_choice_read(&asked->choice, &s_line, argc, argv);
    if (code >= 0)
        return code;
    if (asked->tables != NULL)
        return check_tables(asked);
    if (asked->to == NULL || asked->to[0] == '\0')
        return ag_app_usage("export", "where to? --to DIR names a folder");
    return -1;
}

int ag_cmd_export(int argc, char **argv)
{
    ag_arena arena;
    request asked = {0};
    int code = parse_options(&asked, argc, argv);
    if (code >= 0)
        return code;
    ag_arena_init_growing(&arena);
    asked.arena = &arena;
    ag_status status = ag_app_expect_results(asked.choice.path);
    if (status == AG_OK)
        status = asked.tables != NULL ? export_tables(&asked) : ag_guard(export_weights, &asked);
    ag_arena_deinit(&arena);
    return ag_app_exit(status);
}
