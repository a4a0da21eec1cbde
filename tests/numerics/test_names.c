/* What names mean. Expected limits: OCP OFP8 1.0 and MX 1.0, ml_dtypes' finfo, and arithmetic by
 * hand for the splits that no standard defines. */
#include "support.h"

#include <math.h>

#include "numerics/recipe.h"

static ag_format parsed(const char *name)
{
    ag_format format;
    assert_ok(ag_format_parse(&format, name));
    return format;
}

static void test_names_resolve(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *resolved;
        int bias;
        float max;
        float min_normal;
        float min_subnormal;
    } cases[] = {
        {"E5M2",               "e5m2ieee",    15,  57344.0f,        0x1p-14f,  0x1p-16f },
        {"e4m3",               "e4m3fn",      7,   448.0f,          0x1p-6f,   0x1p-9f  },
        {"FP8_E4M3",           "e4m3fn",      7,   448.0f,          0x1p-6f,   0x1p-9f  },
        {"float8_e4m3",        "e4m3ieee",    7,   240.0f,          0x1p-6f,   0x1p-9f  },
        {"float8_e4m3fnuz",    "e4m3fnuz",    8,   240.0f,          0x1p-7f,   0x1p-10f },
        {"e4m3b8fnuz",         "e4m3fnuz",    8,   240.0f,          0x1p-7f,   0x1p-10f },
        {"float8_e4m3b11fnuz", "e4m3b11fnuz", 11,  30.0f,           0x1p-10f,  0x1p-13f },
        {"float8_e5m2fnuz",    "e5m2fnuz",    16,  57344.0f,        0x1p-15f,  0x1p-17f },
        {"float8_e3m4",        "e3m4ieee",    3,   15.5f,           0x1p-2f,   0x1p-6f  },
        {"E3M4",               "e3m4f",       3,   31.0f,           0x1p-2f,   0x1p-6f  },
        {"e3m4fn",             "e3m4fn",      3,   30.0f,           0x1p-2f,   0x1p-6f  },
        {"E0M7",               "e0m7f",       1,   0x1.fcp-1f,      0.0f,      0x1p-7f  },
        {"e1m6",               "e1m6f",       0,   3.96875f,        2.0f,      0x1p-5f  },
        {"e6m1",               "e6m1f",       31,  0x1.8p32f,       0x1p-30f,  0x1p-31f },
        {"e7m0",               "e7m0f",       63,  0x1p64f,         0x1p-62f,  0.0f     },
        {"float6_e3m2fn",      "e3m2f",       3,   28.0f,           0.25f,     0.0625f  },
        {"float6_e2m3fn",      "e2m3f",       1,   7.5f,            1.0f,      0.125f   },
        {"E2M1",               "e2m1f",       1,   6.0f,            1.0f,      0.5f     },
        {"float4_e2m1fn",      "e2m1f",       1,   6.0f,            1.0f,      0.5f     },
        {"e2m1fn",             "e2m1f",       1,   6.0f,            1.0f,      0.5f     },
        {"int8",               "int8",        -6,  127.0f,          0.0f,      1.0f     },
        {"e0m7b-6",            "int8",        -6,  127.0f,          0.0f,      1.0f     },
        {"INT4",               "int4",        -2,  7.0f,            0.0f,      1.0f     },
        {"int16",              "int16",       -14, 32767.0f,        0.0f,      1.0f     },
        {"fp16",               "fp16",        15,  65504.0f,        0x1p-14f,  0x1p-24f },
        {"float16",            "fp16",        15,  65504.0f,        0x1p-14f,  0x1p-24f },
        {"bfloat16",           "bf16",        127, 0x1.fep127f,     0x1p-126f, 0x1p-133f},
        {"e8m7ieee",           "bf16",        127, 0x1.fep127f,     0x1p-126f, 0x1p-133f},
        {"FP32",               "fp32",        127, 0x1.fffffep127f, 0x1p-126f, 0x1p-149f},
        {"e4m3b-3f",           "e4m3b-3f",    -3,  0x1.ep18f,       0x1p4f,    0x1p1f   },
        {"binary8p3se",        "e5m2p",       16,  49152.0f,        0x1p-15f,  0x1p-17f },
        {"binary8p4se",        "e4m3p",       8,   224.0f,          0x1p-7f,   0x1p-10f },
        {"binary8p3sf",        "e5m2fnuz",    16,  57344.0f,        0x1p-15f,  0x1p-17f },
        {"binary8p4sf",        "e4m3fnuz",    8,   240.0f,          0x1p-7f,   0x1p-10f },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_format format = parsed(cases[i].name);
        assert_string_equal(format.name, cases[i].resolved);
        assert_int_equal(format.bias, cases[i].bias);
        assert_int_equal(bits_of(format.max), bits_of(cases[i].max));
        assert_int_equal(format.max_bits, bits_of(cases[i].max));
        assert_int_equal(bits_of(format.min_normal), bits_of(cases[i].min_normal));
        assert_int_equal(bits_of(format.min_subnormal), bits_of(cases[i].min_subnormal));
        assert_true(ldexpf(1.0f, format.emax) <= format.max);
        assert_true(format.max / 2.0f < ldexpf(1.0f, format.emax));
    }
}

static void test_resolved_names_resolve_to_themselves(void **state)
{
    (void)state;
    size_t count;
    const char *const *names = ag_format_known_names(&count);
    assert_true(count > 20);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(parsed(names[i]).name, names[i]);
        const char *alias;
        for (size_t k = 0; (alias = ag_format_alias(names[i], k)) != NULL; k++)
            assert_string_equal(parsed(alias).name, names[i]);
    }
}

/* Whole numbers of the smallest step by the formats' tables of values, up to the 127 of a byte. */
static void test_formats_of_small_integers(void **state)
{
    static const struct {
        const char *name;
        int most; /* 0: has no codes */
    } rows[] = {
        {"int8",    127},
        {"int4",    7  },
        {"e0m7b0f", 127},
        {"e0m3b0f", 7  },
        {"e2m1",    12 }, /* 6 / 0.5 */
        {"e2m3",    60 }, /* 7.5 / 0.125 */
        {"e3m2",    0  }, /* 28 / 0.0625 = 448 */
        {"e4m3",    0  },
        {"e3m0",    0  }, /* no subnormal number, no step */
        {"bf16",    0  },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ag_format format = parsed(rows[i].name);
        assert_int_equal(ag_format_has_codes(&format), rows[i].most > 0);
        if (rows[i].most > 0)
            assert_int_equal(ag_format_most_code(&format), rows[i].most);
    }
}

static void test_bad_names_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *message;
    } cases[] = {
        {"",                                       "there is no format ''"        },
        {"e4m3fm",                                 "did you mean 'e4m3fn'"        },
        {"bf61",                                   "did you mean 'bf16'"          },
        {"xyz",                                    "expected fp32"                },
        {"e4",                                     "there is no format 'e4'"      },
        {"em3",                                    "there is no format 'em3'"     },
        {"e4m",                                    "there is no format 'e4m'"     },
        {"e4m3b",                                  "there is no format 'e4m3b'"   },
        {"e4m3b-",                                 "there is no format 'e4m3b-'"  },
        {"e4m3 ",                                  "there is no format 'e4m3 '"   },
        {"e99999m3",                               "there is no format 'e99999m3'"},
        {"float8_e2m5",                            "there is no format"           },
        {"e9m2",                                   "9 exponent bits: at most 8"   },
        {"e999m2",                                 "999 exponent bits"            },
        {"e0m16",                                  "17 bits"                      },
        {"e8m8",                                   "17 bits, sign included"       },
        {"e0m0",                                   "2 to 16 are possible"         },
        {"e8m7",                                   "float32 does not"             },
        {"e5m2b128",                               "bias 128: at most 127"        },
        {"e5m2b-200",                              "float32 does not"             },
        {"e8m7b126ieee",                           "float32 does not"             },
        {"e4m15b127",                              "20 bits"                      },
        {"e1m2ieee",                               "at least 2 exponent bits"     },
        {"e7m0ieee",                               "at least 2 exponent bits"     },
        {"e8m0",                                   "format of scales"             },
        {"float8_e8m0fnu",                         "format of scales"             },
        {"none",                                   "no quantisation"              },
        {"int1",                                   "1 bits"                       },
        {"int17",                                  "17 bits"                      },
        {"int32",                                  "32 bits"                      },
        {"int",                                    "did you mean"                 },
        {"int8x",                                  "did you mean 'int8'"          },
        {"fp8_e2m1",                               "says 8 bits, but e2m1 has 4"  },
        {"fp8_fp16",                               "there is no format"           },
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "there is no format"           },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_format format;
        assert_fails(AG_ERR_INPUT, cases[i].message, ag_format_parse(&format, cases[i].name));
    }
}

static void assert_scheme(const ag_scheme *scheme, const char *expected)
{
    char text[160];
    ag_scheme_describe(text, sizeof text, scheme);
    assert_string_equal(text, expected);
}

static void test_schemes_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *scheme;
    } cases[] = {
        {"none",                                "bf16"                                                     },
        {"BF16",                                "bf16"                                                     },
        {"E3M4",                                "e3m4f, per tensor, current amax"                          },
        {"fp16",                                "fp16, no scale"                                           },
        {"int8/tensor/delayed+pow2/stochastic",
         "int8, per tensor, delayed amax (16), power-of-two scale, stochastic"                             },
        {"bf16/tensor/none/stochastic",         "bf16, no scale, stochastic"                               },
        {"e4m3/tensor/none",                    "e4m3fn, no scale"                                         },
        {"e4m3/Row",                            "e4m3fn, per row, current amax"                            },
        {"e4m3/col/amax+pow2",                  "e4m3fn, per column, current amax, power-of-two scale"     },
        {"e4m3/1x128",                          "e4m3fn, blocks of 1x128, current amax, power-of-two scale"},
        {"e4m3/b128x128/amax",                  "e4m3fn, blocks of 128x128, current amax"                  },
        {"e4m3/mx",                             "e4m3fn, MX blocks of 32, E8M0 scale (rceil)"              },
        {"int8/MX",                             "int8, MX blocks of 32, E8M0 scale (floor)"                },
        {"e2m1/mx/E8M0floor/Stochastic",        "e2m1f, MX blocks of 32, E8M0 scale (floor), stochastic"   },
        {"e2m1/nv",                             "e2m1f, NVFP4 blocks of 1x16"                              },
        {"e2m1/nv16x16",                        "e2m1f, NVFP4 blocks of 16x16"                             },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_layer_precision precision;
        assert_ok(ag_recipe_parse(&precision, cases[i].name));
        for (int j = 0; j < AG_ROLES * AG_USES; j++)
            assert_scheme(&precision.scheme[j / AG_USES][j % AG_USES], cases[i].scheme);
    }
}

/* The table of recipes, product by product. */
#define TENSOR "per tensor, current amax"
#define DELAYED "per tensor, delayed amax (16)"
#define ROW "e4m3fn, per row, current amax, power-of-two scale"
#define BLOCK ", current amax, power-of-two scale"
#define MX "MX blocks of 32, E8M0 scale (rceil)"
#define NV "e2m1f, NVFP4 blocks of 1x16"
static const struct {
    const char *name;
    const char *fprop[2];    /* X, W */
    const char *dgrad[2];    /* dY, W */
    const char *wgrad[2];    /* dY, X */
    bool one_copy[AG_ROLES]; /* of weight, input, grad_output for both products */
} s_recipes[] = {
    {"hybrid",
     {"e4m3fn, " TENSOR, "e4m3fn, " TENSOR},
     {"e5m2ieee, " TENSOR, "e4m3fn, " TENSOR},
     {"e5m2ieee, " TENSOR, "e4m3fn, " TENSOR},
     {true, true, true}                                                                                                 },
    {"Delayed",
     {"e4m3fn, " DELAYED, "e4m3fn, " DELAYED},
     {"e5m2ieee, " DELAYED, "e4m3fn, " DELAYED},
     {"e5m2ieee, " DELAYED, "e4m3fn, " DELAYED},
     {true, true, true}                                                                                                 },
    {"row",        {ROW, ROW},                                             {ROW, ROW}, {ROW, ROW}, {false, false, false}},
    {"row_gw_hp",
     {ROW, ROW},
     {ROW, "e4m3fn, " TENSOR ", power-of-two scale"},
     {"bf16", "bf16"},
     {false, false, false}                                                                                              },
    {"block128",
     {"e4m3fn, blocks of 1x128" BLOCK, "e4m3fn, blocks of 128x128" BLOCK},
     {"e4m3fn, blocks of 1x128" BLOCK, "e4m3fn, blocks of 128x128" BLOCK},
     {"e4m3fn, blocks of 1x128" BLOCK, "e4m3fn, blocks of 1x128" BLOCK},
     {true, false, false}                                                                                               },
    {"mxfp8",
     {"e4m3fn, " MX, "e4m3fn, " MX},
     {"e4m3fn, " MX, "e4m3fn, " MX},
     {"e4m3fn, " MX, "e4m3fn, " MX},
     {false, false, false}                                                                                              },
    {"mxfp8_e5m2",
     {"e5m2ieee, " MX, "e5m2ieee, " MX},
     {"e5m2ieee, " MX, "e5m2ieee, " MX},
     {"e5m2ieee, " MX, "e5m2ieee, " MX},
     {false, false, false}                                                                                              },
    {"mxfp6_e3m2",
     {"e3m2f, " MX, "e3m2f, " MX},
     {"e3m2f, " MX, "e3m2f, " MX},
     {"e3m2f, " MX, "e3m2f, " MX},
     {false, false, false}                                                                                              },
    {"mxfp6_e2m3",
     {"e2m3f, " MX, "e2m3f, " MX},
     {"e2m3f, " MX, "e2m3f, " MX},
     {"e2m3f, " MX, "e2m3f, " MX},
     {false, false, false}                                                                                              },
    {"mxfp4",
     {"e2m1f, " MX, "e2m1f, " MX},
     {"e2m1f, " MX ", stochastic", "e2m1f, " MX},
     {"e2m1f, " MX ", stochastic", "e2m1f, " MX},
     {false, false, false}                                                                                              },
    {"mxint8",
     {"e0m7b0f, MX blocks of 32, E8M0 scale (floor)",
      "e0m7b0f, MX blocks of 32, E8M0 scale (floor)"},
     {"e0m7b0f, MX blocks of 32, E8M0 scale (floor)",
      "e0m7b0f, MX blocks of 32, E8M0 scale (floor)"},
     {"e0m7b0f, MX blocks of 32, E8M0 scale (floor)",
      "e0m7b0f, MX blocks of 32, E8M0 scale (floor)"},
     {false, false, false}                                                                                              },
    {"mxint4",
     {"e0m3b0f, MX blocks of 32, E8M0 scale (floor)",
      "e0m3b0f, MX blocks of 32, E8M0 scale (floor)"},
     {"e0m3b0f, MX blocks of 32, E8M0 scale (floor)",
      "e0m3b0f, MX blocks of 32, E8M0 scale (floor)"},
     {"e0m3b0f, MX blocks of 32, E8M0 scale (floor)",
      "e0m3b0f, MX blocks of 32, E8M0 scale (floor)"},
     {false, false, false}                                                                                              },
    {"nvfp4",
     {NV, "e2m1f, NVFP4 blocks of 16x16"},
     {NV ", stochastic", "e2m1f, NVFP4 blocks of 16x16"},
     {NV ", stochastic, Hadamard transform", NV ", Hadamard transform"},
     {true, false, false}                                                                                               },
    {"int8_row",
     {"int8, per row, current amax", "int8, per row, current amax"},
     {"int8, per row, current amax", "int8, per row, current amax"},
     {"int8, per row, current amax", "int8, per row, current amax"},
     {false, false, false}                                                                                              },
};

static void test_recipes_route_each_operand(void **state)
{
    (void)state;
    size_t count;
    ag_recipe_list(&count);
    assert_int_equal(count, sizeof s_recipes / sizeof s_recipes[0]);
    for (size_t i = 0; i < count; i++) {
        ag_layer_precision p;
        assert_ok(ag_recipe_parse(&p, s_recipes[i].name));
        assert_ok(ag_layer_precision_check(&p));
        assert_scheme(&p.scheme[AG_ROLE_INPUT][0], s_recipes[i].fprop[0]);
        assert_scheme(&p.scheme[AG_ROLE_WEIGHT][0], s_recipes[i].fprop[1]);
        assert_scheme(&p.scheme[AG_ROLE_GRAD_OUTPUT][0], s_recipes[i].dgrad[0]);
        assert_scheme(&p.scheme[AG_ROLE_WEIGHT][1], s_recipes[i].dgrad[1]);
        assert_scheme(&p.scheme[AG_ROLE_GRAD_OUTPUT][1], s_recipes[i].wgrad[0]);
        assert_scheme(&p.scheme[AG_ROLE_INPUT][1], s_recipes[i].wgrad[1]);
        for (int role = 0; role < AG_ROLES; role++)
            assert_int_equal(ag_scheme_serves_both(p.scheme[role]), s_recipes[i].one_copy[role]);
    }
}

static void test_recipes_have_aliases(void **state)
{
    (void)state;
    assert_ptr_equal(ag_recipe_find("MXFP8_E4M3"), ag_recipe_find("mxfp8"));
    assert_ptr_equal(ag_recipe_find("mxfp4_e2m1"), ag_recipe_find("mxfp4"));
    assert_null(ag_recipe_find("e4m3"));
}

/* A product whose operands are transformed on one side only would be another product. */
static void test_hadamard_is_for_both_operands(void **state)
{
    (void)state;
    ag_layer_precision p;
    assert_ok(ag_recipe_parse(&p, "nvfp4"));
    p.scheme[AG_ROLE_INPUT][1] = (ag_scheme){0};
    assert_fails(AG_ERR_INPUT,
                 "grad_output.wgrad has a Hadamard transform and input.wgrad has none",
                 ag_layer_precision_check(&p));
    p.scheme[AG_ROLE_GRAD_OUTPUT][1].hadamard = 0;
    assert_ok(ag_layer_precision_check(&p));
    p.scheme[AG_ROLE_INPUT][0].hadamard = 16;
    assert_fails(AG_ERR_INPUT, "input.fprop has a Hadamard transform and weight.fprop has none",
                 ag_layer_precision_check(&p));
    p.scheme[AG_ROLE_WEIGHT][0].hadamard = 32;
    assert_fails(AG_ERR_INPUT, "differ in size or signs", ag_layer_precision_check(&p));
}

static void test_bad_recipes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *message;
    } cases[] = {
        {"mxfp5",                               "did you mean 'mxfp8'"                 },
        {"int8row",                             "did you mean 'int8_row'"              },
        {"hybird",                              "did you mean 'hybrid'"                },
        {"e4m3/rows",                           "there is no granularity 'rows'"       },
        {"e4m3/b0x128",                         "blocks are 0x128"                     },
        {"e4m3/block",                          "there is no granularity 'block'"      },
        {"e4m3/",                               "there is no granularity ''"           },
        {"e4m3/tensor/e8m0floor",               "is for blocks: granularity 'mx'"      },
        {"e4m3/mx/e8m0ceil",                    "there is no scale 'e8m0ceil'"         },
        {"e4m3/mx/delayed",                     "'delayed' is for granularity 'tensor'"},
        {"e4m3/nv",                             "elements are e2m1f"                   },
        {"e4m3/row/delayed",                    "one history per tensor"               },
        {"fp16/row",                            "add 'amax: current'"                  },
        {"bf16/mx",                             "takes no scale"                       },
        {"e4m3/tensor/amx",                     "there is no scale 'amx'"              },
        {"e4m3/tensor/amax+pow3",               "there is no scale 'amax+pow3'"        },
        {"e4m3/tensor/none+pow2",               "no power of two"                      },
        {"e4m3/tensor/amax/up",                 "there is no rounding 'up'"            },
        {"e4m3/tensor/amax/nearest/x",          "expected hadamard"                    },
        {"e4m3/tensor/amax/nearest/hadamard24", "expected 16, 32, 64 or 128"           },
        {"e4m3/tensor/amax/nearest/hadamard/x", "not of the form"                      },
        {"e9m3/tensor",                         "9 exponent bits"                      },
        {"fp32",                                "precision of the whole run"           },
        {"bf16/tensor/amax",                    "takes no scale"                       },
        {"e4m9fnn",                             "there is no format 'e4m9fnn'"         },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_layer_precision precision;
        assert_fails(AG_ERR_INPUT, cases[i].message, ag_recipe_parse(&precision, cases[i].name));
    }
}

/* Pairs that mean the same become equal, pairs that do not stay apart. */
static void test_normalising_folds_what_means_the_same(void **state)
{
    (void)state;
    ag_format format = parsed("e3m4");
    ag_scheme current = ag_scheme_plain(&format);
    ag_scheme other = current;
    other.amax = AG_AMAX_WINDOWED;
    other.history = 1;
    other.overflow = AG_OVERFLOW_SPECIAL; /* e3m4f has no special value */
    assert_false(ag_scheme_equal(&current, &other));
    ag_scheme_normalise(&other);
    assert_true(ag_scheme_equal(&current, &other));

    other.amax = AG_AMAX_NONE;
    other.margin = 3;
    other.pow2 = true;
    ag_scheme_normalise(&other);
    assert_int_equal(other.margin, 0);
    assert_false(other.pow2);
    assert_false(ag_scheme_equal(&current, &other));

    other.quantised = false;
    ag_scheme_normalise(&other);
    assert_true(ag_scheme_equal(&other, &(ag_scheme){0}));
}

static void test_schemes_are_checked(void **state)
{
    (void)state;
    ag_format format = parsed("e4m3");
    ag_scheme scheme = ag_scheme_plain(&format);
    assert_ok(ag_scheme_check(&scheme));
    scheme.granularity = AG_GRANULARITY_MX;
    assert_fails(AG_ERR_INPUT, "MX blocks are 1x32", ag_scheme_check(&scheme));
    assert_ok(ag_scheme_set_granularity(&scheme, "mx"));
    assert_ok(ag_scheme_check(&scheme));
    scheme.margin = 1;
    assert_fails(AG_ERR_INPUT, "takes no margin", ag_scheme_check(&scheme));
    assert_ok(ag_scheme_parse(&scheme, "e2m1/nv"));
    scheme.block_rows = 2;
    assert_fails(AG_ERR_INPUT, "1x16 or 16x16", ag_scheme_check(&scheme));
    scheme = ag_scheme_plain(&format);
    scheme.amax = AG_AMAX_DELAYED;
    assert_fails(AG_ERR_INPUT, "history is 0", ag_scheme_check(&scheme));
    scheme = ag_scheme_plain(&format);
    scheme.margin = 1000;
    assert_fails(AG_ERR_INPUT, "margin is 1000", ag_scheme_check(&scheme));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_resolve),
        cmocka_unit_test(test_resolved_names_resolve_to_themselves),
        cmocka_unit_test(test_formats_of_small_integers),
        cmocka_unit_test(test_bad_names_are_explained),
        cmocka_unit_test(test_schemes_by_name),
        cmocka_unit_test(test_recipes_route_each_operand),
        cmocka_unit_test(test_recipes_have_aliases),
        cmocka_unit_test(test_hadamard_is_for_both_operands),
        cmocka_unit_test(test_bad_recipes_are_explained),
        cmocka_unit_test(test_normalising_folds_what_means_the_same),
        cmocka_unit_test(test_schemes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
