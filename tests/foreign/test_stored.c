/* Safetensors files that are damaged, or that claim what they have not: each has its message. Then
 * random damage, where any answer but a crash will do. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "foreign/stored.h"
#include "support.h"

static char s_path[] = "/tmp/altgrad_stored_XXXXXX";

static void write_bytes(const void *bytes, size_t size)
{
    int fd = open(s_path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* A file with this header and so many bytes of tensors; length 0: as it is. */
static size_t make(unsigned char *bytes, const char *header, size_t data, uint64_t length)
{
    size_t size = strlen(header);
    uint64_t said = length != 0 ? length : size;
    memcpy(bytes, &said, 8);
    snprintf((char *)bytes + 8, size + 1, "%s", header);
    memset(bytes + 8 + size, 0x3f, data);
    return 8 + size + data;
}

#define A(shape, type, begin, end)                                                                 \
    "\"a\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"
#define B(shape, type, begin, end)                                                                 \
    "\"b\":{\"dtype\":\"" type "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

static const struct {
    const char *header;
    size_t data;
    uint64_t length;
    const char *message; /* NULL: it is right */
} s_files[] = {
    {"{" A("2,3",                     "F32",     "0",                                    "24") "," B("4",                                                                      "F16", "24", "32") "}", 32, 0, NULL},
    {"{" B("4",                           "F16",                           "24",                                                               "32") "," A("2,3",                                                                                                                                                  "F32", "0", "24") "} ", 32, 0, NULL},
    {"{}",                               0,                                0,                                       NULL                                                                                            },
    {"{" A("0",                          "F32",                                "0",                                                            "0") "}",0, 0, NULL},
    {"{" A("2",                           "F32",                                    "0",                                                                       "8") "," B("2",                                                                                                                            "F32", "12", "20") "}", 20, 0,
     "'b' has a hole before it"},
    {"{" A("2",                           "F32",                                    "4",                            "12") "}",12, 0, "'a' has a hole before it"},
    {"{" A("2",                       "F32",                               "0",         "8") "," B("2",                                                                                             "F32", "4", "12") "}", 12, 0, "'b' overlaps another"},
    {"{" A("2",                       "F32", "0", "8") "," A("2", "F32", "8", "16") "}", 16, 0, "duplicate object key"},
    {"{" A("2",                           "F32",                           "0",                                                               "8") "}",                                                                                                                                                  7, 0, "counts 8 bytes of tensors, 7"},
    {"{" A("2",                               "F32",                                "0",                                       "8") "}",                                                                                     9, 0, "counts 8 bytes of tensors, 9"},
    {"{" A("2",                             "F32",                                     "0",                                                 "8") "}",                                                                                                                                                8, 1000, "cut short"},
    {"{" A("2",    "F32","0","8") "}",8, UINT64_MAX, "announce a header of"},
    {"{" A("2",                      "F32",                             "0",                                                                  "8") "}",                                                                                                                                8, 100000001, "announce a header of"},
    {"{" A("3",                       "F32",     "0",                                        "8") "}",                                                                                                              8, 0, "other bytes than its shape"},
    {"{" A("2",                            "F32",                            "8",                                                                "0") "}",                                                                                                                                                   8, 0, "no two data_offsets in order"},
    {"{" A("2",                               "F32",                                "-8",                                       "0") "}",                                                                                              8, 0, "no two data_offsets in order"},
    {"{" A("-2",                              "F32",                                      "0",                                              "8") "}",8, 0, "no list of whole numbers"},
    {"{" A("2.0","F32","0","8") "}",8, 0, "no list of whole numbers"},
    {"{" A("4294967296,4294967296", "F32",          "0",                                        "8") "}",                                                                                           8, 0, "more elements than can be"},
    {"{" A("4611686018427387904,2",                       "F32",                               "0",                 "8") "}",8, 0, "other bytes than its shape"},
    {"{" A("1,1,1,1,1,1,1,1,2",                       "F32",                        "0",                                                                                "8") "}",                                                                                                                                                                 8, 0, "more dimensions"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}",                     8,        0,                                              "has no dtype"                                                                                                                         },
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}",                            8, 0,"has no shape"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}",                               8,                                0,                                           "no two data_offsets"                                                                                                                       },
    {"{\"a\":7}",                              0,                                      0,                                                "has no dtype"                      },
    {"[1,2,3]",0,0,"no JSON object"},
    {"{\"a\":", 0,          0,                                        "no safetensors file"                                                                                        },
    {"\x80\x81",                       0,                               0,                              "no safetensors file"},
};

static void test_each_fault_has_its_message(void **state)
{
    (void)state;
    unsigned char bytes[1024];
    for (size_t i = 0; i < sizeof s_files / sizeof s_files[0]; i++) {
        ag_stored_file file;
        write_bytes(bytes, make(bytes, s_files[i].header, s_files[i].data, s_files[i].length));
        ag_status status = ag_stored_open(&file, s_path);
        ag_stored_close(&file);
        if (s_files[i].message == NULL) {
            assert_int_equal(status, AG_OK);
            continue;
        }
        assert_int_equal(status, AG_ERR_FILE);
        if (strstr(ag_error_message(), s_files[i].message) == NULL)
            fail_msg("%s: said %s", s_files[i].header, ag_error_message());
        ag_error_clear();
    }
    write_bytes("short", 5);
    ag_stored_file file;
    assert_int_equal(ag_stored_open(&file, s_path), AG_ERR_FILE);
    ag_stored_close(&file);
    ag_error_clear();
}

/* Of each type, values that were worked out by hand. */
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        unsigned char bytes[16];
        float values[2];
    } types[] = {
        {"F32",  {0, 0, 0xc0, 0x3f, 0, 0, 0, 0x80},                         {1.5f, -0.0f}       },
        {"BF16", {0xc0, 0x3f, 0x49, 0xc0},                                  {1.5f, -3.140625f}  },
        {"F16",  {0x00, 0x3e, 0x01, 0x80},                                  {1.5f, -0x1p-24f}   },
        {"F16",  {0xff, 0x7b, 0x00, 0x04},                                  {65504.0f, 0x1p-14f}},
        {"F64",  {0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 1, 0, 0, 0, 0, 0, 0, 0x80}, {1.5f, -0.0f}       },
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char header[200];
        unsigned char bytes[300];
        float values[2];
        ag_stored_file file;
        size_t size = strcmp(types[i].type, "F64") == 0                    ? 16
                      : types[i].type[0] == 'F' && types[i].type[1] == '3' ? 8
                                                                           : 4;
        snprintf(header, sizeof header,
                 "{\"a\":{\"dtype\":\"%s\",\"shape\":[2],\"data_offsets\":[0,%zu]}}", types[i].type,
                 size);
        size_t whole = make(bytes, header, size, 0);
        memcpy(bytes + whole - size, types[i].bytes, size);
        write_bytes(bytes, whole);
        assert_int_equal(ag_stored_open(&file, s_path), AG_OK);
        assert_int_equal(ag_stored_read(values, &file, ag_stored_find(&file, "a")), AG_OK);
        assert_memory_equal(values, types[i].values, sizeof values);
        ag_stored_close(&file);
    }
}

static void test_other_types_are_refused_when_read(void **state)
{
    (void)state;
    unsigned char bytes[300];
    float values[8];
    ag_stored_file file;
    write_bytes(bytes, make(bytes, "{" A("8", "F8_E4M3", "0", "8") "}", 8, 0));
    assert_int_equal(ag_stored_open(&file, s_path), AG_OK);
    assert_int_equal(ag_stored_read(values, &file, ag_stored_find(&file, "a")), AG_ERR_INPUT);
    assert_non_null(strstr(ag_error_message(), "type F8_E4M3"));
    ag_error_clear();
    ag_stored_close(&file);
}

static void read_all(const ag_stored_file *file)
{
    float values[64];
    for (size_t i = 0; i < file->count; i++) {
        if (file->items[i].count <= 64)
            (void)ag_stored_read(values, file, &file->items[i]);
        ag_error_clear();
    }
}

/* Bytes that change, go or come; fixed seed. */
static void test_random_damage(void **state)
{
    (void)state;
    unsigned char whole[1024];
    uint64_t word = 1;
    size_t size = make(whole, s_files[0].header, s_files[0].data, 0);
    for (int i = 0; i < 3000; i++) {
        unsigned char bytes[1024];
        size_t kept = size;
        memcpy(bytes, whole, size);
        for (int k = 0; k < 1 + i % 3; k++) {
            word = word * 6364136223846793005u + 1442695040888963407u;
            bytes[(word >> 33) % size] = (unsigned char)(word >> 20);
        }
        if (i % 7 == 0)
            kept = (word >> 40) % size;
        ag_stored_file file;
        write_bytes(bytes, kept);
        if (ag_stored_open(&file, s_path) == AG_OK)
            read_all(&file);
        ag_error_clear();
        ag_stored_close(&file);
    }
}

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(s_path);
    close(fd);
    return fd < 0 ? -1 : 0;
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(s_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fault_has_its_message),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_other_types_are_refused_when_read),
        cmocka_unit_test(test_random_damage),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
