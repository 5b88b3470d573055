#include "text/unicode/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

namespace ingot::tokenizer {
namespace {

struct Delta {
  uint32_t first, last;
  uint8_t category;
};
constexpr Delta kDelta[] = {
#include "text/unicode/unicode_delta.inc"
};

bool is_control_space(uint32_t cp) { return (cp >= 9 && cp <= 13) || cp == 0x85; }

}  // namespace

uint8_t category_slow(uint32_t cp) {
  if (is_control_space(cp)) return kCcSpace;
  const auto* d = std::upper_bound(std::begin(kDelta), std::end(kDelta), cp,
                                   [](uint32_t c, const Delta& e) { return c < e.first; });
  if (d != std::begin(kDelta) && cp <= d[-1].last) return d[-1].category;
  return static_cast<uint8_t>(utf8proc_category(static_cast<utf8proc_int32_t>(cp)));
}

const uint8_t* class_table() {
  static const std::vector<uint8_t> table = [] {
    std::vector<uint8_t> t(kClassTableSize);
    for (uint32_t cp = 0; cp < kClassTableSize; ++cp)
      t[cp] = is_control_space(cp) ? uint8_t{kCcSpace}
                                   : static_cast<uint8_t>(utf8proc_category(static_cast<utf8proc_int32_t>(cp)));
    for (const Delta& d : kDelta)
      for (uint32_t cp = d.first; cp <= d.last && cp < kClassTableSize; ++cp) t[cp] = d.category;
    return t;
  }();
  return table.data();
}

bool is_word_char(uint32_t cp) {
  if (char_class(cp) & (kLetter | kMark | bit(kNd) | bit(kNl) | bit(kPc))) return true;
  return cp == 0x200C || cp == 0x200D || (cp >= 0x24B6 && cp <= 0x24E9) || (cp >= 0x1F130 && cp <= 0x1F149) ||
         (cp >= 0x1F150 && cp <= 0x1F169) || (cp >= 0x1F170 && cp <= 0x1F189);
}

void append_utf8(std::string& out, uint32_t cp) {
  if (cp < 0x80) {
    out.push_back(static_cast<char>(cp));
  } else if (cp < 0x800) {
    out.push_back(static_cast<char>(0xC0 | cp >> 6));
    out.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  } else if (cp < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | cp >> 12));
    out.push_back(static_cast<char>(0x80 | (cp >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | cp >> 18));
    out.push_back(static_cast<char>(0x80 | (cp >> 12 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (cp >> 6 & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (cp & 0x3F)));
  }
}

std::string utf8(uint32_t cp) {
  std::string s;
  append_utf8(s, cp);
  return s;
}

int check_utf8(const char* p, const char* end, int* bad) {
  const auto b = [p](int i) { return static_cast<unsigned char>(p[i]); };
  *bad = 1;
  if (b(0) < 0x80) return 1;
  if (b(0) < 0xC2 || b(0) > 0xF4) return 0;
  const int n = utf8_length(b(0));
  // The second byte's range rules out overlong forms, surrogates and values above U+10FFFF.
  const unsigned char low = b(0) == 0xE0 ? 0xA0 : b(0) == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = b(0) == 0xED ? 0x9F : b(0) == 0xF4 ? 0x8F : 0xBF;
  for (int i = 1; i < n; ++i) {
    if (p + i == end) return -1;
    if (b(i) < (i == 1 ? low : 0x80) || b(i) > (i == 1 ? high : 0xBF)) {
      *bad = i;
      return 0;
    }
  }
  return n;
}

bool is_valid_utf8(std::string_view bytes) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p < end) {
    uint64_t w;
    if (end - p >= 8 && (std::memcpy(&w, p, 8), (w & 0x8080808080808080u) == 0)) {
      p += 8;
      continue;
    }
    int bad;
    const int n = check_utf8(p, end, &bad);
    if (n <= 0) return false;
    p += n;
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p < end) {
    int bad;
    const int n = check_utf8(p, end, &bad);
    if (n > 0) {
      out.append(p, static_cast<size_t>(n));
      p += n;
    } else {
      out.append("\xEF\xBF\xBD");
      p = n < 0 ? end : p + bad;
    }
  }
  return out;
}

namespace {

// The normalizer in `tokenizers` is older than Unicode 10: it neither decomposes nor reorders these. Models were
// trained with it, so they stay as they are here too.
constexpr uint32_t kNotNormalized[][2] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x10781, 0x107BA},
    {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930},
    {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

bool not_normalized(uint32_t cp) {
  if (cp < 0x7FD) return false;
  const auto* r = std::upper_bound(std::begin(kNotNormalized), std::end(kNotNormalized), cp,
                                   [](uint32_t c, const uint32_t(&e)[2]) { return c < e[0]; });
  return r != std::begin(kNotNormalized) && cp <= r[-1][1];
}

// A code point that no normal form changes, and that ends whatever came before it.
bool is_inert(uint32_t cp, const utf8proc_property_t& p) {
  if (cp >= 0x1100 && cp < 0x1200) return false;   // conjoining jamo
  if (cp >= 0xAC00 && cp <= 0xD7A3) return false;  // Hangul syllables
  if (not_normalized(cp)) return true;
  return p.combining_class == 0 && p.decomp_seqindex == UINT16_MAX &&
         (p.comb_index == UINT16_MAX || p.comb_index < 0x8000);
}

void normalize_run(const std::vector<uint32_t>& run, int options, std::string& out) {
  std::vector<utf8proc_int32_t> buffer;
  buffer.reserve(run.size() * 2);
  for (uint32_t cp : run) {
    if (not_normalized(cp)) {
      buffer.push_back(static_cast<utf8proc_int32_t>(cp));
      continue;
    }
    utf8proc_int32_t parts[32];
    int boundary = 0;
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(cp), parts, 32,
                                           static_cast<utf8proc_option_t>(options), &boundary);
    for (utf8proc_ssize_t i = 0; i < n && i < 32; ++i) buffer.push_back(parts[i]);
  }
  std::vector<std::tuple<int, size_t, utf8proc_int32_t>> order;
  const auto ccc = [](utf8proc_int32_t c) {
    return not_normalized(static_cast<uint32_t>(c)) ? 0 : utf8proc_get_property(c)->combining_class;
  };
  for (size_t i = 0; i < buffer.size();) {
    if (ccc(buffer[i]) == 0) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < buffer.size() && ccc(buffer[end]) != 0) ++end;
    order.clear();  // by class, then by place
    for (size_t j = i; j < end; ++j) order.emplace_back(ccc(buffer[j]), j, buffer[j]);
    std::sort(order.begin(), order.end());
    for (size_t j = i; j < end; ++j) buffer[j] = std::get<2>(order[j - i]);
    i = end;
  }
  auto size = static_cast<utf8proc_ssize_t>(buffer.size());
  if (options & UTF8PROC_COMPOSE)
    size = utf8proc_normalize_utf32(buffer.data(), size, static_cast<utf8proc_option_t>(options));
  for (utf8proc_ssize_t i = 0; i < size; ++i) append_utf8(out, static_cast<uint32_t>(buffer[static_cast<size_t>(i)]));
}

}  // namespace

std::string normalize(std::string_view text, NormalForm form) {
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::kNfc || form == NormalForm::kNfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::kNfkc || form == NormalForm::kNfkd) options |= UTF8PROC_COMPAT;
  std::string out;
  out.reserve(text.size());
  std::vector<uint32_t> run;
  size_t begin = 0;  // of what was not yet written
  size_t last = 0;   // the code point before i: a starter that i may combine with
  for (size_t i = 0; i < text.size();) {
    int n;
    uint32_t cp = decode_utf8(text.data() + i, &n);
    if (cp < 0xA0 || is_inert(cp, *utf8proc_get_property(static_cast<utf8proc_int32_t>(cp)))) {
      last = i;
      i += static_cast<size_t>(n);
      continue;
    }
    out.append(text.substr(begin, last - begin));
    run.clear();
    for (size_t j = last; j < text.size(); j += static_cast<size_t>(n)) {
      cp = decode_utf8(text.data() + j, &n);
      if (j >= i && is_inert(cp, *utf8proc_get_property(static_cast<utf8proc_int32_t>(cp)))) break;
      run.push_back(cp);
      begin = j + static_cast<size_t>(n);
    }
    normalize_run(run, options, out);
    i = last = begin;
  }
  out.append(text.substr(begin));
  return out;
}

namespace {

// Simple lower case; the letters that Unicode 16 and 17 added come from this table.
uint32_t lower_case(uint32_t cp) {
  constexpr uint32_t kNew[][2] = {{0x1C89, 0x1C8A}, {0xA7CB, 0x264},  {0xA7CC, 0xA7CD}, {0xA7CE, 0xA7CF},
                                  {0xA7D2, 0xA7D3}, {0xA7D4, 0xA7D5}, {0xA7DA, 0xA7DB}, {0xA7DC, 0x19B}};
  for (const auto& [upper, lower] : kNew)
    if (cp == upper) return lower;
  if (cp >= 0x10D50 && cp <= 0x10D65) return cp + 0x20;
  if (cp >= 0x16EA0 && cp <= 0x16EB8) return cp + 0x1B;
  return static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(cp)));
}

}  // namespace

std::string lowercase(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    int n;
    const uint32_t cp = decode_utf8(text.data() + i, &n);
    if (cp < 0x80) {
      out.push_back(static_cast<char>(cp >= 'A' && cp <= 'Z' ? cp + 32 : cp));
    } else if (cp == 0x130) {
      out.append("i\xCC\x87");  // the one code point whose lower case is two
    } else {
      append_utf8(out, lower_case(cp));
    }
    i += static_cast<size_t>(n);
  }
  return out;
}

size_t grapheme_end(std::string_view text, size_t begin) {
  int n;
  auto previous = static_cast<utf8proc_int32_t>(decode_utf8(text.data() + begin, &n));
  utf8proc_int32_t state = 0;
  size_t i = begin + static_cast<size_t>(n);
  while (i < text.size()) {
    const auto cp = static_cast<utf8proc_int32_t>(decode_utf8(text.data() + i, &n));
    if (utf8proc_grapheme_break_stateful(previous, cp, &state)) break;
    previous = cp;
    i += static_cast<size_t>(n);
  }
  return i;
}

namespace {

struct ByteChars {
  std::array<uint32_t, 256> chars;
  std::array<int16_t, 512> bytes;
  std::vector<std::string> text;
  ByteChars() : text(256) {
    bytes.fill(-1);
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; ++b) {
      const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      chars[b] = printable ? b : next++;
      bytes[chars[b]] = static_cast<int16_t>(b);
      append_utf8(text[b], chars[b]);
    }
  }
};
const ByteChars& table() {
  static const ByteChars t;
  return t;
}

}  // namespace

const std::vector<std::string>& byte_chars() { return table().text; }

int byte_of_char(uint32_t cp) { return cp < 512 ? table().bytes[cp] : -1; }

std::string to_byte_chars(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) out += table().text[c];
  return out;
}

bool from_byte_chars(std::string_view text, std::string& out) {
  const size_t before = out.size();
  for (size_t i = 0; i < text.size();) {
    int n;
    const int b = byte_of_char(decode_utf8(text.data() + i, &n));
    if (b < 0) {
      out.resize(before);
      return false;
    }
    out.push_back(static_cast<char>(b));
    i += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace ingot::tokenizer
