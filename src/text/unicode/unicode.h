// UTF-8, character classes and normalization forms, as the tokenizers of Hugging Face see them.
//
// Classes follow Unicode 16 (the version of Oniguruma in `tokenizers`): utf8proc's Unicode 15 plus the table
// in unicode_delta.inc. Normalization is utf8proc's. Callers hand in valid UTF-8 unless said otherwise.
// Thread-safety: pure functions; the class table is made once, on first use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ingot::tokenizer {

// One bit per general category, in utf8proc's order; a class is a set of them.
using CharClass = uint32_t;
enum Category : uint8_t {
  kCn,
  kLu,
  kLl,
  kLt,
  kLm,
  kLo,
  kMn,
  kMc,
  kMe,
  kNd,
  kNl,
  kNo,
  kPc,
  kPd,
  kPs,
  kPe,
  kPi,
  kPf,
  kPo,
  kSm,
  kSc,
  kSk,
  kSo,
  kZs,
  kZl,
  kZp,
  kCc,
  kCf,
  kCs,
  kCo,
  kCcSpace,  // control characters that are White_Space: tab to carriage return, U+0085
};
constexpr CharClass bit(Category c) { return CharClass{1} << c; }
inline constexpr CharClass kLetter = bit(kLu) | bit(kLl) | bit(kLt) | bit(kLm) | bit(kLo);
inline constexpr CharClass kMark = bit(kMn) | bit(kMc) | bit(kMe);
inline constexpr CharClass kNumber = bit(kNd) | bit(kNl) | bit(kNo);
inline constexpr CharClass kPunctuation = bit(kPc) | bit(kPd) | bit(kPs) | bit(kPe) | bit(kPi) | bit(kPf) | bit(kPo);
inline constexpr CharClass kSymbol = bit(kSm) | bit(kSc) | bit(kSk) | bit(kSo);
inline constexpr CharClass kSpace = bit(kZs) | bit(kZl) | bit(kZp) | bit(kCcSpace);
inline constexpr CharClass kOther = bit(kCn) | bit(kCc) | bit(kCcSpace) | bit(kCf) | bit(kCs) | bit(kCo);

inline constexpr uint32_t kClassTableSize = 0x20000;
const uint8_t* class_table();  // Category of each code point below kClassTableSize
uint8_t category_slow(uint32_t cp);

inline CharClass char_class(const uint8_t* table, uint32_t cp) {
  return CharClass{1} << (cp < kClassTableSize ? table[cp] : category_slow(cp));
}
inline CharClass char_class(uint32_t cp) { return char_class(class_table(), cp); }
bool is_word_char(uint32_t cp);  // \w of Rust's regex crate

// The code point at p, which starts one; *length becomes its bytes.
inline uint32_t decode_utf8(const char* p, int* length) {
  const auto b = [p](int i) { return static_cast<uint32_t>(static_cast<unsigned char>(p[i])); };
  const uint32_t c = b(0);
  if (c < 0x80) return *length = 1, c;
  if (c < 0xE0) return *length = 2, (c & 0x1F) << 6 | (b(1) & 0x3F);
  if (c < 0xF0) return *length = 3, (c & 0x0F) << 12 | (b(1) & 0x3F) << 6 | (b(2) & 0x3F);
  return *length = 4, (c & 0x07) << 18 | (b(1) & 0x3F) << 12 | (b(2) & 0x3F) << 6 | (b(3) & 0x3F);
}
inline int utf8_length(unsigned char lead) { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }
void append_utf8(std::string& out, uint32_t cp);
std::string utf8(uint32_t cp);

// Bytes of a well-formed code point at p (1 to 4), 0 if p[0] begins an ill-formed part whose length goes to
// *bad, or -1 if all of [p, end) is the beginning of one that may still become well-formed.
int check_utf8(const char* p, const char* end, int* bad);
bool is_valid_utf8(std::string_view bytes);
// Each maximal ill-formed part becomes one U+FFFD (the practice of Unicode 3.9, Rust and WHATWG).
std::string replace_invalid_utf8(std::string_view bytes);

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
// Near linear also for endless runs of combining marks.
std::string normalize(std::string_view text, NormalForm form);
std::string lowercase(std::string_view text);  // full mapping per code point, no context (no final sigma)

// The end of the extended grapheme cluster that begins at `begin`.
size_t grapheme_end(std::string_view text, size_t begin);

// GPT-2's printable stand-ins for bytes.
const std::vector<std::string>& byte_chars();  // byte -> UTF-8
int byte_of_char(uint32_t cp);                 // -1 if it stands for none
std::string to_byte_chars(std::string_view bytes);
bool from_byte_chars(std::string_view text, std::string& out);  // false (out untouched) if not all are stand-ins

}  // namespace ingot::tokenizer
