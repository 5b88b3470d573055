// Any bytes as text, for a byte-fallback and a byte-level tokenizer; decoding must give valid UTF-8.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "text/tokenizer.h"
#include "text/unicode/unicode.h"

namespace {
constexpr std::string_view kFallback =
    R"({"added_tokens":[{"id":0,"content":"<unk>","special":true},{"id":5,"content":"<x>","lstrip":true,"rstrip":true,"single_word":true}],
"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"BertNormalizer"},{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},
"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"vocab":{"<unk>":0,"a":1,"b":2,"ab":3,"▁":4,"<x>":5},"merges":["a b"]}})";
constexpr std::string_view kByteLevel = R"({"normalizer":{"type":"NFC"},
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]},
"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"Ã":4,"Ĥ":5,"ĠĠ":6},"merges":["a b","Ġ Ġ"]}})";
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto fallback = ingot::Tokenizer::from_json(kFallback).value();
  static const auto byte_level = ingot::Tokenizer::from_json(kByteLevel).value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& t : {fallback, byte_level}) {
    const auto ids = t->encode(text, true).value();
    if (!ingot::tokenizer::is_valid_utf8(t->decode(ids, false))) std::abort();
    ingot::StreamingDetokenizer stream(t, false);
    std::string streamed;
    for (const int32_t id : ids) streamed += stream.push(id);
    streamed += stream.finish();
    if (!ingot::tokenizer::is_valid_utf8(streamed)) std::abort();
  }
  return 0;
}
