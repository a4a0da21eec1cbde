/* `hadamard` of a format: which products have their operands rotated along the sum, in runs of
 * which size, by which signs. `true` is wgrad's, in runs of 16 with the signs of Transformer
 * Engine. */
#include "layer_formats.h"

typedef struct choice {
    int size;
    int signs;
    bool on[AG_LINEAR_PRODUCTS];
} choice;

static void read_size(choice *c, ag_findings *findings, const ag_node *node)
{
    if (!ag_node_int_within(&c->size, findings, node, "hadamard.size", AG_LEAST_HADAMARD,
                            AG_MOST_HADAMARD))
        return;
    if ((c->size & (c->size - 1)) != 0)
        ag_config_error(findings, node->place, "hadamard.size is %d: expected 16, 32, 64 or 128",
                        c->size);
}

/* A product that is listed twice has a slip in it. */
static void read_products(choice *c, ag_findings *findings, const ag_node *node)
{
    if (!ag_node_is(findings, node, AG_NODE_LIST, "hadamard.products"))
        return;
    c->on[AG_WGRAD] = false;
    if (node->count == 0)
        ag_config_error(findings, node->place,
                        "hadamard.products is empty: name fprop, dgrad or wgrad, or say "
                        "'hadamard: false'");
    for (size_t i = 0; i < node->count; i++) {
        int product = 0;
        if (!ag_node_word(&product, findings, node->items[i], "hadamard.products",
                          ag_linear_product_words, AG_LINEAR_PRODUCTS))
            return;
        if (c->on[product])
            ag_config_error(findings, node->items[i]->place, "hadamard.products has %s twice",
                            ag_linear_product_words[product]);
        c->on[product] = true;
    }
}

static void read_mapping(choice *c, ag_findings *findings, const ag_node *node)
{
    static const char *const keys[] = {"size", "products", "signs"};
    const ag_node *part;
    ag_node_check_keys(findings, node, keys, 3, "hadamard");
    if ((part = ag_node_get(node, "size")) != NULL)
        read_size(c, findings, part);
    if ((part = ag_node_get(node, "products")) != NULL)
        read_products(c, findings, part);
    if ((part = ag_node_get(node, "signs")) != NULL)
        ag_node_word(&c->signs, findings, part, "hadamard.signs", ag_signs_words, AG_SIGNS);
}

/* Whether a product has an operand to rotate; the other one's lack is told by the check of the
 * whole. */
static bool has_operand(const ag_layer_precision *precision, const ag_operand_use of[2])
{
    return precision->scheme[of[0].role][of[0].use].quantised ||
           precision->scheme[of[1].role][of[1].use].quantised;
}

void ag_format_hadamard(ag_layer_precision *precision, ag_findings *findings, const ag_node *node)
{
    choice c = {.size = AG_LEAST_HADAMARD, .on = {[AG_WGRAD] = true}};
    bool yes = true;
    if (node->kind == AG_NODE_MAP)
        read_mapping(&c, findings, node);
    else if (!ag_node_bool(&yes, findings, node, "hadamard"))
        return;
    for (int product = 0; product < AG_LINEAR_PRODUCTS; product++) {
        const ag_operand_use *of = ag_linear_operands[product];
        if (c.on[product] && !has_operand(precision, of))
            ag_config_error(
                findings, node->place, "hadamard has no effect here: %s and %s are BF16",
                ag_use_words[of[1].role][of[1].use], ag_use_words[of[0].role][of[0].use]);
        for (int i = 0; i < 2; i++) {
            ag_scheme *scheme = &precision->scheme[of[i].role][of[i].use];
            scheme->hadamard = yes && c.on[product] && scheme->quantised ? c.size : 0;
            scheme->signs = scheme->hadamard > 0 ? (ag_signs)c.signs : AG_SIGNS_FIXED;
        }
    }
}
