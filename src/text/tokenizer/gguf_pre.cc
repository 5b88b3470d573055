// The patterns are those of the models' own tokenizer.json files, which llama.cpp approximates for a few: its gpt-4o
// and tekken leave combining marks out of words, and its contractions do not fold U+017F. Where the two differ we
// give the ids that the model was trained on.
#include "text/tokenizer/gguf_pre.h"

#include <fmt/ranges.h>

namespace ingot::tokenizer {
namespace {

#define CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define SPACES R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define SIGNS R"(| ?[^\s\p{L}\p{N}]+[\r\n]*)"
#define UPPER_LOWER R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
#define UPPERS R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
#define SIGNS_SLASH R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*)"

constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 = CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})" SIGNS SPACES;
constexpr std::string_view kQwen2 = CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" SIGNS SPACES;
constexpr std::string_view kQwen35 =
    CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*)" SPACES;
constexpr std::string_view kUfakzeka = R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" SIGNS SPACES;
constexpr std::string_view kGpt4o =
    UPPER_LOWER CONTRACTIONS "?|" UPPERS CONTRACTIONS R"(?|\p{N}{1,3})" SIGNS_SLASH SPACES;
constexpr std::string_view kYoutu = UPPER_LOWER CONTRACTIONS "?|" UPPERS CONTRACTIONS R"(?|\p{N})" SIGNS_SLASH SPACES;
constexpr std::string_view kTekken = UPPER_LOWER "|" UPPERS R"(|\p{N})" SIGNS_SLASH SPACES;
constexpr std::string_view kDeepseek3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)" SPACES;
constexpr std::string_view kSpark =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kJais2 = CONTRACTIONS
    R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})" SIGNS R"(|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S))"
    R"(|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})";
constexpr std::string_view kBailing =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kSeedCoder =
    CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+)" SPACES;
constexpr std::string_view kExaoneMoe = CONTRACTIONS
    R"(|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)";
constexpr std::string_view kGraniteMulti =
    R"([^\r\n\p{L}\p{N}]?(?:(?=[\p{L}\p{M}])[^a-z])*(?:(?=[\p{L}\p{M}])[^A-Z])+)" CONTRACTIONS
    R"(?|[^\r\n\p{L}\p{N}]?(?:(?=[\p{L}\p{M}])[^a-z])+(?:(?=[\p{L}\p{M}])[^A-Z])*)" CONTRACTIONS
    R"(?|\p{N}{1,3})" SIGNS_SLASH SPACES;
constexpr std::string_view kKimi =
    R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+)" CONTRACTIONS
    R"(?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*)" CONTRACTIONS
    R"(?|\p{N}{1,3})" SIGNS SPACES;
constexpr std::string_view kMinicpm = CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+)" SIGNS SPACES;
constexpr std::string_view kNumbers3 = R"(\p{N}{1,3})";
constexpr std::string_view kNumber = R"(\p{N})";
constexpr std::string_view kCjk = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+";
constexpr std::string_view kWordsOnly = R"( ?[^(\s|.,!?…。，、।۔،)]+)";
constexpr std::string_view kLines = R"([^\n]+|[\n]+)";
constexpr std::string_view kCased =
    R"(\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+)";
constexpr std::string_view kAfmoeCjk =
    "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+";

struct Group {
  std::vector<std::string_view> names;
  GgufPre pre;
};

const std::vector<Group>& groups() {
  static const std::vector<Group> g = {
      {{"default"}, {{R"([\p{P}\$\+<=>\^~\|]+)", kGpt2, R"(\p{N}+)", "[0-9][0-9][0-9]"}}},
      {{"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"},
       {{kLlama3}, true, true}},
      {{"glm4", "chatglm-bpe", "dbrx", "smaug-bpe"}, {{kLlama3}}},
      {{"minicpm5"}, {{kNumbers3, kMinicpm}, true}},
      {{"jais-2"}, {{kJais2}}},
      {{"gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum",
        "modern-bert", "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4"},
       {{kGpt2}}},
      {{"jina-v1-en", "jina-v2-code", "roberta-bpe"}, {{kGpt2}, false, false, true}},
      {{"starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"},
       {{kNumber, kGpt2}}},
      {{"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "hunyuan", "solar-open", "megrez", "grok-2"},
       {{kQwen2}}},
      {{"qwen35"}, {{kQwen35}}},
      {{"ufakzeka"}, {{kUfakzeka}}},
      {{"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {{kGpt4o}}},
      {{"granite-embed-multi-97m"}, {{kGraniteMulti}, true}},
      {{"tiny_aya", "cohere2moe"}, {{R"(\d{1,3}(?=(?:\d{3})*\b))", kGpt4o}}},
      {{"tekken"}, {{kTekken}, true, true}},
      {{"youtu"},
       {{R"([가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+)",
         kYoutu},
        true}},
      {{"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, {{kNumbers3, kCjk, kDeepseek3}}},
      {{"spark2_5"}, {{kNumbers3, kCjk, kSpark, kNumber}}},
      {{"deepseek-llm"},
       {{"[\r\n]", kCased, R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", R"(\s+$)", "[一-龥ࠀ-一가-퟿]+", R"(\p{N}+)"}}},
      {{"deepseek-coder"}, {{"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[一-龥ࠀ-一가-퟿]+", kNumber}}},
      {{"falcon"}, {{R"([\p{P}\$\+<=>\^~\|`]+)", kGpt2, "[0-9][0-9][0-9]"}}},
      {{"poro-chat", "bloom", "gpt3-finnish"}, {{kWordsOnly}}},
      {{"viking"}, {{kWordsOnly, kNumber}}},
      {{"chameleon"},
       {{"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", kNumber,
         R"([\p{P}!-/:-@\[-`{-~])", kGpt2},
        false,
        true}},
      {{"superbpe"}, {{R"(\p{N}+)", R"((?=(\d{3})+(?!\d)))"}}},
      {{"bailingmoe", "bailingmoe2", "llada-moe"}, {{kBailing}}},
      {{"seed-coder"}, {{kSeedCoder}}},
      {{"exaone-moe"}, {{kExaoneMoe}}},
      {{"kimi-k2"}, {{kKimi}}},
      {{"afmoe"}, {{R"(\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N})))", kAfmoeCjk, kDeepseek3}}},
      {{"laguna"}, {{kLines, kQwen2}}},
      {{"gemma4", "granite-embed-multi-311m"}, {{kLines}, false, true, false, true}},
      {{"sarvam-moe"}, {{kLines}, false, false, false, true}},
  };
  return g;
}

}  // namespace

Result<GgufPre> gguf_pre(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Group& g : groups()) {
    for (const std::string_view n : g.names) {
      if (n == name) return g.pre;
      known.push_back(n);
    }
  }
  return unimplemented(
      "[tokenizer] tokenizer.ggml.pre '{}' is unknown, and a guess would give wrong tokens; convert the model again "
      "with a newer "
      "converter, or set the key to one of: {}",
      name, fmt::join(known, ", "));
}

}  // namespace ingot::tokenizer
