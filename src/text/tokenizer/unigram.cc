// Unigram: the segmentation of a word with the greatest sum of piece scores (Viterbi over a trie).
// Ties go to the segmentation found first, scores add up in double precision, like `tokenizers`.
#include <limits>

#include "text/tokenizer/model.h"
#include "text/tokenizer/trie.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

constexpr double kUnknownPenalty = 10.0;

class Unigram final : public Model {
 public:
  Unigram(VocabPtr vocab, std::vector<double> scores, UnigramOptions options)
      : vocab_(std::move(vocab)), scores_(std::move(scores)), options_(std::move(options)) {
    std::vector<Trie::Key> keys;
    keys.reserve(scores_.size());
    for (size_t id = 0; id < scores_.size(); ++id) {
      const std::string_view piece = vocab_->piece(static_cast<int>(id));
      if (!piece.empty() && (options_.usable.empty() || options_.usable[id]))
        keys.emplace_back(piece, static_cast<int32_t>(id));
    }
    trie_.build(std::move(keys));
    for (int b = 0; b < 256; ++b) byte_ids_[b] = vocab_->find(byte_piece(static_cast<unsigned char>(b)));
  }

  Result<void> encode(std::string_view word, std::vector<int32_t>& out) const override {
    struct Best {
      double score = 0;
      uint32_t begin = UINT32_MAX;
      int32_t id = -1;
    };
    thread_local std::vector<Best> best;
    best.assign(word.size() + 1, {});
    const double unk_score = options_.min_score - kUnknownPenalty;
    for (uint32_t i = 0; i < word.size();) {
      const double here = best[i].score;
      const auto n = static_cast<uint32_t>(utf8_length(static_cast<unsigned char>(word[i])));
      bool single = false;
      const auto offer = [&](size_t length, double score, int32_t id) {
        Best& b = best[i + length];
        if (b.begin == UINT32_MAX || here + score > b.score) b = {here + score, i, id};
      };
      trie_.prefixes(word.substr(i), [&](size_t length, int32_t id) {
        offer(length, scores_[static_cast<size_t>(id)], id);
        single |= length == n;
      });
      if (!single) {
        if (options_.unk < 0) return invalid("[tokenizer] a code point is in no piece and the model has no unk_id");
        offer(n, unk_score, options_.unk);
      }
      i += n;
    }
    const size_t before = out.size();
    for (auto end = static_cast<uint32_t>(word.size()); end > 0;) {
      uint32_t begin = best[end].begin;
      if (best[end].id != options_.unk) {
        out.push_back(best[end].id);
      } else {
        while (begin > 0 && best[begin].id == options_.unk) begin = best[begin].begin;  // unknowns fuse
        unknown(word.substr(begin, end - begin), out);
      }
      end = begin;
    }
    std::reverse(out.begin() + static_cast<ptrdiff_t>(before), out.end());
    return {};
  }

 private:
  // Appends back to front.
  void unknown(std::string_view text, std::vector<int32_t>& out) const {
    if (const int id = vocab_->find(text); id >= 0 && options_.usable.empty()) return out.push_back(id);
    bool bytes = options_.byte_fallback;
    for (const char c : text) bytes = bytes && byte_ids_[static_cast<unsigned char>(c)] >= 0;
    if (!bytes) return out.push_back(options_.unk);
    for (size_t i = text.size(); i-- > 0;) out.push_back(byte_ids_[static_cast<unsigned char>(text[i])]);
  }

  VocabPtr vocab_;
  std::vector<double> scores_;
  UnigramOptions options_;
  Trie trie_;
  int32_t byte_ids_[256];
};

}  // namespace

Result<std::unique_ptr<const Model>> make_unigram(VocabPtr vocab, std::vector<double> scores, UnigramOptions options) {
  if (options.unk >= static_cast<int>(scores.size()))
    return invalid("[tokenizer] unk_id {} is not in [0, {})", options.unk, scores.size());
  return std::make_unique<Unigram>(std::move(vocab), std::move(scores), std::move(options));
}

}  // namespace ingot::tokenizer
