/* altgrad quantize: a filter from float32 to float32 through the plain quantiser. */
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
#include "numerics/quantize.h"

enum { BLOCK = 16384 /* values */ };

typedef struct filter {
    ag_scheme scheme;
    bool toward_zero;
    float scale;
    ag_rounding_site site;
} filter;

static void print_help(void)
{
    fputs("usage: altgrad quantize FORMAT [options] < IN > OUT\n\n"
          "Rounds float32 values (little-endian, on standard input) to a number format and writes\n"
          "them as float32 to standard output: value = Q(x * S) / S. NaN stays NaN.\n\n"
          "  --round MODE      nearest (ties to even, the default), stochastic or zero\n"
          "  --scale S         the scale S; default 1\n"
          "  --seed N          of stochastic rounding; default 0\n"
          "  --overflow MODE   saturate: the largest value (the default);\n"
          "                    special: Inf, or NaN where the format has no Inf\n\n"
          "example: printf '\\315\\314\\314\\075' | altgrad quantize E4M3 | od -A n -t f4\n"
          "         (0.1 becomes 0.1015625)\n\n"
          "'altgrad formats' lists the formats.\n",
          stdout);
}

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
        uint64_t total = first * sizeof(float) + bytes % sizeof(float);
        if (bytes % sizeof(float) != 0)
            return ag_fail(AG_ERR_INPUT,
                           "the input has %llu bytes, which is no multiple of 4: expected "
                           "float32 values",
                           (unsigned long long)total);
    }
    return ferror(stdin) ? ag_fail_errno("cannot read standard input") : AG_OK;
}

static ag_status set_round(filter *f, const char *word)
{
    f->toward_zero = strcasecmp(word, "zero") == 0;
    f->scheme.rounding =
        strcasecmp(word, "stochastic") == 0 ? AG_ROUND_STOCHASTIC : AG_ROUND_NEAREST;
    if (!f->toward_zero && f->scheme.rounding == AG_ROUND_NEAREST &&
        strcasecmp(word, "nearest") != 0)
        return ag_fail(AG_ERR_INPUT, "--round: '%s' is not nearest, stochastic or zero", word);
    return AG_OK;
}

static ag_status set_overflow(filter *f, const char *word)
{
    for (int i = 0; i < AG_OVERFLOWS; i++) {
        if (strcasecmp(word, ag_overflow_words[i]) == 0) {
            f->scheme.overflow = (ag_overflow)i;
            return AG_OK;
        }
    }
    return ag_fail(AG_ERR_INPUT, "--overflow: '%s' is not saturate or special", word);
}

static ag_status set_scale(filter *f, const char *text)
{
    char *end;
    f->scale = strtof(text, &end);
    if (end == text || *end != '\0' || !(f->scale >= 0x1p-126f && f->scale <= 0x1p126f))
        return ag_fail(AG_ERR_INPUT, "--scale: '%s' is no number from 2^-126 to 2^126", text);
    return AG_OK;
}

static ag_status set_seed(filter *f, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long seed = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return ag_fail(AG_ERR_INPUT, "--seed: '%s' is no whole number from 0 to 2^64 - 1", text);
    f->site.key = ag_stream_key(seed, AG_STREAM_ROUNDING);
    return AG_OK;
}

static ag_status set_option(filter *f, int option, const char *value)
{
    switch (option) {
    case 'r':
        return set_round(f, value);
    case 'o':
        return set_overflow(f, value);
    case 's':
        return set_scale(f, value);
    default:
        return set_seed(f, value);
    }
}

/* Reads the options into `f`. Returns -1 when the command shall go on, else its exit code. */
static int read_options(filter *f, int argc, char **argv)
{
    static const struct option options[] = {
        {"round",    required_argument, NULL, 'r'},
        {"scale",    required_argument, NULL, 's'},
        {"seed",     required_argument, NULL, 'n'},
        {"overflow", required_argument, NULL, 'o'},
        {"help",     no_argument,       NULL, 'h'},
        {NULL,       0,                 NULL, 0  },
    };
    int option;
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        if (option == 'h') {
            print_help();
            return AG_EXIT_OK;
        }
        if (option == ':')
            return ag_app_usage("quantize", "%s needs a value", argv[optind - 1]);
        if (option == '?')
            return ag_app_usage("quantize", "there is no option '%s'", argv[optind - 1]);
        if (set_option(f, option, optarg) != AG_OK)
            return ag_app_usage("quantize", "%s", ag_error_message());
    }
    if (argc - optind != 1)
        return ag_app_usage("quantize", argc == optind ? "which format?" : "one format at a time");
    return -1;
}

int ag_cmd_quantize(int argc, char **argv)
{
    filter f = {.scale = 1.0f, .site.key = ag_stream_key(0, AG_STREAM_ROUNDING)};
    int code = read_options(&f, argc, argv);
    if (code >= 0)
        return code;
    ag_status status = ag_format_parse(&f.scheme.format, argv[optind]);
    if (status == AG_OK && isatty(STDOUT_FILENO))
        status = ag_fail(AG_ERR_INPUT, "binary values are not written to a terminal: send them to "
                                       "a file or a pipe");
    if (status == AG_OK)
        status = filter_stream(&f);
    return ag_app_exit(status);
}
