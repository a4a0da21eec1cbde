/* `accumulate` of a format: what adds up the products of its layers. A name of hardware, a format,
 * or the parts of an accumulator; for all three products of a layer, or one per product. */
#include <stdio.h>

#include "layer_formats.h"

static const char *const s_parts[] = {"terms", "fraction", "into",  "round",
                                      "floor", "promote",  "outer", NULL};
enum { N_PARTS = 7 };

static const char *const s_rounds[] = {"zero", "nearest"};

/* One part that is a whole number in a range; left out it stays as it is. */
static void read_number(int *out, ag_findings *findings, const ag_node *map, const char *key,
                        int least, int most)
{
    const ag_node *node = ag_node_get(map, key);
    char what[32];
    snprintf(what, sizeof what, "accumulate.%s", key);
    if (node != NULL)
        ag_node_int_within(out, findings, node, what, least, most);
}

static void read_register(ag_register *out, ag_findings *findings, const ag_node *map,
                          const char *key)
{
    const ag_node *node = ag_node_get(map, key);
    const char *text = NULL;
    if (node != NULL && ag_node_text(&text, findings, node, key) &&
        ag_register_parse(out, text) != AG_OK)
        ag_config_failed(findings, node->place);
}

/* {terms, fraction, into, round, floor, promote, outer}. Chains round to nearest and blocks toward
 * zero unless `round` says otherwise. */
static bool read_parts(ag_accumulator *out, ag_findings *findings, const ag_node *node)
{
    size_t errors = findings->errors;
    const ag_node *round = ag_node_get(node, "round");
    int word = 0;
    ag_node_check_keys(findings, node, s_parts, N_PARTS, "accumulate");
    *out = (ag_accumulator){.floor = AG_NO_FLOOR};
    if (ag_node_get(node, "terms") == NULL && findings->errors == errors)
        ag_config_error(findings, node->place,
                        "accumulate needs 'terms', the products added at a time: 1, one by one; or "
                        "name one, such as h100-fp8");
    read_number(&out->terms, findings, node, "terms", 1, AG_MOST_TERMS);
    read_number(&out->fraction, findings, node, "fraction", 1, 36);
    read_number(&out->floor, findings, node, "floor", -300, 127);
    read_number(&out->promote, findings, node, "promote", 1, 1 << 24);
    out->kind = out->terms == 1 ? AG_ACCUMULATE_CHAIN : AG_ACCUMULATE_BLOCK;
    out->toward_zero = out->kind == AG_ACCUMULATE_BLOCK;
    if (round != NULL && ag_node_word(&word, findings, round, "accumulate.round", s_rounds, 2))
        out->toward_zero = word == 0;
    if (findings->errors > errors || ag_register_parse(&out->into, "fp32") != AG_OK ||
        (out->promote > 0 && ag_register_parse(&out->outer, "fp32") != AG_OK))
        return false;
    read_register(&out->into, findings, node, "into");
    read_register(&out->outer, findings, node, "outer");
    if (findings->errors == errors && ag_accumulator_check(out) != AG_OK)
        ag_config_failed(findings, node->place);
    ag_accumulator_normalise(out);
    return findings->errors == errors;
}

/* "terms=4,into=fp32" as {terms: 4, into: fp32}. */
static void write_parts(char text[2 * AG_ACCUMULATOR_TEXT], const ag_accumulator *accumulator)
{
    char written[AG_ACCUMULATOR_TEXT];
    size_t length = 0;
    ag_accumulator_write(written, accumulator);
    text[length++] = '{';
    for (const char *at = written; *at != '\0'; at++) {
        text[length++] = (char)(*at == '=' ? ':' : *at);
        if (*at == '=' || *at == ',')
            text[length++] = ' ';
    }
    text[length++] = '}';
    text[length] = '\0';
}

/* What a name stands for multiplies certain formats; blocks of terms take any. False after an
 * error. */
static bool check_operands(const ag_layer_precision *precision, ag_findings *findings,
                           const ag_node *node, int product)
{
    const ag_accumulator_model *model =
        node->kind == AG_NODE_SCALAR ? ag_accumulator_find(node->text) : NULL;
    const ag_operand_use *operands = ag_linear_operands[product];
    const char *formats[2];
    char parts[2 * AG_ACCUMULATOR_TEXT];
    for (int i = 0; i < 2; i++) {
        const ag_scheme *scheme = &precision->scheme[operands[i].role][operands[i].use];
        formats[i] = scheme->quantised ? scheme->format.name : "bf16";
    }
    if (model == NULL || ag_accumulator_takes(model, formats[0], formats[1]) == AG_OK)
        return true;
    bool has_parts = model->kind == AG_ACCUMULATE_BLOCK;
    write_parts(parts, &precision->accumulate[product]);
    ag_config_error(findings, node->place,
                    "accumulate: %s (%s by %s); name another for this product, as in accumulate: "
                    "{fprop: .., dgrad: .., wgrad: ..}%s%s",
                    ag_error_message(), ag_use_words[operands[0].role][operands[0].use],
                    ag_use_words[operands[1].role][operands[1].use],
                    has_parts ? ", or give its parts, which take any format: " : "",
                    has_parts ? parts : "");
    ag_error_clear();
    return false;
}

/* A name, null or {terms, ...}. False after an error. */
static bool read_one(ag_accumulator *out, ag_findings *findings, const ag_node *node)
{
    const char *text = NULL;
    *out = (ag_accumulator){0};
    if (node->kind == AG_NODE_NULL)
        return true;
    if (node->kind == AG_NODE_MAP)
        return read_parts(out, findings, node);
    if (!ag_node_text(&text, findings, node, "accumulate"))
        return false;
    if (ag_accumulator_parse(out, text) == AG_OK)
        return true;
    ag_config_failed(findings, node->place);
    return false;
}

/* Whether a mapping has one entry per product (fprop, dgrad, wgrad). */
static bool is_by_product(const ag_node *node)
{
    bool by_product = false;
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++)
        by_product |= ag_node_get(node, ag_linear_product_words[product]) != NULL;
    return by_product;
}

/* One accumulator for all products, each of which must have operands that it takes. */
static void set_all(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    ag_accumulator accumulator;
    bool good = read_one(&accumulator, findings, node);
    for (int product = 0; product < AG_LINEAR_PRODUCTS && good; product++) {
        precision->accumulate[product] = accumulator;
        good = check_operands(precision, findings, node, product);
    }
}

void ag_format_accumulate(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    if (!is_by_product(node)) {
        set_all(precision, findings, node);
        return;
    }
    ag_node_check_keys(findings, node, ag_linear_product_words, AG_LINEAR_PRODUCTS,
                       "accumulate by product");
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        const ag_node *part = ag_node_get(node, ag_linear_product_words[product]);
        if (part != NULL && read_one(&precision->accumulate[product], findings, part))
            check_operands(precision, findings, part, product);
    }
}
