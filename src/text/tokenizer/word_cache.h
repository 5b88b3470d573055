// Words that were encoded before: a direct-mapped table of 32768 lines of 64 bytes, one per thread.
//
// Holds words of up to 24 bytes that became up to 7 ids; anything else is encoded anew. Models share the
// table, told apart by their serial number. Thread-safety: each thread has its own.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "text/tokenizer/vocab.h"

namespace ingot::tokenizer {

class WordCache {
 public:
  static uint32_t next_serial() {
    static std::atomic<uint32_t> serial{0};
    return ++serial;
  }
  static WordCache& mine() {
    thread_local WordCache cache;
    return cache;
  }

  struct Line {
    uint32_t owner = 0;
    uint32_t tag = 0;
    uint8_t length = 0;
    uint8_t count = 0;
    char word[24];
    int32_t ids[7];
  };
  static constexpr size_t kWordBytesMax = sizeof(Line::word);
  static constexpr size_t kIdsMax = 7;

  // The line where `word` (at most kWordBytesMax bytes) belongs; *hit says whether it is there.
  Line& find(uint32_t owner, std::string_view word, bool* hit) {
    const uint64_t hash = hash_bytes(word) + owner * uint64_t{0x9E3779B97F4A7C15u};
    Line& line = lines_[(hash >> 8) & (kLines - 1)];
    *hit = line.owner == owner && line.tag == static_cast<uint32_t>(hash) && line.length == word.size() &&
           std::memcmp(line.word, word.data(), word.size()) == 0;
    tag_ = static_cast<uint32_t>(hash);
    return line;
  }
  // Fills the line that find() just missed.
  void fill(Line& line, uint32_t owner, std::string_view word, const int32_t* ids, size_t count) {
    if (count > kIdsMax) return;
    line.owner = owner;
    line.tag = tag_;
    line.length = static_cast<uint8_t>(word.size());
    line.count = static_cast<uint8_t>(count);
    std::memcpy(line.word, word.data(), word.size());
    std::memcpy(line.ids, ids, count * sizeof(int32_t));
  }

 private:
  static constexpr size_t kLines = 32768;
  std::unique_ptr<Line[]> lines_ = std::make_unique<Line[]>(kLines);
  uint32_t tag_ = 0;
};

}  // namespace ingot::tokenizer
