// The models that turn one word into ids: BPE (by rank or by score), Unigram, WordPiece, WordLevel.
//
// Ownership: a model shares the Vocab. Thread-safety: const; the BPE word cache is per thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "text/tokenizer/vocab.h"

namespace ingot::tokenizer {

class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of `word` (never empty).
  // Errors: kInvalidArgument if the word needs an unknown token and the vocabulary has none.
  virtual Result<void> encode(std::string_view word, std::vector<int32_t>& out) const = 0;
};

using VocabPtr = std::shared_ptr<const Vocab>;

// (left, right) of each merge as pieces, best first. Views: only read while the model is made.
using Merges = std::vector<std::pair<std::string_view, std::string_view>>;

struct BpeOptions {
  bool raw_bytes = false;      // words are raw bytes, pieces their byte characters (GPT-2)
  bool byte_fallback = false;  // an unknown code point becomes <0xXX> pieces, if all exist
  bool fuse_unk = false;       // neighbouring unknowns become one
  bool ignore_merges = false;  // a word that is a piece needs no merging
  bool lenient = false;        // merges whose pieces are missing are skipped (GGUF), not an error (tokenizer.json)
  std::string unk;             // empty: unknown code points are dropped
  std::string prefix;          // of every piece that does not begin a word
  std::string suffix;          // of every piece that ends a word
};
Result<std::unique_ptr<const Model>> make_bpe(VocabPtr vocab, const Merges& merges, BpeOptions options);

// SentencePiece BPE as GGUF stores it: any two neighbours whose text is a piece may merge, best score first.
std::unique_ptr<const Model> make_scored_bpe(VocabPtr vocab, const std::vector<float>& scores, int unk);

struct UnigramOptions {
  int unk = -1;
  bool byte_fallback = false;
  std::vector<bool> usable;  // empty: every piece may be chosen
  double min_score = 0;      // of the pieces; an unknown code point costs 10 more
};
Result<std::unique_ptr<const Model>> make_unigram(VocabPtr vocab, std::vector<double> scores, UnigramOptions options);

struct WordPieceOptions {
  std::string unk;
  std::string prefix = "##";  // of every piece that does not begin a word
  size_t chars_max = 100;     // a longer word is unknown
};
std::unique_ptr<const Model> make_wordpiece(VocabPtr vocab, WordPieceOptions options);
std::unique_ptr<const Model> make_wordlevel(VocabPtr vocab, std::string unk);

std::string byte_piece(unsigned char byte);  // "<0x0A>"

}  // namespace ingot::tokenizer
