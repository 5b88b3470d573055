// The stages around the model: normalizers, pre-tokenizers, added tokens, decoders.
//
// Text flows: added tokens are cut out -> each remaining segment is normalized -> normalized added tokens are
// cut out -> pre-tokenizers cut words -> the model. Decoders run the other way, on the pieces of the ids.
// Thread-safety: const.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/tokenizer/matcher.h"
#include "text/tokenizer/trie.h"

namespace ingot::tokenizer {

// A stage has made, or is about to make, `bytes` of a text. Errors: kResourceExhausted naming the stage.
Result<void> check_stage(std::string_view stage, size_t bytes);

// apply() may grow a text without bound only through a stage that calls check_stage() as it goes.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual Result<void> apply(std::string& text) const = 0;
};

struct Word {
  uint32_t begin;
  uint32_t end;
  bool at_start;  // begins where the whole input begins
};

// A segment and the words it was cut into so far.
struct Segment {
  std::string text;
  std::vector<Word> words;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual Result<void> apply(Segment& segment) const = 0;
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(std::vector<std::string>& pieces) const = 0;
};

using Normalizers = std::vector<std::unique_ptr<const Normalizer>>;
using PreTokenizers = std::vector<std::unique_ptr<const PreTokenizer>>;
using Decoders = std::vector<std::unique_ptr<const Decoder>>;

enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
enum class PrependScheme { kAlways, kFirst, kNever };

struct BertOptions {
  bool clean_text = true;
  bool chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
  bool strip_all_marks = false;  // llama.cpp strips \p{M}, `tokenizers` \p{Mn}
};

// Normalizers.
std::unique_ptr<const Normalizer> make_normal_form(std::string_view name);  // NFC NFD NFKC NFKD; else null
std::unique_ptr<const Normalizer> make_lowercase();
std::unique_ptr<const Normalizer> make_strip_accents();
std::unique_ptr<const Normalizer> make_nmt();
std::unique_ptr<const Normalizer> make_byte_level_normalizer();
std::unique_ptr<const Normalizer> make_bert_normalizer(BertOptions options);
std::unique_ptr<const Normalizer> make_strip(bool left, bool right);
std::unique_ptr<const Normalizer> make_affix(std::string before, std::string after);  // Prepend, Append
std::unique_ptr<const Normalizer> make_replace(std::unique_ptr<const Matcher> matcher, std::string content);
std::unique_ptr<const Normalizer> make_replace_text(std::string pattern, std::string content);
// SentencePiece's precompiled_charsmap, as `tokenizers` reads it (by grapheme).
Result<std::unique_ptr<const Normalizer>> make_precompiled(std::string_view charsmap);

struct SentencePieceOptions {
  std::string_view charsmap;  // may be empty
  bool add_space_prefix = false;
  bool remove_extra_spaces = false;
};
// The whole normalizer of SentencePiece, as llama.cpp runs it for Unigram models.
Result<std::unique_ptr<const Normalizer>> make_sentencepiece(SentencePieceOptions options);

// Pre-tokenizers.
std::unique_ptr<const PreTokenizer> make_split(std::unique_ptr<const Matcher> matcher, Behavior behavior, bool invert);
std::unique_ptr<const PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex, bool keep_bytes);
std::unique_ptr<const PreTokenizer> make_metaspace(uint32_t replacement, PrependScheme scheme, bool split);
std::unique_ptr<const PreTokenizer> make_prepend_to_words(std::string prefix);
std::unique_ptr<const PreTokenizer> make_fixed_length(size_t length);
std::unique_ptr<const PreTokenizer> make_unicode_scripts();
std::unique_ptr<const Matcher> words_matcher();  // \w+|[^\w\s]+
bool is_bert_punctuation(uint32_t cp);
bool is_white_space(uint32_t cp);
bool is_numeric(uint32_t cp);

// Decoders.
std::unique_ptr<const Decoder> make_byte_level_decoder();
std::unique_ptr<const Decoder> make_byte_fallback_decoder();
std::unique_ptr<const Decoder> make_fuse_decoder();
std::unique_ptr<const Decoder> make_strip_decoder(uint32_t content, size_t start, size_t stop);
std::unique_ptr<const Decoder> make_replace_decoder(std::unique_ptr<const Matcher> matcher, std::string content);
std::unique_ptr<const Decoder> make_metaspace_decoder(uint32_t replacement, PrependScheme scheme);
std::unique_ptr<const Decoder> make_wordpiece_decoder(std::string prefix, bool cleanup);
std::unique_ptr<const Decoder> make_bpe_decoder(std::string suffix);
std::unique_ptr<const Decoder> make_ctc_decoder(std::string pad, std::string delimiter, bool cleanup);

// A piece that is looked for in the text before the model sees it.
struct AddedToken {
  int id;
  std::string content;
  bool special = false;
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and after it
  bool single_word = false;  // not within a word
  bool normalized = false;   // looked for in normalized text
};

// Finds the leftmost, then longest, added tokens of one kind (normalized or not).
class AddedTokens {
 public:
  struct Part {
    uint32_t begin;
    uint32_t end;
    int id;  // -1: text between tokens
  };
  // patterns: what to look for, beside the index of its token.
  void build(const std::vector<AddedToken>* tokens, const std::vector<std::pair<std::string, int>>& patterns);
  bool empty() const { return trie_.empty(); }
  // Parts that cover the text.
  void find(std::string_view text, bool parse_special, std::vector<Part>& out) const;

 private:
  const std::vector<AddedToken>* tokens_ = nullptr;
  Trie trie_;
};

}  // namespace ingot::tokenizer
