/* altgrad quantize: a filter from float32 to float32 through the plain quantiser: values one by one
 * with a given scale, or a whole matrix with the scales that a scheme finds. */
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "app/commands.h"
#include "base/philox.h"
#include "command_line.h"
#include "formats_tables.h"
#include "numerics/code_table.h"
#include "numerics/groups.h"
#include "numerics/quantize.h"

/* Large enough that the calls cost nothing, small enough that a pipe keeps flowing. */
enum { BLOCK = 16384 /* values */ };

typedef struct filter {
    ag_scheme scheme;
    bool toward_zero;
    float scale;
    ag_rounding_site site;
    const char *experiment; /* whose tables are known; NULL: none */
    size_t cols;            /* of the matrix; 0: not said, one row */
    ag_sum sum;             /* the axis that its product sums over */
    const char *by_value;   /* an option given that is for single values, or NULL */
    bool by_matrix;         /* an option given that is for a matrix */
} filter;

/* Of the library's quantisers none rounds so: training never does, but accumulators and papers do.
 */
static void quantize_toward_zero(float *x, size_t count, const filter *f)
{
    float inverse = 1.0f / f->scale;
    for (size_t i = 0; i < count; i++)
        x[i] =
            ag_round_toward_zero(&f->scheme.format, x[i] * f->scale, f->scheme.overflow) * inverse;
}

/* Between the bytes of a file and the values of this machine; its own inverse. */
static void swap_if_big_endian(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, &x[i], sizeof word);
        word = le32toh(word);
        memcpy(&x[i], &word, sizeof word);
    }
}

/* A text file, or doubles, is the usual reason. */
static ag_status fail_bytes(uint64_t bytes)
{
    return ag_fail(
        AG_ERR_INPUT,
        "the input has %llu bytes, which is not a multiple of 4: expected float32 values",
        (unsigned long long)bytes);
}

/* --- value by value */

/* In blocks: the input may be larger than memory. `first` numbers the values on, so that stochastic
 * rounding does not depend on how they were cut. */
static ag_status filter_stream(const filter *f)
{
    static float block[BLOCK];
    uint64_t first = 0;
    size_t bytes;
    while ((bytes = fread(block, 1, sizeof block, stdin)) > 0) {
        size_t count = bytes / sizeof(float);
        swap_if_big_endian(block, count);
        if (f->toward_zero)
            quantize_toward_zero(block, count, f);
        else
            ag_fake_quantize(block, block, count, &f->scheme, f->scale, &f->site, first);
        swap_if_big_endian(block, count);
        if (fwrite(block, sizeof(float), count, stdout) != count)
            return ag_fail_errno("cannot write to standard output");
        first += count;
        if (bytes % sizeof(float) != 0)
            return fail_bytes(first * sizeof(float) + bytes % sizeof(float));
    }
    return ferror(stdin) ? ag_fail_errno("cannot read standard input") : AG_OK;
}

/* --- a matrix */

/* All of standard input, the caller's to free. Doubling keeps the number of copies small, whatever
 * the size. */
static ag_status read_all(float **values, size_t *count)
{
    size_t bytes = 0;
    size_t got = 0;
    size_t capacity = sizeof(float) * BLOCK;
    char *all = malloc(capacity);
    while (all != NULL && (got = fread(all + bytes, 1, capacity - bytes, stdin)) > 0) {
        bytes += got;
        if (bytes < capacity)
            continue;
        capacity *= 2;
        char *grown = realloc(all, capacity);
        if (grown == NULL)
            free(all);
        all = grown;
    }
    if (all == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for the matrix");
    *values = (float *)(void *)all; /* malloc aligns for any type */
    *count = bytes / sizeof(float);
    if (ferror(stdin))
        return ag_fail_errno("cannot read standard input");
    if (bytes % sizeof(float) != 0)
        return fail_bytes(bytes);
    return AG_OK;
}

/* Told with the numbers, as the usual reason is a wrong --cols. */
static ag_status check_matrix(const ag_matrix *matrix, size_t count)
{
    if (matrix->rows * matrix->cols != count)
        return ag_fail(AG_ERR_INPUT, "%zu values do not fill whole rows of %zu", count,
                       matrix->cols);
    return AG_OK;
}

/* By the plain quantiser, which is the definition: this command is what other implementations are
 * compared with. */
static ag_status quantize_matrix(float *x, size_t count, const filter *f)
{
    ag_matrix matrix = {.cols = f->cols > 0 ? f->cols : count, .sum = f->sum};
    matrix.rows = count > 0 ? count / matrix.cols : 0;
    AG_TRY(check_matrix(&matrix, count));
    ag_groups groups = ag_groups_of(&f->scheme, &matrix);
    size_t n = ag_groups_count(&groups);
    float *room = malloc((3 * n + 1) * sizeof *room);
    if (room == NULL)
        return ag_fail(AG_ERR_SYSTEM, "out of memory for %zu scales", n);
    ag_scales scales = {.scale = room, .after = room + n, .factors = room + 2 * n};
    ag_quantize_matrix(x, x, &matrix, &f->scheme, &scales, &f->site);
    free(room);
    return AG_OK;
}

/* All of it at once: scales depend on every value. */
static ag_status filter_matrix(const filter *f)
{
    float *x = NULL;
    size_t count = 0;
    ag_status status = read_all(&x, &count);
    if (status != AG_OK)
        goto cleanup;
    swap_if_big_endian(x, count);
    if ((status = quantize_matrix(x, count, f)) != AG_OK)
        goto cleanup;
    swap_if_big_endian(x, count);
    if (fwrite(x, sizeof(float), count, stdout) != count)
        status = ag_fail_errno("cannot write to standard output");
cleanup:
    free(x);
    return status;
}

/* --- options */

/* Upper or lower case, as papers write RNE and Nearest. */
static ag_status set_round(void *into, const char *word)
{
    filter *f = into;
    f->by_value = "--round";
    f->toward_zero = strcasecmp(word, "zero") == 0;
    f->scheme.rounding =
        strcasecmp(word, "stochastic") == 0 ? AG_ROUND_STOCHASTIC : AG_ROUND_NEAREST;
    if (!f->toward_zero && f->scheme.rounding == AG_ROUND_NEAREST &&
        strcasecmp(word, "nearest") != 0)
        return ag_fail(AG_ERR_INPUT, "--round: '%s' is not nearest, stochastic or zero", word);
    return AG_OK;
}

static ag_status set_bits(void *into, const char *text)
{
    filter *f = into;
    char *end;
    long bits = strtol(text, &end, 10);
    if (end == text || *end != '\0' || bits < 1 || bits > 32)
        return ag_fail(AG_ERR_INPUT, "--sr-bits: '%s' is not a whole number from 1 to 32", text);
    f->site.bits = (int)bits;
    return AG_OK;
}

static ag_status set_variant(void *into, const char *word)
{
    filter *f = into;
    for (int i = 0; i < AG_SR_VARIANTS; i++) {
        if (strcasecmp(word, ag_sr_words[i]) == 0) {
            f->site.variant = (ag_sr_variant)i;
            return AG_OK;
        }
    }
    return ag_fail(AG_ERR_INPUT, "--sr-variant: '%s' is not floor, half or nearest", word);
}

static ag_status set_overflow(void *into, const char *word)
{
    filter *f = into;
    f->by_value = "--overflow";
    for (int i = 0; i < AG_OVERFLOWS; i++) {
        if (strcasecmp(word, ag_overflow_words[i]) == 0) {
            f->scheme.overflow = (ag_overflow)i;
            return AG_OK;
        }
    }
    return ag_fail(AG_ERR_INPUT, "--overflow: '%s' is not saturate or special", word);
}

/* Both S and 1 / S must be normal numbers. */
static ag_status set_scale(void *into, const char *text)
{
    filter *f = into;
    f->by_value = "--scale";
    char *end;
    f->scale = strtof(text, &end);
    if (end == text || *end != '\0' || !(f->scale >= 0x1p-126f && f->scale <= 0x1p126f))
        return ag_fail(AG_ERR_INPUT, "--scale: '%s' is not a number from 2^-126 to 2^126", text);
    return AG_OK;
}

/* strtoull alone would take a minus sign. */
static ag_status set_seed(void *into, const char *text)
{
    filter *f = into;
    char *end;
    errno = 0;
    unsigned long long seed = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return ag_fail(AG_ERR_INPUT, "--seed: '%s' is not a whole number from 0 to 2^64 - 1", text);
    f->site.key = ag_stream_key(seed, AG_STREAM_ROUNDING);
    return AG_OK;
}

static ag_status set_cols(void *into, const char *text)
{
    filter *f = into;
    f->by_matrix = true;
    char *end;
    errno = 0;
    unsigned long long cols = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || cols == 0)
        return ag_fail(AG_ERR_INPUT, "--cols: '%s' is not a number of columns", text);
    f->cols = (size_t)cols;
    return AG_OK;
}

static ag_status set_sum(void *into, const char *word)
{
    filter *f = into;
    f->by_matrix = true;
    if (strcmp(word, "cols") != 0 && strcmp(word, "rows") != 0)
        return ag_fail(AG_ERR_INPUT, "--sum: '%s' is not cols or rows", word);
    f->sum = strcmp(word, "rows") == 0 ? AG_SUM_ROWS : AG_SUM_COLS;
    return AG_OK;
}

static const ag_option s_options[] = {
    {NULL,                "FORMAT alone, value by value:\n",                                                     AG_NO_OPTION          },
    {"--round MODE",      "nearest (ties to even, the default), stochastic or zero",
     AG_OTHER(set_round)                                                                                                               },
    {"--scale S",         "the scale S; default 1",                                                              AG_OTHER(set_scale)   },
    {"--overflow MODE",
     "saturate: the largest value (the default);\n"
     "special: Inf, or NaN where the format has no Inf",                                                         AG_OTHER(set_overflow)},
    {NULL,                "\nWith a granularity, a matrix whose scales are found in it, as in an experiment:\n",
     AG_NO_OPTION                                                                                                                      },
    {"--cols N",          "its columns; without it all values are one row",                                      AG_OTHER(set_cols)    },
    {"--sum AXIS",
     "what its product sums over: cols, so that rows and blocks lie along\n"
     "the rows (the default), or rows",                                                                          AG_OTHER(set_sum)     },
    {NULL,                "\nEither:\n",                                                                         AG_NO_OPTION          },
    {"--sr-bits N",       "random bits of stochastic rounding, 1 to 32 (the default)",
     AG_OTHER(set_bits)                                                                                                                },
    {"--sr-variant V",    "floor (the default), half or nearest: how few bits are compared",
     AG_OTHER(set_variant)                                                                                                             },
    {"--experiment FILE", "whose code tables ('tables') are known too",
     AG_TEXT(filter,                                                                                                                     experiment)},
    {"--seed N",                   "of stochastic rounding; default 0",                                                                                               AG_OTHER(set_seed)                                                               },
};

static const ag_command_line s_line = {
    .command = "quantize",
    .usage =
        "usage: altgrad quantize FORMAT [options] < IN > OUT\n"
        "       altgrad quantize FORMAT/granularity[/scale[/rounding[/hadamard]]] < IN > OUT\n\n"
        "Rounds float32 values (little-endian, on standard input) to a number format and writes\n"
        "them as float32 to standard output: value = Q(x * S) / S. NaN stays NaN.\n\n",
    .column = 21,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes =
        "\nexample: printf '\\315\\314\\314\\075' | altgrad quantize E4M3 | od -A n -t f4\n"
        "         (0.1 becomes 0.1015625)\n\n"
        "         altgrad quantize levels --experiment mine.yaml < IN > OUT\n\n"
        "         altgrad quantize e4m3/mx --cols 512 < activations.f32 > quantised.f32\n\n"
        "'altgrad formats' lists the formats; 'altgrad formats --help' explains granularities.\n",
};

/* Reads the options into `f`. Returns -1 when the command shall go on, else its exit code. */
static int read_options(filter *f, int argc, char **argv)
{
    int code = ag_app_read_options(f, &s_line, argc, argv, NULL);
    if (code >= 0)
        return code;
    if (argc - optind != 1)
        return ag_app_usage("quantize", argc == optind ? "which format?" : "one format at a time");
    return -1;
}

/* Options of the other form are refused, not ignored: a scale that is silently not used would be a
 * wrong result. */
static ag_status read_format(filter *f, const char *name)
{
    bool is_scheme = strchr(name, '/') != NULL;
    if (is_scheme && f->by_value != NULL)
        return ag_fail(AG_ERR_INPUT, "%s is for a format alone: '%s' says how to scale and round",
                       f->by_value, name);
    if (!is_scheme && f->by_matrix)
        return ag_fail(AG_ERR_INPUT,
                       "--cols and --sum are for a format with a granularity, such as %s/mx", name);
    return is_scheme ? ag_scheme_parse(&f->scheme, name)
                     : ag_element_parse(&f->scheme.format, name);
}

/* A terminal would be left in a state that only a reset mends. */
int ag_cmd_quantize(int argc, char **argv)
{
    filter f = {.scale = 1.0f, .site.key = ag_stream_key(0, AG_STREAM_ROUNDING)};
    int code = read_options(&f, argc, argv);
    if (code >= 0)
        return code;
    const char *name = argv[optind];
    ag_status status = ag_formats_read_tables(f.experiment);
    if (status == AG_OK)
        status = read_format(&f, name);
    if (status == AG_OK && isatty(STDOUT_FILENO))
        status = ag_fail(AG_ERR_INPUT, "binary values are not written to a terminal: send them to "
                                       "a file or a pipe");
    if (status == AG_OK)
        status = strchr(name, '/') != NULL ? filter_matrix(&f) : filter_stream(&f);
    return ag_app_exit(status);
}
