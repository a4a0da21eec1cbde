/* altgrad formats: the tables of formats and recipes, one of them in detail, the value of every
 * code. Nothing here knows a format: all of it is asked of numerics, so that what is printed is
 * what training uses, for names that nobody has listed too. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/commands.h"
#include "base/text.h"
#include "command_line.h"
#include "formats_recipes.h"
#include "formats_tables.h"
#include "numerics/code_table.h"
#include "numerics/format.h"
#include "numerics/recipe.h"
#include "run/run_json.h"

typedef struct request {
    const char *name;       /* NULL: the tables */
    const char *experiment; /* NULL: none */
    bool recipes;
    bool accumulators;
    bool codes;
    bool json;
} request;

static const ag_option s_options[] = {
    {"--recipes",         "the recipes alone",                          AG_FLAG(request, recipes)     },
    {"--accumulators",    "the accumulators alone",                     AG_FLAG(request, accumulators)},
    {"--codes",
     "the value of every code of NAME (a code is sign, exponent, mantissa;\n"
     "for int<N> sign and magnitude)",                                  AG_FLAG(request, codes)       },
    {"--json",
     "as JSON: the formats, or the recipes or accumulators alone; values\n"
     "are exact",                                                       AG_FLAG(request, json)        },
    {"--experiment FILE", "whose code tables ('tables') are known too",
     AG_TEXT(request,                                                                    experiment)  },
};

static const ag_command_line s_line = {
    .command = "formats",
    .usage =
        "usage: altgrad formats [NAME] [--recipes | --accumulators] [--codes] [--json]\n"
        "                       [--experiment FILE]\n\n"
        "Without NAME the tables of common formats, of recipes and of accumulators; with NAME a\n"
        "format or recipe in detail. Besides the listed names: "
        "e<E>m<M>[b<bias>][ieee|fn|f|fnuz|p]\n"
        "with up to 8 exponent bits and 16 bits in all, int<N>, and "
        "FORMAT/granularity/scale/rounding/hadamard:\n\n"
        "  granularity   tensor, row, col, <R>x<C> (blocks, as 1x128), mx, nv, nv16x16\n"
        "  scale         amax, windowed, delayed, each with or without +pow2; none;\n"
        "                of blocks e8m0rceil, e8m0floor, e8m0even; e4m3, ue5m3, e5m2, each with\n"
        "                or without +t, a scale of the tensor; fp32, pow2, absmax\n"
        "  rounding      nearest, stochastic\n\n"
        "The kind of a format:\n"
        "  ieee   the top exponent is Inf and NaN\n"
        "  fn     no Inf, one NaN: all ones\n"
        "  f      every code is a finite value\n"
        "  fnuz   no Inf, no -0, whose code is NaN; the default bias is one more\n"
        "  p      as fnuz, but the largest code is Inf: binary8p3se is e5m2p\n"
        "  table  a list of values: nf4, dynamic8, dynamic8u, posit8_0, _1, _2, takum8,\n"
        "         or one of --experiment\n\n",
    .column = 21,
    .n_options = sizeof s_options / sizeof s_options[0],
    .options = s_options,
    .notes = "\nexamples: altgrad formats E4M3 --codes\n"
             "          altgrad formats mxfp8\n"
             "          altgrad formats nf4\n"
             "          altgrad formats e3m4/1x128\n"
             "          altgrad formats levels --experiment mine.yaml\n",
};

/* In the order in which format.c lists them. */
static void join_aliases(ag_text *text, const ag_format *f)
{
    const char *alias;
    for (size_t i = 0; (alias = ag_formats_alias(f, i)) != NULL; i++)
        ag_text_printf(text, "%s%s", i > 0 ? " " : "", alias);
}

/* A magnitude for the table; those that do not exist are 0. */
static const char *magnitude_text(char text[32], float value)
{
    if (value == 0.0f)
        return "-";
    snprintf(text, 32, "%.7g", (double)value);
    return text;
}

/* The last column is of any width, and so is not padded: a trailing space would be in every copy.
 */
static void add_row(ag_text *out, const ag_format *f)
{
    char max[32];
    char normal[32];
    char subnormal[32];
    ag_text aliases;
    ag_text_init(&aliases);
    join_aliases(&aliases, f);
    ag_text_printf(out, "%-12s %4d %2d %2d %4d  %-4s  %-13s  %-13s  %-13s  %-3s  %-3s  %s", f->name,
                   f->bits, f->exponent, f->mantissa, f->bias, ag_format_kind_name(f),
                   magnitude_text(max, f->max), magnitude_text(normal, f->min_normal),
                   magnitude_text(subnormal, f->min_subnormal), f->has_inf ? "yes" : "-",
                   f->has_nan ? "yes" : "-", aliases.data);
    while (out->length > 0 && out->data[out->length - 1] == ' ')
        out->data[--out->length] = '\0';
    ag_text_add(out, "\n");
    ag_text_deinit(&aliases);
}

/* By the names that people know; any other can be asked for by itself. */
static ag_status add_table(ag_text *out)
{
    size_t count;
    const char *const *names = ag_format_known_names(&count);
    ag_text_printf(out, "%-12s %4s %2s %2s %4s  %-4s  %-13s  %-13s  %-13s  %-3s  %-3s  %s\n",
                   "NAME", "BITS", "E", "M", "BIAS", "KIND", "MAX", "MIN NORMAL", "MIN SUBNORMAL",
                   "INF", "NAN", "ALIASES");
    for (size_t i = 0; i < count; i++) {
        ag_format format;
        AG_TRY(ag_format_parse(&format, names[i]));
        add_row(out, &format);
    }
    return AG_OK;
}

/* In decimal and as a hexadecimal float: the second is exact, and shows the power of two. */
static void add_value(ag_text *out, const char *name, float value)
{
    if (value == 0.0f)
        ag_text_printf(out, "%-14s none\n", name);
    else
        ag_text_printf(out, "%-14s %.9g (%a)\n", name, (double)value, (double)value);
}

/* As names and values in two columns, which both people and awk read. */
static void add_split(ag_text *out, const ag_format *f)
{
    ag_text_printf(out, "%-14s %s\n%-14s %d (1 sign, %d exponent, %d mantissa)\n", "name", f->name,
                   "bits", f->bits, f->exponent, f->mantissa);
    ag_text_printf(out, "%-14s %d\n%-14s %s\n", "bias", f->bias, "kind", ag_format_kind_name(f));
    add_value(out, "max", f->max);
    add_value(out, "min normal", f->min_normal);
    add_value(out, "min subnormal", f->min_subnormal);
    ag_text_printf(out, "%-14s %s\n%-14s %s\n%-14s %s\n", "Inf", f->has_inf ? "yes" : "no", "NaN",
                   f->has_nan ? "yes" : "no", "-0",
                   f->has_negative_zero ? "yes"
                                        : "no code of its own; emulated values keep their sign");
}

static void add_detail(ag_text *out, const ag_format *f)
{
    if (f->table != NULL)
        ag_formats_add_table(out, f);
    else
        add_split(out, f);
    ag_text_printf(out, "%-14s ", "aliases");
    size_t before = out->length;
    join_aliases(out, f);
    ag_text_add(out, out->length == before ? "none\n" : "\n");
}

/* By code, as a table of the standard would be. */
static void add_codes(ag_text *out, const ag_format *f)
{
    int digits = (f->bits + 3) / 4;
    for (uint32_t code = 0, end = ag_formats_codes(f); code < end; code++) {
        double value = ag_formats_decode(f, code);
        ag_text_printf(out, "%0*x  %-14a  %.9g\n", digits, code, value, value);
    }
}

/* The shortest text that reads back: values of formats are exact in it. */
static void add_json_real(ag_text *out, const char *name, double value)
{
    char text[32];
    ag_json_real(text, value);
    ag_text_printf(out, ", \"%s\": %s", name, text);
}

static void add_json_codes(ag_text *out, const ag_format *f)
{
    ag_text_add(out, ", \"codes\": [");
    for (uint32_t code = 0, end = ag_formats_codes(f); code < end; code++) {
        double value = ag_formats_decode(f, code);
        ag_text_printf(out, "%s{\"code\": %u, \"hex\": \"%a\"", code > 0 ? ",\n  " : "\n  ", code,
                       value);
        if (isfinite(value))
            add_json_real(out, "value", value);
        else /* JSON has no Inf and no NaN; "hex" tells them apart */
            ag_text_add(out, ", \"value\": null");
        ag_text_add(out, "}");
    }
    ag_text_add(out, "]");
}

/* Names of formats need no escapes. */
static void add_json_format(ag_text *out, const ag_format *f, bool codes)
{
    ag_text_printf(out,
                   "{\"name\": \"%s\", \"bits\": %d, \"exponent\": %d, \"mantissa\": %d, "
                   "\"bias\": %d, \"kind\": \"%s\"",
                   f->name, f->bits, f->exponent, f->mantissa, f->bias, ag_format_kind_name(f));
    add_json_real(out, "max", f->max);
    add_json_real(out, "min_normal", f->min_normal);
    add_json_real(out, "min_subnormal", f->min_subnormal);
    ag_text_printf(out, ", \"inf\": %s, \"nan\": %s, \"negative_zero\": %s, \"aliases\": [",
                   f->has_inf ? "true" : "false", f->has_nan ? "true" : "false",
                   f->has_negative_zero ? "true" : "false");
    const char *alias;
    for (size_t i = 0; (alias = ag_formats_alias(f, i)) != NULL; i++)
        ag_text_printf(out, "%s\"%s\"", i > 0 ? ", " : "", alias);
    ag_text_add(out, "]");
    if (codes)
        add_json_codes(out, f);
    ag_text_add(out, "}");
}

/* Without the codes, which of all formats together would be megabytes. */
static ag_status add_json_table(ag_text *out)
{
    size_t count;
    const char *const *names = ag_format_known_names(&count);
    for (size_t i = 0; i < count; i++) {
        ag_format format;
        AG_TRY(ag_format_parse(&format, names[i]));
        ag_text_add(out, i > 0 ? ",\n " : "[");
        add_json_format(out, &format, false);
    }
    const ag_code_table *table;
    for (size_t i = 0; (table = ag_element_at(i)) != NULL; i++) {
        const ag_format format = ag_element_format(table);
        ag_text_add(out, ",\n ");
        add_json_format(out, &format, false);
    }
    ag_text_add(out, "]");
    return AG_OK;
}

/* What somebody sees who asks for the first time. */
static ag_status add_tables(ag_text *out)
{
    AG_TRY(add_table(out));
    ag_text_add(out, "\n");
    ag_formats_add_tables(out);
    ag_text_add(out, "\n");
    ag_formats_add_recipes(out);
    ag_text_add(out, "\n");
    ag_formats_add_accumulators(out);
    return AG_OK;
}

/* Lists are alone where they are asked for: a script gets one JSON value. */
static ag_status add_list(ag_text *out, const request *asked)
{
    if (asked->recipes && asked->json)
        return ag_formats_add_json_recipes(out, NULL);
    if (asked->accumulators && asked->json)
        ag_formats_add_json_accumulators(out);
    else if (asked->json)
        return add_json_table(out);
    else if (asked->recipes)
        ag_formats_add_recipes(out);
    else if (asked->accumulators)
        ag_formats_add_accumulators(out);
    else
        return add_tables(out);
    return AG_OK;
}

/* A slash begins a granularity, which no format has in its name. */
static bool names_recipe(const char *name)
{
    return ag_recipe_find(name) != NULL || strchr(name, '/') != NULL;
}

/* A recipe has several formats, and so no codes of its own. */
static ag_status add_recipe(ag_text *out, const request *asked)
{
    if (asked->codes)
        return ag_fail(AG_ERR_INPUT, "'%s' is a recipe: --codes lists the values of a format",
                       asked->name);
    return asked->json ? ag_formats_add_json_recipes(out, asked->name)
                       : ag_formats_add_recipe(out, asked->name);
}

/* A name that is wrong may be near to a recipe's. */
static ag_status parse_format(ag_format *format, const char *name)
{
    ag_layer_precision unused;
    ag_status status = ag_element_parse(format, name);
    if (status == AG_OK)
        return status;
    ag_error_clear();
    status = ag_recipe_parse(&unused, name);
    return status == AG_OK ? ag_element_parse(format, name) : status;
}

/* 2^32 lines would fill a disk before anybody noticed. */
static ag_status add_format(ag_text *out, const request *asked)
{
    ag_format format;
    AG_TRY(parse_format(&format, asked->name));
    if (asked->codes && format.bits > 16)
        return ag_fail(AG_ERR_INPUT, "%s has 2^%d codes: --codes lists formats of up to 16 bits",
                       format.name, format.bits);
    if (asked->json)
        add_json_format(out, &format, asked->codes);
    else if (asked->codes)
        add_codes(out, &format);
    else
        add_detail(out, &format);
    return AG_OK;
}

/* A name decides what it is about: formats and recipes share no name. */
static ag_status add_answer(ag_text *out, const request *asked)
{
    if (asked->name == NULL)
        return add_list(out, asked);
    return names_recipe(asked->name) ? add_recipe(out, asked) : add_format(out, asked);
}

/* Returns -1 when the command shall go on, else its exit code. */
static int read_options(request *asked, int argc, char **argv)
{
    int code = ag_app_read_options(asked, &s_line, argc, argv, NULL);
    if (code >= 0)
        return code;
    if (argc - optind > 1)
        return ag_app_usage("formats", "one format at a time");
    asked->name = argv[optind];
    if (asked->recipes && asked->accumulators)
        return ag_app_usage("formats", "--recipes or --accumulators, not both");
    if (asked->codes && asked->name == NULL)
        return ag_app_usage("formats", "--codes needs a NAME");
    return -1;
}

int ag_cmd_formats(int argc, char **argv)
{
    request asked = {0};
    int code = read_options(&asked, argc, argv);
    if (code >= 0)
        return code;
    ag_text out;
    ag_text_init(&out);
    ag_status status = ag_formats_read_tables(asked.experiment);
    if (status == AG_OK)
        status = add_answer(&out, &asked);
    if (status == AG_OK && out.failed)
        status = ag_fail(AG_ERR_SYSTEM, "out of memory");
    if (status == AG_OK)
        printf("%s%s", out.data, asked.json ? "\n" : "");
    ag_text_deinit(&out);
    return ag_app_exit(status);
}
