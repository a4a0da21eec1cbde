#include "support.h"

#include <stdlib.h>

#include "run/digest.h"
#include "run/run_json.h"

/* RFC 8785, appendix B, less its NaN and Infinity. */
static void test_numbers_of_rfc_8785(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        const char *text;
    } samples[] = {
        {0x0000000000000000, "0"                        },
        {0x8000000000000000, "0"                        },
        {0x0000000000000001, "5e-324"                   },
        {0x8000000000000001, "-5e-324"                  },
        {0x7fefffffffffffff, "1.7976931348623157e+308"  },
        {0xffefffffffffffff, "-1.7976931348623157e+308" },
        {0x4340000000000000, "9007199254740992"         },
        {0xc340000000000000, "-9007199254740992"        },
        {0x4430000000000000, "295147905179352830000"    },
        {0x44b52d02c7e14af5, "9.999999999999997e+22"    },
        {0x44b52d02c7e14af6, "1e+23"                    },
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"   },
        {0x444b1ae4d6e2ef4e, "999999999999999700000"    },
        {0x444b1ae4d6e2ef4f, "999999999999999900000"    },
        {0x444b1ae4d6e2ef50, "1e+21"                    },
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"     },
        {0x3eb0c6f7a0b5ed8d, "0.000001"                 },
        {0x41b3de4355555553, "333333333.3333332"        },
        {0x41b3de4355555554, "333333333.33333325"       },
        {0x41b3de4355555555, "333333333.3333333"        },
        {0x41b3de4355555556, "333333333.3333334"        },
        {0x41b3de4355555557, "333333333.33333343"       },
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"       },
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        double value;
        char text[32];
        memcpy(&value, &samples[i].bits, sizeof value);
        ag_json_real(text, value);
        assert_string_equal(text, samples[i].text);
    }
}

/* The spacing of doubles doubles at a power of two, where the nearest 16 digits of 2^-44 do not
 * read back but the next ones do; ECMAScript prints those. */
static void test_numbers_at_powers_of_two(void **state)
{
    (void)state;
    char text[32];
    ag_json_real(text, 0x1p-44);
    assert_string_equal(text, "5.684341886080802e-14");
    double value = 0x1p-1074;
    for (int exponent = -1074; exponent <= 1023; exponent++, value *= 2) {
        ag_json_real(text, value);
        assert_true(strtod(text, NULL) == value);
        ag_json_real(text, -value);
        assert_true(strtod(text, NULL) == -value);
    }
}

/* Everyday values, as JavaScript prints them. */
static void test_everyday_numbers(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } samples[] = {
        {1e-3,       "0.001"     },
        {6e-4,       "0.0006"    },
        {1e-8,       "1e-8"      },
        {0.1,        "0.1"       },
        {1,          "1"         },
        {100,        "100"       },
        {1.5,        "1.5"       },
        {0.99,       "0.99"      },
        {-2,         "-2"        },
        {1e21,       "1e+21"     },
        {1e-6,       "0.000001"  },
        {1e-7,       "1e-7"      },
        {123456.789, "123456.789"},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char text[32];
        ag_json_real(text, samples[i].value);
        assert_string_equal(text, samples[i].text);
    }
}

/* RFC 8785, 3.2.2.2: the string of its example, with its expected form. */
static void test_strings_of_rfc_8785(void **state)
{
    (void)state;
    ag_text text;
    ag_text_init(&text);
    ag_json_string(&text, "\xe2\x82\xac$\x0f\nA'B\"\\\\\"/");
    assert_string_equal(text.data, "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
    ag_text_deinit(&text);
    ag_text_init(&text);
    ag_json_string(&text, "\b\t\n\f\r\x01\x1f\x7f");
    assert_string_equal(text.data, "\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\"");
    ag_text_deinit(&text);
}

/* NIST's example values for FIPS 180-4, and the empty message. */
static void test_sha256_of_fips_180_4(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        const char *digest;
    } samples[] = {
        {"",                                                         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc",                                                      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"                                                            },
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char hex[AG_DIGEST_LENGTH + 1];
        assert_ok(ag_sha256_of(hex, samples[i].message, strlen(samples[i].message)));
        assert_string_equal(hex, samples[i].digest);
    }
}

/* A million times "a", added in uneven pieces. */
static void test_sha256_in_pieces(void **state)
{
    (void)state;
    static char letters[1000];
    memset(letters, 'a', sizeof letters);
    char hex[AG_DIGEST_LENGTH + 1];
    ag_sha256 *hash = NULL;
    assert_ok(ag_sha256_create(&hash));
    size_t left = 1000000;
    for (size_t piece = 1; left > 0; piece = piece % 997 + 3) {
        size_t count = piece < left ? piece : left;
        ag_sha256_add(hash, letters, count);
        left -= count;
    }
    ag_sha256_hex(hash, hex);
    ag_sha256_destroy(hash);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_rfc_8785),
        cmocka_unit_test(test_numbers_at_powers_of_two),
        cmocka_unit_test(test_everyday_numbers),
        cmocka_unit_test(test_strings_of_rfc_8785),
        cmocka_unit_test(test_sha256_of_fips_180_4),
        cmocka_unit_test(test_sha256_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
