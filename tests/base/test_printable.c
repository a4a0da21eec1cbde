/* Names that users chose: what may stand in them, how they are shown, how wide they are. */
#include "base/printable.h"
#include "support.h"

static void test_control_characters_are_found(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a\nb",         "\x1b[31m",      "tab\t",           "\x7f",
        "c1\xc2\x85",   "\xe2\x80\xa8",  "\xe2\x80\xa9",    "\xe2\x80\xae",
        "\xe2\x81\xa6", "\xe2\x81\xa9",  "\xe2\x80\x8e",    "\xe2\x80\x8f",
        "\xd8\x9c",     "a\xef\xbb\xbf", "\xed\xa0\x80",    "\xff",
        "\xc0\xaf",     "cut\xe2\x82",   "\xf4\x90\x80\x80"};
    static const char *const good[] = {"",
                                       "w/o grads",
                                       "$x^{$",
                                       "100 %",
                                       "\"quoted\" 'names'",
                                       "\xe4\xb8\xad\xe6\x96\x87",
                                       "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac",
                                       "e\xcc\x81",
                                       "\xc2\xa0",
                                       "back\\slash"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(ag_find_control(bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_null(ag_find_control(good[i]));
    const char *text = "ab\033c";
    assert_ptr_equal(ag_find_control(text), text + 2);
}

static void check_shown(const char *text, const char *wanted)
{
    ag_text shown;
    ag_text_init(&shown);
    ag_text_add_printable(&shown, text);
    assert_string_equal(shown.data, wanted);
    ag_text_deinit(&shown);
}

static void test_control_characters_are_shown_escaped(void **state)
{
    (void)state;
    check_shown("a\nb\tc\r", "a\\nb\\tc\\r");
    check_shown("\033[31mred", "\\u001b[31mred");
    check_shown("\xe2\x80\xaeright to left", "\\u202eright to left");
    check_shown("\xc2\x9b"
                "31m \xff \xe4\xb8\xad",
                "\\u009b31m \\xff \xe4\xb8\xad");
    ag_text lines;
    ag_text_init(&lines);
    ag_text_add_printable_n(&lines, "a\tb\n\033c and more", 6, "\n\t");
    assert_string_equal(lines.data, "a\tb\n\\u001bc");
    ag_text_deinit(&lines);
}

/* Widths by the Unicode standard's EastAsianWidth.txt and general categories. */
static void test_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        {"E4M3",                         4 },
        {"\xe4\xb8\xad\xe6\x96\x87",     4 }, /* U+4E2D, U+6587: W */
        {"\xef\xbc\xa1",                 2 }, /* U+FF21: F */
        {"\xef\xbd\xb1",                 1 }, /* U+FF71, half-width katakana: H */
        {"\xed\x95\x9c",                 2 }, /* U+D55C, a Hangul syllable */
        {"\xe1\x84\x92\xe1\x85\xa1",     2 }, /* the same kind in two parts, U+1112 and U+1161 */
        {"e\xcc\x81",                    1 }, /* U+0301: Mn */
        {"\xc2\xb1",                     1 }, /* U+00B1: ambiguous, one column */
        {"\xf0\x9f\x98\x80",             2 }, /* U+1F600: W */
        {"\xf0\x9f\x91\xa9\xe2\x80\x8d", 2 }, /* a joiner takes none */
        {"a\nb\033",                     10}, /* a\nb\u001b */
        {"\xd7\x90",                     1 }, /* Hebrew */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(ag_text_width(cases[i].text), cases[i].columns);
    assert_int_equal(ag_text_fit("\xe4\xb8\xad\xe6\x96\x87x", 3), 3);
    assert_int_equal(ag_text_fit("\xe4\xb8\xad\xe6\x96\x87x", 5), 7);
    assert_int_equal(ag_text_fit("e\xcc\x81"
                                 "e",
                                 1),
                     3);
}

static void test_padding_counts_columns(void **state)
{
    (void)state;
    ag_text text;
    ag_text_init(&text);
    ag_text_add_padded(&text, "\xe4\xb8\xad", 4);
    ag_text_add_padded(&text, "a\nb", 5);
    ag_text_add_padded(&text, "longer", 3);
    assert_string_equal(text.data, "\xe4\xb8\xad  a\\nb longer");
    ag_text_deinit(&text);
}

static void test_names_are_shortened_in_their_words(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        size_t columns;
        const char *expected;
    } cases[] = {
        {"E4M3 seed=0",                        13, "E4M3 seed=0  "             },
        {"e6m1f all_but_attn_proj seed=2",     21, "e6m1f all_\u2026roj seed=2"},
        {"e6m1f all_but_attn_pv seed=2",       21, "e6m1f all_\u2026_pv seed=2"},
        {"\u65e5\u672c\u8a9e\u65e5\u672c s=1", 10, "\u65e5\u2026\u672c s=1 "   },
        {"",                                   2,  "  "                        },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_text text;
        ag_text_init(&text);
        ag_text_add_short(&text, cases[i].words, cases[i].columns);
        assert_string_equal(text.data, cases[i].expected);
        ag_text_deinit(&text);
    }
}

/* Nor is a character cut where a word has more bytes than any room for it: 1000 of two columns and
 * three bytes each, after one or two bytes, so that every limit of bytes falls within one. */
static void test_long_names_are_shortened(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "\u6f22\u6f22\u2026\u6f22\u6f22 s=1",
        "x\u6f22\u2026\u6f22\u6f22 s=1 ",
        "xx\u6f22\u2026\u6f22\u6f22 s=1",
    };
    for (size_t before = 0; before < 3; before++) {
        ag_text name, text;
        ag_text_init(&name);
        ag_text_init(&text);
        ag_text_add_n(&name, "xx", before);
        for (size_t i = 0; i < 1000; i++)
            ag_text_add(&name, "\u6f22");
        ag_text_add(&name, " s=1");
        ag_text_add_short(&text, name.data, 13);
        assert_string_equal(text.data, expected[before]);
        ag_text_deinit(&name);
        ag_text_deinit(&text);
    }
}

/* A cell is as wide as its column, whatever the name: its middle gives way, spaces stay. */
static void test_words_are_wrapped(void **state)
{
    (void)state;
    ag_text text;
    ag_text_init(&text);
    ag_text_add(&text, "line\nx: ");
    ag_text_add_wrapped(&text, "one two  three \xe4\xb8\xad\xe6\x96\x87 longerthanten a", 10, 2);
    assert_string_equal(text.data, "line\nx: one two\n  three\n  \xe4\xb8\xad\xe6\x96\x87\n"
                                   "  longerthanten\n  a");
    ag_text_deinit(&text);
    ag_text_init(&text);
    ag_text_add_wrapped(&text, "0123456 89 ", 10, 0); /* just fits */
    ag_text_add_wrapped(&text, "", 10, 0);
    assert_string_equal(text.data, "0123456 89");
    ag_text_deinit(&text);
}

static void test_cells_fit_their_columns(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t columns;
        const char *wanted;
    } cases[] = {
        {"BF16",                                 6, "BF16  "                     },
        {"a  b",                                 4, "a  b"                       },
        {"one name of several words",            9, "one …ords"                },
        {"abcdefghij",                           6, "abc…ij"                   },
        {"\xe4\xb8\xad\xe6\x96\x87\xe6\xa0\xbc", 5, "\xe4\xb8\xad…\xe6\xa0\xbc"},
        {"\xe4\xb8\xad\xe6\x96\x87\xe6\xa0\xbc", 4, "\xe4\xb8\xad… "           },
        {"e\x1b[1mvil",                          6, "e\\u…il"                  },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ag_text text;
        ag_text_init(&text);
        ag_text_add_cell(&text, cases[i].name, cases[i].columns);
        assert_int_equal(ag_text_width(text.data), cases[i].columns);
        assert_string_equal(text.data, cases[i].wanted);
        ag_text_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_shortened_in_their_words),
        cmocka_unit_test(test_long_names_are_shortened),
        cmocka_unit_test(test_control_characters_are_found),
        cmocka_unit_test(test_control_characters_are_shown_escaped),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_cells_fit_their_columns),
        cmocka_unit_test(test_words_are_wrapped),
        cmocka_unit_test(test_padding_counts_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
