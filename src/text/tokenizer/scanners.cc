// Hand-written matchers for the published pre-tokenizer patterns. Each scan_* returns where the match that
// begins at p ends, or null; the alternatives stand in the order of the pattern, and where a regex engine
// would backtrack the comment says to what.
#include <array>

#include "text/tokenizer/matcher.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

constexpr CharClass kLetterOrNumber = kLetter | kNumber;
constexpr CharClass kUpperish = bit(kLu) | bit(kLt) | bit(kLm) | bit(kLo) | kMark;
constexpr CharClass kLowerish = bit(kLl) | bit(kLm) | bit(kLo) | kMark;

struct Text {
  const char* end;
  const uint8_t* table;

  CharClass at(const char* p, int* n) const { return char_class(table, decode_utf8(p, n)); }
  // The end of the run of `set` that begins at p, at most `max` code points long.
  const char* run(const char* p, CharClass set, int max = INT32_MAX) const {
    int n;
    while (p < end && max-- > 0 && (at(p, &n) & set)) p += n;
    return p;
  }
  static bool newline(char c) { return c == '\n' || c == '\r'; }
  const char* newlines(const char* p) const {
    while (p < end && newline(*p)) ++p;
    return p;
  }
};

// 's 't 're 've 'm 'll 'd at p (an apostrophe), in any case if `fold`. U+017F folds to s.
const char* contraction(const Text& t, const char* p, bool fold) {
  const auto letter = [&](const char* q) {
    if (q >= t.end) return '\0';
    return fold && *q >= 'A' && *q <= 'Z' ? static_cast<char>(*q + 32) : *q;
  };
  const char a = letter(p + 1);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return p + 2;
  const char b = a ? letter(p + 2) : '\0';
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return p + 3;
  if (fold && t.end - p >= 3 && p[1] == '\xC5' && p[2] == '\xBF') return p + 3;
  return nullptr;
}

// \s+(?!\S)|\s+ on the run [p, run_end): all of it at the end of the text, else all but its last code point.
const char* spaces(const Text& t, const char* p, const char* run_end) {
  if (run_end == t.end) return run_end;
  const char* last = run_end - 1;
  while ((*last & 0xC0) == 0x80) --last;
  return last > p ? last : run_end;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ : up to the last newline of the run, if it has one.
const char* spaces_with_newlines(const Text& t, const char* p) {
  const char* run_end = t.run(p, kSpace);
  if (run_end == p) return nullptr;
  for (const char* q = run_end; q > p; --q)
    if (Text::newline(q[-1])) return q;
  return spaces(t, p, run_end);
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
const char* scan_gpt2(const Text& t, const char* p) {
  if (*p == '\'')
    if (const char* e = contraction(t, p, false)) return e;
  const char* q = *p == ' ' && p + 1 < t.end ? p + 1 : p;
  int n;
  const CharClass c = t.at(q, &n);
  if (c & kLetter) return t.run(q + n, kLetter);
  if (c & kNumber) return t.run(q + n, kNumber);
  if (!(c & kSpace)) return t.run(q + n, ~(kSpace | kLetterOrNumber));
  return spaces(t, p, t.run(p, kSpace));
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,D}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// D digits; kWord is \p{L}, or \p{L}\p{M} (then the fourth alternative leaves out \p{M} too).
template <int D, CharClass kWord, bool kContractions>
const char* scan_cl100k(const Text& t, const char* p) {
  if (kContractions && *p == '\'')
    if (const char* e = contraction(t, p, true)) return e;
  int n;
  const CharClass c = t.at(p, &n);
  if (c & kWord) return t.run(p + n, kWord);
  if (c & kNumber) return t.run(p, kNumber, D);
  int m;
  if (!Text::newline(*p) && p + n < t.end && (t.at(p + n, &m) & kWord)) return t.run(p + n + m, kWord);
  const char* q = *p == ' ' && p + 1 < t.end ? p + 1 : p;
  if (!(t.at(q, &m) & (kSpace | kNumber | kWord))) return t.newlines(t.run(q + m, ~(kSpace | kNumber | kWord)));
  return spaces_with_newlines(t, p);
}

// U*W+ from s, U and W the classes above. U* takes its whole run; if no W follows, it gives back up to the
// last code point that is in both, which then is all of W+.
const char* upper_then_lower(const Text& t, const char* s) {
  const char* p = s;
  const char* after_both = nullptr;
  int n;
  CharClass c = 0;
  while (p < t.end && ((c = t.at(p, &n)) & kUpperish)) {
    p += n;
    if (c & kLowerish) after_both = p;
  }
  if (p < t.end && (c & kLowerish)) return t.run(p, kLowerish);
  return after_both;
}

// U+W* from s.
const char* upper_maybe_lower(const Text& t, const char* s) {
  const char* p = t.run(s, kUpperish);
  return p == s ? nullptr : t.run(p, kLowerish);
}

// [^\r\n\p{L}\p{N}]?U*W+C?|[^\r\n\p{L}\p{N}]?U+W*C?|\p{N}{1,D}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
// C: the contractions, in any case, if kContractions.
template <int D, bool kContractions>
const char* scan_o200k(const Text& t, const char* p) {
  int n;
  const CharClass c = t.at(p, &n);
  const bool prefix = !(c & kLetterOrNumber) && !Text::newline(*p);
  const char* e = nullptr;
  if (prefix && p + n < t.end) e = upper_then_lower(t, p + n);
  if (!e && (c & (kLetter | kMark))) e = upper_then_lower(t, p);
  if (!e && prefix && p + n < t.end) e = upper_maybe_lower(t, p + n);
  if (!e && (c & (kLetter | kMark))) e = upper_maybe_lower(t, p);
  if (e) {
    const char* with = kContractions && e < t.end && *e == '\'' ? contraction(t, e, true) : nullptr;
    return with ? with : e;
  }
  if (c & kNumber) return t.run(p, kNumber, D);
  const char* q = *p == ' ' && p + 1 < t.end ? p + 1 : p;
  int m;
  if (!(t.at(q, &m) & (kSpace | kLetterOrNumber))) {
    q = t.run(q + m, ~(kSpace | kLetterOrNumber));
    while (q < t.end && (Text::newline(*q) || *q == '/')) ++q;
    return q;
  }
  return spaces_with_newlines(t, p);
}

bool ascii_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
const char* scan_deepseek3(const Text& t, const char* p) {
  constexpr CharClass kWord = kLetter | kMark;
  constexpr CharClass kSign = kPunctuation | kSymbol;
  int n, m;
  const CharClass c = t.at(p, &n);
  if (n == 1 && (c & kSign) && p + 1 < t.end && ascii_letter(p[1])) {
    const char* q = p + 2;
    while (q < t.end && ascii_letter(*q)) ++q;
    return q;
  }
  if (c & kWord) return t.run(p + n, kWord);
  if (!Text::newline(*p) && !(c & kSign) && p + n < t.end && (t.at(p + n, &m) & kWord)) return t.run(p + n + m, kWord);
  const char* q = *p == ' ' && p + 1 < t.end ? p + 1 : p;
  if (t.at(q, &m) & kSign) return t.newlines(t.run(q + m, kSign));
  return spaces_with_newlines(t, p);
}

template <int D>
const char* scan_numbers(const Text& t, const char* p) {
  const char* q = t.run(p, kNumber, D);
  return q == p ? nullptr : q;
}

// [U+4E00-U+9FA5 U+3040-U+309F U+30A0-U+30FF]+
const char* scan_cjk(const Text& t, const char* p) {
  const char* q = p;
  while (q < t.end) {
    int n;
    const uint32_t cp = decode_utf8(q, &n);
    if (!((cp >= 0x4E00 && cp <= 0x9FA5) || (cp >= 0x3040 && cp <= 0x30FF))) break;
    q += n;
  }
  return q == p ? nullptr : q;
}

using Scan = const char* (*)(const Text&, const char*);

template <Scan kScan>
class Scanner final : public Matcher {
 public:
  Result<void> find_all(std::string_view text, std::vector<Span>& out) const override {
    const Text t{text.data() + text.size(), class_table()};
    const char* const base = text.data();
    const char* covered = base;
    for (const char* p = base; p < t.end;) {
      const char* e = kScan(t, p);
      if (!e) {
        p += utf8_length(static_cast<unsigned char>(*p));
        continue;
      }
      if (covered < p) out.push_back({static_cast<uint32_t>(covered - base), static_cast<uint32_t>(p - base), false});
      out.push_back({static_cast<uint32_t>(p - base), static_cast<uint32_t>(e - base), true});
      covered = p = e;
    }
    if (covered < t.end)
      out.push_back({static_cast<uint32_t>(covered - base), static_cast<uint32_t>(text.size()), false});
    return {};
  }
};

template <Scan kScan>
std::unique_ptr<const Matcher> make() {
  return std::make_unique<Scanner<kScan>>();
}

struct Known {
  std::string_view pattern;
  std::unique_ptr<const Matcher> (*make)();
};

#define TAIL R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
#define CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define UPPER_LOWER R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
#define UPPERS R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
#define TAIL_SLASH R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"

const Known kKnown[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", make<scan_gpt2>},
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))", make<scan_gpt2>},
    {CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})" TAIL, make<scan_cl100k<3, kLetter, true>>},
    {CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" TAIL, make<scan_cl100k<1, kLetter, true>>},
    {R"([^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" TAIL, make<scan_cl100k<1, kLetter, false>>},
    {CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<scan_cl100k<1, kLetter | kMark, true>>},
    {UPPER_LOWER CONTRACTIONS "?|" UPPERS CONTRACTIONS R"(?|\p{N}{1,3})" TAIL_SLASH, make<scan_o200k<3, true>>},
    {UPPER_LOWER "|" UPPERS R"(|\p{N})" TAIL_SLASH, make<scan_o200k<1, false>>},
    {R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     make<scan_deepseek3>},
    {R"(\p{N}{1,3})", make<scan_numbers<3>>},
    {R"(\p{N})", make<scan_numbers<1>>},
    {R"(\p{N}+)", make<scan_numbers<INT32_MAX>>},
    {"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", make<scan_cjk>},
};

}  // namespace

std::unique_ptr<const Matcher> scanner_for(std::string_view pattern) {
  std::string written;  // newlines as escapes: both spellings are in use
  for (const char c : pattern) written += c == '\n' ? "\\n" : c == '\r' ? "\\r" : std::string(1, c);
  for (const Known& k : kKnown)
    if (k.pattern == written) return k.make();
  return nullptr;
}

}  // namespace ingot::tokenizer
