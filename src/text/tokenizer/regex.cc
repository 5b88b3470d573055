// PCRE2 behind Matcher, and the rewriting of Oniguruma patterns for it.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstring>

#include "base/limits.h"
#include "text/tokenizer/matcher.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

// White_Space of Unicode; PCRE2's \s would add U+180E.
constexpr std::string_view kSpaceItems =
    R"(\x09-\x0d\x20\x85\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kWordItems = R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc})";

class Translator {
 public:
  explicit Translator(std::string_view in) : in_(in) {}

  Result<std::string> run() {
    std::vector<size_t> groups;  // where each open group begins in out_
    size_t atom = 0;             // where the last atom begins
    while (pos_ < in_.size()) {
      const char c = in_[pos_];
      if (c == '\\') {
        atom = out_.size();
        INGOT_TRY(escape(false));
      } else if (c == '[') {
        atom = out_.size();
        INGOT_TRY(char_class(0));
      } else if (c == '(') {
        groups.push_back(out_.size());
        out_ += c;
        ++pos_;
      } else if (c == ')') {
        if (!groups.empty()) {
          atom = groups.back();
          groups.pop_back();
        }
        out_ += c;
        ++pos_;
      } else if (c == '{') {
        interval(atom);
      } else {
        if (!std::strchr("*+?|^$", c)) atom = out_.size();
        const auto n = static_cast<size_t>(utf8_length(static_cast<unsigned char>(c)));
        out_.append(in_.substr(pos_, n));
        pos_ += n;
      }
    }
    return std::move(out_);
  }

 private:
  // {n,m}+ repeats the whole in Oniguruma; PCRE2 would read a possessive quantifier.
  void interval(size_t atom) {
    const size_t close = in_.find('}', pos_);
    const std::string_view body = close == in_.npos ? std::string_view{} : in_.substr(pos_ + 1, close - pos_ - 1);
    if (body.empty() || body.find_first_not_of("0123456789,") != body.npos) {
      out_ += "\\{";
      ++pos_;
      return;
    }
    out_ += body[0] == ',' ? "{0" : "{";
    out_.append(body);
    out_ += '}';
    pos_ = close + 1;
    if (pos_ < in_.size() && in_[pos_] == '+') {
      out_.insert(atom, "(?:");
      out_ += ")";
    }
  }

  Result<void> escape(bool in_class) {
    if (pos_ + 1 >= in_.size()) return invalid("[tokenizer] regex '{}': ends with a backslash", in_);
    const char c = in_[pos_ + 1];
    pos_ += 2;
    const auto items = [&](std::string_view set, bool negated) {
      if (in_class) return out_.append(set);
      return out_.append(negated ? "[^" : "[").append(set).append("]");
    };
    if (c == 's') return items(kSpaceItems, false), Result<void>{};
    if (c == 'w') return items(kWordItems, false), Result<void>{};
    if (c == 'h') return items("0-9a-fA-F", false), Result<void>{};
    if (c == 'S' && !in_class) return items(kSpaceItems, true), Result<void>{};
    if (c == 'W' && !in_class) return items(kWordItems, true), Result<void>{};
    if (c == 'H' && !in_class) return items("0-9a-fA-F", true), Result<void>{};
    if (c == 'u' && pos_ + 4 <= in_.size()) {
      out_.append("\\x{").append(in_.substr(pos_, 4)).append("}");
      pos_ += 4;
      return {};
    }
    out_ += '\\';
    const auto n = std::min(static_cast<size_t>(utf8_length(static_cast<unsigned char>(c))), in_.size() - pos_ + 1);
    out_.append(in_.substr(pos_ - 1, n));
    pos_ += n - 1;
    if (std::strchr("pPxokg", c) && pos_ < in_.size() && in_[pos_] == '{') {  // \\p{L}, \\x{1F600}
      const size_t close = in_.find('}', pos_);
      if (close == in_.npos) return invalid("[tokenizer] regex '{}': '\\{}{{' without '}}'", in_, c);
      out_.append(in_.substr(pos_, close + 1 - pos_));
      pos_ = close + 1;
    }
    return {};
  }

  // [...], with nested classes (a union) and one && (an intersection, written as a lookahead).
  Result<void> char_class(int depth) {
    if (depth > 8) return invalid("[tokenizer] regex '{}': classes nested deeper than 8", in_);
    const size_t begin = out_.size();
    ++pos_;
    if (depth == 0) out_ += '[';
    if (pos_ < in_.size() && in_[pos_] == '^') {
      if (depth > 0) return unimplemented("[tokenizer] regex '{}': a negated class inside a class", in_);
      out_ += '^';
      ++pos_;
    }
    bool first = true;
    while (pos_ < in_.size()) {
      const char c = in_[pos_];
      if (c == ']' && !first) {
        ++pos_;
        if (depth == 0) out_ += ']';
        return {};
      }
      if (c == '\\') {
        INGOT_TRY(escape(true));
      } else if (c == '[' && in_.substr(pos_, 2) == "[:") {
        const size_t close = in_.find(":]", pos_);
        if (close == in_.npos) return invalid("[tokenizer] regex '{}': '[:' without ':]'", in_);
        out_.append(in_.substr(pos_, close + 2 - pos_));
        pos_ = close + 2;
      } else if (c == '[') {
        INGOT_TRY(char_class(depth + 1));
      } else if (c == '&' && in_.substr(pos_, 2) == "&&" && depth == 0) {
        return intersection(begin);
      } else {
        if (c == ']') out_ += '\\';
        out_ += c;
        ++pos_;
      }
      first = false;
    }
    return invalid("[tokenizer] regex '{}': '[' without ']'", in_);
  }

  // [A&&[^B]] or [A&&[B]]: at '&&', A written to out_ from `begin`.
  Result<void> intersection(size_t begin) {
    pos_ += 2;
    const std::string left = out_.substr(begin) + "]";
    out_.resize(begin);
    if (pos_ >= in_.size() || in_[pos_] != '[')
      return unimplemented("[tokenizer] regex '{}': && with something else than a class on its right", in_);
    INGOT_TRY(char_class(0));
    const std::string right = out_.substr(begin);
    out_.resize(begin);
    if (pos_ >= in_.size() || in_[pos_] != ']')
      return unimplemented("[tokenizer] regex '{}': more than one && in a class", in_);
    ++pos_;
    out_.append("(?:(?=").append(right).append(")").append(left).append(")");
    return {};
  }

  std::string_view in_;
  size_t pos_ = 0;
  std::string out_;
};

struct MatchData {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 4 << 20, nullptr);
  MatchData() {
    pcre2_jit_stack_assign(context, nullptr, stack);
    pcre2_set_match_limit(context, 20'000'000);
    pcre2_set_heap_limit(context, 64 << 10);  // kibibytes
  }
  ~MatchData() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

class Pcre final : public Matcher {
 public:
  Pcre(pcre2_code* code, std::string pattern) : code_(code), pattern_(std::move(pattern)) {
    jit_ = pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE) == 0;
  }
  ~Pcre() override { pcre2_code_free(code_); }

  Result<void> find_all(std::string_view text, std::vector<Span>& out) const override {
    thread_local MatchData m;
    const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    size_t from = 0;     // where to search
    size_t covered = 0;  // end of the last span
    size_t last_end = SIZE_MAX;
    while (from <= text.size()) {
      const int n = jit_ ? pcre2_jit_match(code_, subject, text.size(), from, 0, m.data, m.context)
                         : pcre2_match(code_, subject, text.size(), from, PCRE2_NO_UTF_CHECK, m.data, m.context);
      if (n == PCRE2_ERROR_NOMATCH) break;
      if (n < 0)
        return invalid("[tokenizer] regex '{}': gave up (PCRE2 error {}) after byte {} of a text of {} bytes", pattern_,
                       n, from, text.size());
      const size_t* v = pcre2_get_ovector_pointer(m.data);
      const size_t begin = v[0], end = v[1];
      if (end <= begin && end == last_end) {  // an empty match right after a match: step over one code point
        if (from >= text.size()) break;
        from += static_cast<size_t>(utf8_length(static_cast<unsigned char>(text[from])));
        continue;
      }
      if (covered < begin) out.push_back({static_cast<uint32_t>(covered), static_cast<uint32_t>(begin), false});
      out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end), true});
      covered = last_end = from = end;
    }
    if (covered < text.size())
      out.push_back({static_cast<uint32_t>(covered), static_cast<uint32_t>(text.size()), false});
    return {};
  }

 private:
  pcre2_code* code_;
  std::string pattern_;
  bool jit_;
};

class Literal final : public Matcher {
 public:
  explicit Literal(std::string_view text) : text_(text) {}
  Result<void> find_all(std::string_view text, std::vector<Span>& out) const override {
    size_t covered = 0;
    while (!text_.empty()) {
      const size_t at = text.find(text_, covered);
      if (at == text.npos) break;
      if (covered < at) out.push_back({static_cast<uint32_t>(covered), static_cast<uint32_t>(at), false});
      covered = at + text_.size();
      out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(covered), true});
    }
    if (covered < text.size())
      out.push_back({static_cast<uint32_t>(covered), static_cast<uint32_t>(text.size()), false});
    return {};
  }

 private:
  std::string text_;
};

class Char final : public Matcher {
 public:
  explicit Char(bool (*is)(uint32_t)) : is_(is) {}
  Result<void> find_all(std::string_view text, std::vector<Span>& out) const override {
    uint32_t covered = 0;
    const auto size = static_cast<uint32_t>(text.size());
    for (uint32_t i = 0; i < size;) {
      int n;
      const bool hit = is_(decode_utf8(text.data() + i, &n));
      const uint32_t end = i + static_cast<uint32_t>(n);
      if (hit) {
        if (covered < i) out.push_back({covered, i, false});
        out.push_back({i, end, true});
        covered = end;
      }
      i = end;
    }
    if (covered < size) out.push_back({covered, size, false});
    return {};
  }

 private:
  bool (*is_)(uint32_t);
};

}  // namespace

Result<std::string> translate_regex(std::string_view pattern) { return Translator(pattern).run(); }

Result<std::unique_ptr<const Matcher>> compile_regex(std::string_view pattern) {
  if (pattern.size() > limits::kRegexBytesMax)
    return invalid("[tokenizer] regex of {} bytes is longer than {}", pattern.size(), limits::kRegexBytesMax);
  if (!is_valid_utf8(pattern)) return invalid("[tokenizer] a regex is not UTF-8");
  const std::string translated = INGOT_TRY(translate_regex(pattern));
  int code = 0;
  size_t offset = 0;
  pcre2_code* compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK, &code, &offset, nullptr);
  if (compiled == nullptr) {
    unsigned char message[256] = {};
    pcre2_get_error_message(code, message, sizeof(message));
    return unimplemented("[tokenizer] regex '{}': {} (at byte {} of '{}')", pattern, reinterpret_cast<char*>(message),
                         offset, translated);
  }
  return std::make_unique<Pcre>(compiled, std::string(pattern));
}

Result<std::unique_ptr<const Matcher>> make_matcher(std::string_view pattern) {
  if (auto scanner = scanner_for(pattern)) return scanner;
  return compile_regex(pattern);
}

std::unique_ptr<const Matcher> literal_matcher(std::string_view text) { return std::make_unique<Literal>(text); }
std::unique_ptr<const Matcher> char_matcher(bool (*is)(uint32_t)) { return std::make_unique<Char>(is); }

}  // namespace ingot::tokenizer
