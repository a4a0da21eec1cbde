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

static void test_recipes_resolve(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *scheme[AG_ROLES]; /* weight, input, grad_output */
    } cases[] = {
        {"none",                                {"bf16", "bf16", "bf16"}                                    },
        {"BF16",                                {"bf16", "bf16", "bf16"}                                    },
        {"E3M4",
         {"e3m4f, per tensor, current amax", "e3m4f, per tensor, current amax",
          "e3m4f, per tensor, current amax"}                                                                },
        {"fp16",                                {"fp16, no scale", "fp16, no scale", "fp16, no scale"}      },
        {"hybrid",
         {"e4m3fn, per tensor, current amax", "e4m3fn, per tensor, current amax",
          "e5m2ieee, per tensor, current amax"}                                                             },
        {"Delayed",
         {"e4m3fn, per tensor, delayed amax (16)", "e4m3fn, per tensor, delayed amax (16)",
          "e5m2ieee, per tensor, delayed amax (16)"}                                                        },
        {"int8/tensor/delayed+pow2/stochastic",
         {"int8, per tensor, delayed amax (16), power-of-two scale, stochastic",
          "int8, per tensor, delayed amax (16), power-of-two scale, stochastic",
          "int8, per tensor, delayed amax (16), power-of-two scale, stochastic"}                            },
        {"bf16/tensor/none/stochastic",
         {"bf16, no scale, stochastic", "bf16, no scale, stochastic",
          "bf16, no scale, stochastic"}                                                                     },
        {"e4m3/tensor/none",                    {"e4m3fn, no scale", "e4m3fn, no scale", "e4m3fn, no scale"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_layer_precision precision;
        assert_ok(ag_recipe_parse(&precision, cases[i].name));
        for (int role = 0; role < AG_ROLES; role++) {
            for (int use = 0; use < AG_USES; use++)
                assert_scheme(&precision.scheme[role][use], cases[i].scheme[role]);
        }
    }
}

static void test_bad_recipes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *message;
    } cases[] = {
        {"mxfp8",                      "the recipe 'mxfp8' is not available"},
        {"INT8_row",                   "use 'hybrid', 'delayed'"            },
        {"nvfp4",                      "the recipe 'nvfp4' is not available"},
        {"hybird",                     "did you mean 'hybrid'"              },
        {"e4m3/row",                   "granularity 'row' is not available" },
        {"e4m3/b128x128",              "granularity 'b128x128' is not"      },
        {"e4m3/block",                 "there is no granularity 'block'"    },
        {"e4m3/",                      "there is no granularity ''"         },
        {"e4m3/tensor/e8m0floor",      "is for blocks"                      },
        {"e4m3/tensor/amx",            "there is no scale 'amx'"            },
        {"e4m3/tensor/amax+pow3",      "there is no scale 'amax+pow3'"      },
        {"e4m3/tensor/none+pow2",      "no power of two"                    },
        {"e4m3/tensor/amax/up",        "there is no rounding 'up'"          },
        {"e4m3/tensor/amax/nearest/x", "not of the form"                    },
        {"e9m3/tensor",                "9 exponent bits"                    },
        {"fp32",                       "precision of the whole run"         },
        {"bf16/tensor/amax",           "takes no scale"                     },
        {"e4m9fnn",                    "there is no format 'e4m9fnn'"       },
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
    assert_fails(AG_ERR_INPUT, "granularity 'mx'", ag_scheme_check(&scheme));
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
        cmocka_unit_test(test_bad_names_are_explained),
        cmocka_unit_test(test_recipes_resolve),
        cmocka_unit_test(test_bad_recipes_are_explained),
        cmocka_unit_test(test_normalising_folds_what_means_the_same),
        cmocka_unit_test(test_schemes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
