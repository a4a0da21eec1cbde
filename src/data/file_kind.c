/* What a file is by its first bytes. Token files carry no mark of their own, unless llm.c wrote
 * them, and text none at all: a file of anything else would be trained on as noise, and the only
 * sign would be a loss that does not fall. So what is often given in their place is recognised
 * here, with its cure. */
#include <string.h>

#include "base/printable.h"
#include "data_internal.h"

enum { TEXT_SAMPLE = 4096, TEXT_LEAST = 16, TAR_MARK = 257 };

typedef struct magic {
    size_t offset;
    size_t length;
    const char *bytes;
    ag_file_kind kind;
} magic;

#define AS_TOKENS ".astype(\"<u2\").tofile(\"train.bin\")"

// clang-format off
static const magic s_magics[] = {
    {0, 6, "\x93NUMPY", {"a NumPy array", "write its numbers alone: python3 -c 'import numpy; numpy.load(\"FILE.npy\")" AS_TOKENS "' (above 65535 \"<u4\", and data.dtype: uint32)"}},
    {0, 3, "\x1f\x8b\x08", {"gzip-compressed", "unpack it: gunzip FILE.gz"}},
    {0, 4, "PK\x03\x04", {"a zip archive (.zip, .npz, .pt)", "unpack it, or write the numbers of its array: array" AS_TOKENS}},
    {0, 6, "\xfd\x37zXZ\0", {"xz-compressed", "unpack it: unxz FILE.xz"}},
    {0, 4, "\x28\xb5\x2f\xfd", {"zstd-compressed", "unpack it: unzstd FILE.zst"}},
    {0, 4, "\x04\x22\x4d\x18", {"lz4-compressed", "unpack it: unlz4 FILE.lz4"}},
    {4, 6, "1AY&SY", {"bzip2-compressed", "unpack it: bunzip2 FILE.bz2"}},
    {0, 6, "7z\xbc\xaf\x27\x1c", {"a 7z archive", "unpack it: 7z x FILE.7z"}},
    {TAR_MARK, 5, "ustar", {"a tar archive", "unpack it: tar xf FILE.tar"}},
    {0, 8, "\x89HDF\r\n\x1a\n", {"an HDF5 file", "write the numbers of its dataset with h5py: dataset[:]" AS_TOKENS}},
    {0, 4, "PAR1", {"a Parquet file", "write its column of tokens: numpy.concatenate(pandas.read_parquet(\"FILE\")[\"tokens\"])" AS_TOKENS}},
    {0, 6, "ARROW1", {"an Arrow file", "write its column of tokens: numpy.concatenate(pandas.read_feather(\"FILE\")[\"tokens\"])" AS_TOKENS}},
    {0, 9, "MMIDIDX\0\0", {"the index of a Megatron data set", "name the .bin beside it, with data.dtype: uint32 where its tokens are int32"}},
    {0, 15, "SQLite format 3", {"an SQLite database", "write its tokens as integers alone"}},
    {0, 5, "Rar!\x1a", {"a RAR archive", "unpack it: unrar x FILE.rar"}},
    {0, 4, "GGUF", {"a GGUF file", "weights are not data; tokens are integers alone"}},
    {0, 4, "RIFF", {"a sound or a film", "check the path"}},
    {0, 4, "\xff\xd8\xff\xe0", {"a picture", "check the path"}},
    {0, 4, "\xff\xd8\xff\xe1", {"a picture", "check the path"}},
    {0, 6, "GIF89a", {"a picture", "check the path"}},
    {0, 4, "\xd0\xcf\x11\xe0", {"an old Office document", "save its text as UTF-8"}},
    {0, 4, "Obj\x01", {"an Avro file", "write its tokens as integers alone"}},
    {0, 5, "%PDF-", {"a PDF", "take its text: pdftotext FILE.pdf"}},
    {0, 4, "\x7f" "ELF", {"a program", "check the path"}},
    {0, 8, "\x89PNG\r\n\x1a\n", {"a picture", "check the path"}},
};
// clang-format on

static const ag_file_kind s_pickle = {
    "a Python pickle", "load it and write its numbers alone: numpy.asarray(tokens)" AS_TOKENS};
static const ag_file_kind s_safetensors = {
    "a safetensors file", "weights belong to model.init.file; tokens are integers alone"};

static const ag_file_kind s_arrow = {
    "an Arrow stream (a data set of Hugging Face)",
    "write its column of tokens: numpy.concatenate(dataset[\"tokens\"])" AS_TOKENS};
static const ag_file_kind s_utf16 = {"UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8"};

/* The mark of the order of bytes, and a letter of ASCII in that order. */
static bool is_utf16(const unsigned char *bytes, size_t size)
{
    if (size < 4)
        return false;
    return (bytes[0] == 0xff && bytes[1] == 0xfe && bytes[2] != 0 && bytes[3] == 0) ||
           (bytes[0] == 0xfe && bytes[1] == 0xff && bytes[2] == 0 && bytes[3] != 0);
}

/* A mark, and the length of a schema, which is a multiple of 8. */
static bool is_arrow_stream(const unsigned char *bytes, size_t size)
{
    uint32_t words[2];
    if (size < sizeof words)
        return false;
    memcpy(words, bytes, sizeof words);
    return words[0] == UINT32_MAX && words[1] > 0 && words[1] % 8 == 0 && words[1] < 1u << 20 &&
           words[1] < size;
}

/* Protocols 2 to 5; the last opcode is always a point. */
static bool is_pickle(const unsigned char *bytes, size_t size)
{
    return size > 4 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5 &&
           bytes[size - 1] == '.' && strchr("\x95](}ceK]X", bytes[2]) != NULL && bytes[2] != 0;
}

/* A length, and JSON of that length. */
static bool is_safetensors(const unsigned char *bytes, size_t size)
{
    uint64_t length;
    if (size < 16)
        return false;
    memcpy(&length, bytes, sizeof length);
    return length >= 2 && length <= size - 8 && bytes[8] == '{' && bytes[9] == '"';
}

/* Marks first, then formats that are known by their structure, from the surest on. */
const ag_file_kind *ag_file_recognise(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof s_magics / sizeof s_magics[0]; i++) {
        const magic *m = &s_magics[i];
        if (size >= m->offset + m->length && memcmp(bytes + m->offset, m->bytes, m->length) == 0)
            return &m->kind;
    }
    if (is_utf16(bytes, size))
        return &s_utf16;
    if (is_arrow_stream(bytes, size))
        return &s_arrow;
    if (is_pickle(bytes, size))
        return &s_pickle;
    return is_safetensors(bytes, size) ? &s_safetensors : NULL;
}

/* Characters of a text: printable ones, and the white space that files have. */
static bool is_printed(uint32_t code)
{
    return (code >= 0x20 && code != 0x7f) || code == '\n' || code == '\t' || code == '\r' ||
           code == '\f';
}

/* Each pair of bytes of a text is a token above 8000, so that small tokens are never text. */
bool ag_looks_like_text(const unsigned char *bytes, size_t size)
{
    const size_t sample = size < TEXT_SAMPLE ? size : TEXT_SAMPLE;
    size_t at = 0;
    while (at < sample) {
        uint32_t code;
        size_t length = ag_utf8_read(&code, (const char *)bytes + at, size - at);
        if (length == 0 || !is_printed(code))
            return false;
        at += length;
    }
    return size >= TEXT_LEAST;
}

/* A text has none at all; of small integers at least every second byte is. */
bool ag_looks_like_numbers(const unsigned char *bytes, size_t size)
{
    const size_t sample = size < TEXT_SAMPLE ? size : TEXT_SAMPLE;
    size_t zeros = 0;
    for (size_t i = 0; i < sample; i++)
        zeros += bytes[i] == 0;
    return size >= TEXT_LEAST && zeros * 4 > sample;
}
