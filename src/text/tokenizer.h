// Text to token ids and back, for every tokenizer that a GGUF file or a Hugging Face folder describes.
//
// Built from tokenizer.json (same ids and text as the `tokenizers` package, version 0.23) or from GGUF's
// tokenizer.ggml.* metadata (same ids as llama.cpp). What a file asks for and we lack is an error naming it.
// Input that is not UTF-8: each maximal invalid part becomes U+FFFD before anything else sees it.
// Feeds llm/, serving/ and cli/. Ownership: nothing of the Source or JSON is kept, everything is copied.
// Thread-safety: Tokenizer is immutable; encode() keeps a bounded word cache (2 MB) per calling thread.
// Limits: limits::kPromptBytesMax per encode(), limits::kVocabSizeMax ids.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ingot {

class Source;

namespace tokenizer {
struct Parts;
}

// Ids that a model gives a meaning to; absent where the model names none.
struct SpecialTokens {
  std::optional<int> bos, eos, unk, pad;
  std::vector<int> end_of_generation;  // sorted, unique: eos, eot, <|im_end|>, <end_of_turn>, ...
  bool add_bos = false;                // what encode(add_special) does
  bool add_eos = false;
};

class Tokenizer {
 public:
  // GGUF metadata, or tokenizer.json + tokenizer_config.json + generation_config.json of a folder.
  // Errors: kNotFound (no tokenizer in it), kUnimplemented (names the component), kInvalidArgument.
  static Result<std::shared_ptr<const Tokenizer>> from_source(const Source& source);
  static Result<std::shared_ptr<const Tokenizer>> from_json(std::string_view tokenizer_json,
                                                            std::string_view tokenizer_config_json = {});
  // A bare tokenizer.json, a folder with one, or anything open_source() opens.
  static Result<std::shared_ptr<const Tokenizer>> from_path(const std::string& path);

  explicit Tokenizer(std::unique_ptr<const tokenizer::Parts> parts);
  ~Tokenizer();

  // add_special: run the post-processor, or add bos and eos as the model says.
  // parse_special: the text of a special token in `text` becomes its id; otherwise it is plain text.
  // Cost: near linear in text.size(), also for one endless word.
  // Errors: kInvalidArgument (text too long, or a word that needs an unknown token the model lacks).
  Result<std::vector<int32_t>> encode(std::string_view text, bool add_special, bool parse_special = true) const;

  // Ids out of range are left out. skip_special leaves out special (control) tokens.
  std::string decode(std::span<const int32_t> ids, bool skip_special) const;

  int vocab_size() const;                     // one more than the greatest id
  std::string_view token_text(int id) const;  // the raw piece ("▁the", "Ġthe"); empty if there is none
  std::string token_bytes(int id) const;      // what it adds to the text (" the"); may be part of a code point
  std::optional<int> token_id(std::string_view piece) const;
  bool is_special(int id) const;
  const SpecialTokens& special() const;
  bool is_end_of_generation(int id) const;

 private:
  friend class StreamingDetokenizer;
  std::unique_ptr<const tokenizer::Parts> parts_;
};

// Ids in, text out, as a model generates them. Every string that push() returns is valid UTF-8; a code point
// that is split over tokens comes out with its last byte; bytes that can no longer become valid are U+FFFD.
// The concatenation equals decode() for valid text (a byte-fallback run that is partly invalid keeps its
// valid code points here, where decode(), like `tokenizers`, replaces the whole run).
// Thread-safety: one stream, one thread.
class StreamingDetokenizer {
 public:
  // shown: special tokens that are text in spite of skip_special (not where a decoder looks at its neighbours).
  explicit StreamingDetokenizer(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special = true,
                                std::vector<int32_t> shown = {});
  std::string push(int32_t id);
  std::string finish();  // what is left over, then ready for a new stream

 private:
  std::string push_windowed(int32_t id);

  std::shared_ptr<const Tokenizer> tokenizer_;
  bool skip_special_;
  std::vector<int32_t> shown_;
  bool at_start_ = true;
  std::string pending_;          // an unfinished code point
  std::vector<int32_t> window_;  // decoders that look at neighbours (WordPiece, CTC, ...): recent ids
  size_t emitted_bytes_ = 0;     // of decode(window_)
};

}  // namespace ingot
