// WordPiece (greedy, longest piece first) and WordLevel (the whole word or unknown).
#include "text/tokenizer/model.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

Result<void> push_unk(const Vocab& vocab, const std::string& unk, std::vector<int32_t>& out) {
  const int id = vocab.find(unk);
  if (id < 0) return invalid("[tokenizer] unk_token '{}' is not in the vocabulary", unk);
  out.push_back(id);
  return {};
}

class WordPiece final : public Model {
 public:
  WordPiece(VocabPtr vocab, WordPieceOptions options) : vocab_(std::move(vocab)), options_(std::move(options)) {}

  Result<void> encode(std::string_view word, std::vector<int32_t>& out) const override {
    size_t chars = 0;
    for (const char c : word) chars += (c & 0xC0) != 0x80;
    if (chars > options_.chars_max) return push_unk(*vocab_, options_.unk, out);
    const size_t before = out.size();
    std::string piece;
    for (size_t begin = 0; begin < word.size();) {
      size_t end = std::min(word.size(), begin + vocab_->bytes_max());
      while (end < word.size() && (word[end] & 0xC0) == 0x80) --end;
      int id = -1;
      while (end > begin) {
        if (begin > 0) {
          piece.assign(options_.prefix).append(word.substr(begin, end - begin));
          id = vocab_->find(piece);
        } else {
          id = vocab_->find(word.substr(0, end));
        }
        if (id >= 0) break;
        do --end;
        while (end > begin && (word[end] & 0xC0) == 0x80);
      }
      if (id < 0) {
        out.resize(before);
        return push_unk(*vocab_, options_.unk, out);
      }
      out.push_back(id);
      begin = end;
    }
    return {};
  }

 private:
  VocabPtr vocab_;
  WordPieceOptions options_;
};

class WordLevel final : public Model {
 public:
  WordLevel(VocabPtr vocab, std::string unk) : vocab_(std::move(vocab)), unk_(std::move(unk)) {}
  Result<void> encode(std::string_view word, std::vector<int32_t>& out) const override {
    const int id = vocab_->find(word);
    if (id < 0) return push_unk(*vocab_, unk_, out);
    out.push_back(id);
    return {};
  }

 private:
  VocabPtr vocab_;
  std::string unk_;
};

}  // namespace

std::unique_ptr<const Model> make_wordpiece(VocabPtr vocab, WordPieceOptions options) {
  return std::make_unique<WordPiece>(std::move(vocab), std::move(options));
}
std::unique_ptr<const Model> make_wordlevel(VocabPtr vocab, std::string unk) {
  return std::make_unique<WordLevel>(std::move(vocab), std::move(unk));
}

}  // namespace ingot::tokenizer
