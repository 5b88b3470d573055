// Byte pair encoding: by the rank of a merge list (GPT-2, Llama 3, Gemma's tokenizer.json) or by the score of
// the merged piece (SentencePiece as GGUF stores it).
//
// Models without a word splitter hand over whole paragraphs as one word. No merge can join two code points
// that stand side by side in no piece, so such a word is cut there: same ids, and the word cache works.
#include <bit>
#include <cmath>

#include "base/log.h"
#include "text/tokenizer/merge.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/word_cache.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {

std::string byte_piece(unsigned char byte) { return fmt::format("<0x{:02X}>", byte); }

namespace {

constexpr uint64_t mix(uint64_t x) {
  x *= 0x9E3779B97F4A7C15u;
  return x ^ (x >> 29);
}

// (left id, right id) -> rank and merged id; open addressing, 16 bytes a slot.
class PairMap {
 public:
  struct Slot {
    uint64_t key = UINT64_MAX;
    uint32_t rank = kNoRank;
    int32_t id = -1;
  };
  explicit PairMap(size_t count) : slots_(std::bit_ceil(count * 2 + 2)) {}
  void set(int32_t left, int32_t right, uint32_t rank, int32_t id) {
    Slot& s = slots_[index(key(left, right))];
    s = {key(left, right), rank, id};
  }
  const Slot& get(int32_t left, int32_t right) const { return slots_[index(key(left, right))]; }

 private:
  static uint64_t key(int32_t l, int32_t r) {
    return uint64_t{static_cast<uint32_t>(l)} << 32 | static_cast<uint32_t>(r);
  }
  size_t index(uint64_t k) const {
    const size_t mask = slots_.size() - 1;
    size_t i = mix(k) & mask;
    while (slots_[i].key != k && slots_[i].key != UINT64_MAX) i = (i + 1) & mask;
    return i;
  }
  std::vector<Slot> slots_;
};

// Which code points stand side by side in some piece: a Bloom filter, so it may say yes too often.
class Neighbours {
 public:
  explicit Neighbours(const Vocab& vocab) : bits_(kBits / 64) {
    for (int id = 0; id < vocab.size(); ++id) {
      const std::string_view piece = vocab.piece(id);
      uint32_t before = 0;
      for (size_t i = 0; i < piece.size();) {
        int n;
        const uint32_t cp = decode_utf8(piece.data() + i, &n);
        if (i > 0) {
          const size_t bit = index(before, cp);
          bits_[bit / 64] |= uint64_t{1} << (bit % 64);
        }
        before = cp;
        i += static_cast<size_t>(n);
      }
    }
  }
  bool may_join(uint32_t a, uint32_t b) const {
    const size_t bit = index(a, b);
    return bits_[bit / 64] >> (bit % 64) & 1;
  }

 private:
  static constexpr size_t kBits = size_t{1} << 22;
  static size_t index(uint32_t a, uint32_t b) { return mix(uint64_t{a} << 32 | b) >> 42 & (kBits - 1); }
  std::vector<uint64_t> bits_;
};

MergeScratch& scratch() {
  thread_local MergeScratch s;
  if (s.symbols.capacity() > (1u << 16)) s = {};  // after an endless word
  return s;
}

// Encodes with `encode` unless the word cache knows the word.
template <class Encode>
void with_cache(uint32_t serial, std::string_view word, std::vector<int32_t>& out, const Encode& encode) {
  if (word.size() > WordCache::kWordBytesMax) return encode(word);
  WordCache& cache = WordCache::mine();
  bool hit;
  WordCache::Line& line = cache.find(serial, word, &hit);
  if (hit) {
    out.insert(out.end(), line.ids, line.ids + line.count);
    return;
  }
  const size_t before = out.size();
  encode(word);
  cache.fill(line, serial, word, out.data() + before, out.size() - before);
}

// Calls `encode` for each part of the word that no merge can reach out of.
template <class Encode>
void for_each_part(const Neighbours& neighbours, std::string_view word, const Encode& encode) {
  size_t begin = 0;
  uint32_t before = 0;
  for (size_t i = 0; i < word.size();) {
    int n;
    const uint32_t cp = decode_utf8(word.data() + i, &n);
    if (i > begin && !neighbours.may_join(before, cp)) {
      encode(word.substr(begin, i - begin));
      begin = i;
    }
    before = cp;
    i += static_cast<size_t>(n);
  }
  encode(word.substr(begin));
}

class Bpe final : public Model {
 public:
  Bpe(VocabPtr vocab, size_t num_merges, BpeOptions options)
      : vocab_(std::move(vocab)), options_(std::move(options)), pairs_(num_merges), serial_(WordCache::next_serial()) {}

  Result<void> init(const Merges& merges) {
    unk_ = options_.unk.empty() ? -1 : vocab_->find(options_.unk);
    has_all_bytes_ = true;
    for (int b = 0; b < 256; ++b) {
      const auto byte = static_cast<unsigned char>(b);
      byte_ids_[b] = vocab_->find(options_.raw_bytes ? byte_chars()[byte] : byte_piece(byte));
      has_all_bytes_ &= byte_ids_[b] >= 0;
    }
    if (options_.raw_bytes && options_.ignore_merges) {
      std::string bytes;
      words_.reserve(static_cast<size_t>(vocab_->size()), static_cast<size_t>(vocab_->size()) * 8);
      for (int id = 0; id < vocab_->size(); ++id) {
        bytes.clear();
        if (vocab_->has(id) && vocab_->find(vocab_->piece(id)) == id && from_byte_chars(vocab_->piece(id), bytes))
          INGOT_TRY(words_.set(id, bytes));
      }
    }
    INGOT_TRY(add_merges(merges));
    // Unknown code points must not fuse, or merge, over a cut.
    const bool cuttable = !options_.raw_bytes && options_.prefix.empty() && options_.suffix.empty() && !merges_bytes_ &&
                          (!options_.fuse_unk || unk_ < 0 || (options_.byte_fallback && has_all_bytes_));
    if (cuttable) neighbours_ = std::make_unique<Neighbours>(*vocab_);
    return {};
  }

  Result<void> encode(std::string_view word, std::vector<int32_t>& out) const override {
    if (options_.ignore_merges) {
      const int id = options_.raw_bytes ? words_.find(word) : vocab_->find(word);
      if (id >= 0) return out.push_back(id), Result<void>{};
    }
    bool lacks_unk = false;
    const auto merge = [&](std::string_view part) { lacks_unk |= !merge_word(part, out); };
    const auto part = [&](std::string_view p) { with_cache(serial_, p, out, merge); };
    if (neighbours_) {
      for_each_part(*neighbours_, word, part);
    } else {
      part(word);
    }
    if (lacks_unk) return invalid("[tokenizer] unk_token '{}' is not in the vocabulary", options_.unk);
    return {};
  }

 private:
  Result<void> add_merges(const Merges& merges) {
    std::string joined;
    const auto is_byte = [&](int id) {
      const std::string_view p = vocab_->piece(id);
      return p.size() == 6 && p.starts_with("<0x") && p[5] == '>';
    };
    uint32_t rank = 0;
    for (const auto& [left, right] : merges) {
      const int l = vocab_->find(left);
      const int r = vocab_->find(right);
      if (!right.starts_with(options_.prefix) && !options_.lenient)
        return invalid("[tokenizer] merge {} ('{}' '{}'): the second lacks the prefix '{}'", rank, left, right,
                       options_.prefix);
      joined.assign(left).append(right.substr(std::min(options_.prefix.size(), right.size())));
      const int id = vocab_->find(joined);
      if (l < 0 || r < 0 || id < 0) {
        if (!options_.lenient)
          return invalid("[tokenizer] merge {} ('{}' '{}'): '{}' is not in the vocabulary", rank, left, right,
                         l < 0   ? left
                         : r < 0 ? right
                                 : std::string_view(joined));
        log::debug("[tokenizer] merge {} ('{}' '{}') skipped: its pieces are not in the vocabulary", rank, left, right);
      } else if (!options_.lenient || pairs_.get(l, r).rank == kNoRank) {
        pairs_.set(l, r, rank, id);  // tokenizer.json: the last of equal merges counts; GGUF: the first
        merges_bytes_ |= !options_.raw_bytes && (is_byte(l) || is_byte(r) || l == unk_ || r == unk_);
      }
      ++rank;
    }
    return {};
  }

  // False if an unknown token was needed but the vocabulary has none.
  bool merge_word(std::string_view word, std::vector<int32_t>& out) const {
    MergeScratch& s = scratch();
    s.symbols.clear();
    bool fine = true;
    if (options_.raw_bytes && options_.prefix.empty() && options_.suffix.empty() && has_all_bytes_) {
      for (const char c : word) s.symbols.push_back({byte_ids_[static_cast<unsigned char>(c)], 0, 0});
    } else {
      fine = code_points(word, s.symbols);
    }
    merge_all(s, [this](const Symbol& a, const Symbol& b, int32_t* id) {
      const PairMap::Slot& slot = pairs_.get(a.id, b.id);
      *id = slot.id;
      return slot.rank;
    });
    for (const Symbol& x : s.symbols) out.push_back(x.id);
    return fine;
  }

  bool code_points(std::string_view word, std::vector<Symbol>& symbols) const {
    std::string piece;
    bool pending_unk = false;
    bool fine = true;
    for (size_t i = 0; i < word.size();) {
      const size_t n = options_.raw_bytes ? 1 : static_cast<size_t>(utf8_length(static_cast<unsigned char>(word[i])));
      piece.clear();
      if (i > 0) piece += options_.prefix;
      if (options_.raw_bytes) {
        piece += byte_chars()[static_cast<unsigned char>(word[i])];
      } else {
        piece += word.substr(i, n);
      }
      i += n;
      if (i == word.size()) piece += options_.suffix;
      if (const int id = vocab_->find(piece); id >= 0) {
        if (pending_unk) symbols.push_back({unk_, 0, 0});
        pending_unk = false;
        symbols.push_back({id, 0, 0});
      } else if (!options_.byte_fallback || !fall_back(piece, symbols)) {
        if (options_.unk.empty()) continue;
        fine &= unk_ >= 0;
        if (pending_unk && !options_.fuse_unk) symbols.push_back({unk_, 0, 0});
        pending_unk = unk_ >= 0;
      }
    }
    if (pending_unk) symbols.push_back({unk_, 0, 0});
    return fine;
  }

  // `piece` is the code point with prefix and suffix: its bytes are what falls back.
  bool fall_back(const std::string& piece, std::vector<Symbol>& symbols) const {
    for (const char c : piece)
      if (byte_ids_[static_cast<unsigned char>(c)] < 0) return false;
    for (const char c : piece) symbols.push_back({byte_ids_[static_cast<unsigned char>(c)], 0, 0});
    return true;
  }

  VocabPtr vocab_;
  BpeOptions options_;
  PairMap pairs_;
  const uint32_t serial_;
  Vocab words_;  // raw bytes -> id, for ignore_merges
  std::unique_ptr<Neighbours> neighbours_;
  int32_t byte_ids_[256];
  bool has_all_bytes_ = false;
  bool merges_bytes_ = false;  // some merge joins <0xXX> or unknown pieces
  int unk_ = -1;
};

class ScoredBpe final : public Model {
 public:
  ScoredBpe(VocabPtr vocab, const std::vector<float>& scores, int unk)
      : vocab_(std::move(vocab)), neighbours_(*vocab_), serial_(WordCache::next_serial()), unk_(unk) {
    ranks_.reserve(scores.size());
    for (const float score : scores) ranks_.push_back(rank_of(score));
    for (int b = 0; b < 256; ++b) {
      const auto byte = static_cast<char>(b);
      byte_ids_[b] = vocab_->find(byte_piece(static_cast<unsigned char>(b)));
      if (byte_ids_[b] < 0 && b < 128) byte_ids_[b] = vocab_->find({&byte, 1});
    }
  }

  Result<void> encode(std::string_view word, std::vector<int32_t>& out) const override {
    for_each_part(neighbours_, word, [&](std::string_view part) {
      with_cache(serial_, part, out, [&](std::string_view p) { merge_part(p, out); });
    });
    return {};
  }

 private:
  // A greater score is a lesser rank; below kNoRank for every float.
  static uint32_t rank_of(float score) {
    if (!(score == score)) return kNoRank - 1;
    const auto bits = std::bit_cast<uint32_t>(score + 0.0f);
    const uint32_t ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return std::min(~ordered, kNoRank - 1);
  }

  void merge_part(std::string_view part, std::vector<int32_t>& out) const {
    MergeScratch& s = scratch();
    s.symbols.clear();
    for (uint32_t i = 0; i < part.size();) {
      const auto n = static_cast<uint32_t>(utf8_length(static_cast<unsigned char>(part[i])));
      s.symbols.push_back({-2, i, i + n});
      i += n;
    }
    merge_all(s, [&](const Symbol& a, const Symbol& b, int32_t* id) {
      *id = b.end - a.begin <= vocab_->bytes_max() ? vocab_->find(part.substr(a.begin, b.end - a.begin)) : -1;
      return *id < 0                                    ? kNoRank
             : static_cast<size_t>(*id) < ranks_.size() ? ranks_[static_cast<size_t>(*id)]
                                                        : rank_of(0);
    });
    for (const Symbol& x : s.symbols) {
      const std::string_view text = part.substr(x.begin, x.end - x.begin);
      const int id = x.id >= 0 ? x.id : vocab_->find(text);
      if (id >= 0) {
        out.push_back(id);
        continue;
      }
      for (const char c : text) {
        const int32_t byte = byte_ids_[static_cast<unsigned char>(c)];
        if (byte >= 0 || unk_ >= 0) out.push_back(byte >= 0 ? byte : unk_);
      }
    }
  }

  VocabPtr vocab_;
  Neighbours neighbours_;
  const uint32_t serial_;
  std::vector<uint32_t> ranks_;
  int32_t byte_ids_[256];
  int unk_;
};

}  // namespace

Result<std::unique_ptr<const Model>> make_bpe(VocabPtr vocab, const Merges& merges, BpeOptions options) {
  auto model = std::make_unique<Bpe>(std::move(vocab), merges.size(), std::move(options));
  INGOT_TRY(model->init(merges));
  return model;
}

std::unique_ptr<const Model> make_scored_bpe(VocabPtr vocab, const std::vector<float>& scores, int unk) {
  return std::make_unique<ScoredBpe>(std::move(vocab), scores, unk);
}

}  // namespace ingot::tokenizer
