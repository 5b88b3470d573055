// Upper, lower and title case of strings, with the mappings that give more than one character.
#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "text/jinja/values/unicode.h"
#include "text/unicode/unicode.h"

namespace ingot::jinja::unicode {
namespace {

struct SpecialCase {
  char32_t from;
  const char32_t* to;
};

// Unicode's SpecialCasing, the unconditional entries; sorted by code point.
constexpr SpecialCase kUpper[] = {
    {0x00df, U"\u0053\u0053"},       {0x0149, U"\u02bc\u004e"},       {0x01f0, U"\u004a\u030c"},
    {0x0390, U"\u0399\u0308\u0301"}, {0x03b0, U"\u03a5\u0308\u0301"}, {0x0587, U"\u0535\u0552"},
    {0x1e96, U"\u0048\u0331"},       {0x1e97, U"\u0054\u0308"},       {0x1e98, U"\u0057\u030a"},
    {0x1e99, U"\u0059\u030a"},       {0x1e9a, U"\u0041\u02be"},       {0x1f50, U"\u03a5\u0313"},
    {0x1f52, U"\u03a5\u0313\u0300"}, {0x1f54, U"\u03a5\u0313\u0301"}, {0x1f56, U"\u03a5\u0313\u0342"},
    {0x1f80, U"\u1f08\u0399"},       {0x1f81, U"\u1f09\u0399"},       {0x1f82, U"\u1f0a\u0399"},
    {0x1f83, U"\u1f0b\u0399"},       {0x1f84, U"\u1f0c\u0399"},       {0x1f85, U"\u1f0d\u0399"},
    {0x1f86, U"\u1f0e\u0399"},       {0x1f87, U"\u1f0f\u0399"},       {0x1f88, U"\u1f08\u0399"},
    {0x1f89, U"\u1f09\u0399"},       {0x1f8a, U"\u1f0a\u0399"},       {0x1f8b, U"\u1f0b\u0399"},
    {0x1f8c, U"\u1f0c\u0399"},       {0x1f8d, U"\u1f0d\u0399"},       {0x1f8e, U"\u1f0e\u0399"},
    {0x1f8f, U"\u1f0f\u0399"},       {0x1f90, U"\u1f28\u0399"},       {0x1f91, U"\u1f29\u0399"},
    {0x1f92, U"\u1f2a\u0399"},       {0x1f93, U"\u1f2b\u0399"},       {0x1f94, U"\u1f2c\u0399"},
    {0x1f95, U"\u1f2d\u0399"},       {0x1f96, U"\u1f2e\u0399"},       {0x1f97, U"\u1f2f\u0399"},
    {0x1f98, U"\u1f28\u0399"},       {0x1f99, U"\u1f29\u0399"},       {0x1f9a, U"\u1f2a\u0399"},
    {0x1f9b, U"\u1f2b\u0399"},       {0x1f9c, U"\u1f2c\u0399"},       {0x1f9d, U"\u1f2d\u0399"},
    {0x1f9e, U"\u1f2e\u0399"},       {0x1f9f, U"\u1f2f\u0399"},       {0x1fa0, U"\u1f68\u0399"},
    {0x1fa1, U"\u1f69\u0399"},       {0x1fa2, U"\u1f6a\u0399"},       {0x1fa3, U"\u1f6b\u0399"},
    {0x1fa4, U"\u1f6c\u0399"},       {0x1fa5, U"\u1f6d\u0399"},       {0x1fa6, U"\u1f6e\u0399"},
    {0x1fa7, U"\u1f6f\u0399"},       {0x1fa8, U"\u1f68\u0399"},       {0x1fa9, U"\u1f69\u0399"},
    {0x1faa, U"\u1f6a\u0399"},       {0x1fab, U"\u1f6b\u0399"},       {0x1fac, U"\u1f6c\u0399"},
    {0x1fad, U"\u1f6d\u0399"},       {0x1fae, U"\u1f6e\u0399"},       {0x1faf, U"\u1f6f\u0399"},
    {0x1fb2, U"\u1fba\u0399"},       {0x1fb3, U"\u0391\u0399"},       {0x1fb4, U"\u0386\u0399"},
    {0x1fb6, U"\u0391\u0342"},       {0x1fb7, U"\u0391\u0342\u0399"}, {0x1fbc, U"\u0391\u0399"},
    {0x1fc2, U"\u1fca\u0399"},       {0x1fc3, U"\u0397\u0399"},       {0x1fc4, U"\u0389\u0399"},
    {0x1fc6, U"\u0397\u0342"},       {0x1fc7, U"\u0397\u0342\u0399"}, {0x1fcc, U"\u0397\u0399"},
    {0x1fd2, U"\u0399\u0308\u0300"}, {0x1fd3, U"\u0399\u0308\u0301"}, {0x1fd6, U"\u0399\u0342"},
    {0x1fd7, U"\u0399\u0308\u0342"}, {0x1fe2, U"\u03a5\u0308\u0300"}, {0x1fe3, U"\u03a5\u0308\u0301"},
    {0x1fe4, U"\u03a1\u0313"},       {0x1fe6, U"\u03a5\u0342"},       {0x1fe7, U"\u03a5\u0308\u0342"},
    {0x1ff2, U"\u1ffa\u0399"},       {0x1ff3, U"\u03a9\u0399"},       {0x1ff4, U"\u038f\u0399"},
    {0x1ff6, U"\u03a9\u0342"},       {0x1ff7, U"\u03a9\u0342\u0399"}, {0x1ffc, U"\u03a9\u0399"},
    {0xfb00, U"\u0046\u0046"},       {0xfb01, U"\u0046\u0049"},       {0xfb02, U"\u0046\u004c"},
    {0xfb03, U"\u0046\u0046\u0049"}, {0xfb04, U"\u0046\u0046\u004c"}, {0xfb05, U"\u0053\u0054"},
    {0xfb06, U"\u0053\u0054"},       {0xfb13, U"\u0544\u0546"},       {0xfb14, U"\u0544\u0535"},
    {0xfb15, U"\u0544\u053b"},       {0xfb16, U"\u054e\u0546"},       {0xfb17, U"\u0544\u053d"},
};
constexpr SpecialCase kTitle[] = {
    {0x00df, U"\u0053\u0073"},       {0x0149, U"\u02bc\u004e"},       {0x01f0, U"\u004a\u030c"},
    {0x0390, U"\u0399\u0308\u0301"}, {0x03b0, U"\u03a5\u0308\u0301"}, {0x0587, U"\u0535\u0582"},
    {0x1e96, U"\u0048\u0331"},       {0x1e97, U"\u0054\u0308"},       {0x1e98, U"\u0057\u030a"},
    {0x1e99, U"\u0059\u030a"},       {0x1e9a, U"\u0041\u02be"},       {0x1f50, U"\u03a5\u0313"},
    {0x1f52, U"\u03a5\u0313\u0300"}, {0x1f54, U"\u03a5\u0313\u0301"}, {0x1f56, U"\u03a5\u0313\u0342"},
    {0x1fb2, U"\u1fba\u0345"},       {0x1fb4, U"\u0386\u0345"},       {0x1fb6, U"\u0391\u0342"},
    {0x1fb7, U"\u0391\u0342\u0345"}, {0x1fc2, U"\u1fca\u0345"},       {0x1fc4, U"\u0389\u0345"},
    {0x1fc6, U"\u0397\u0342"},       {0x1fc7, U"\u0397\u0342\u0345"}, {0x1fd2, U"\u0399\u0308\u0300"},
    {0x1fd3, U"\u0399\u0308\u0301"}, {0x1fd6, U"\u0399\u0342"},       {0x1fd7, U"\u0399\u0308\u0342"},
    {0x1fe2, U"\u03a5\u0308\u0300"}, {0x1fe3, U"\u03a5\u0308\u0301"}, {0x1fe4, U"\u03a1\u0313"},
    {0x1fe6, U"\u03a5\u0342"},       {0x1fe7, U"\u03a5\u0308\u0342"}, {0x1ff2, U"\u1ffa\u0345"},
    {0x1ff4, U"\u038f\u0345"},       {0x1ff6, U"\u03a9\u0342"},       {0x1ff7, U"\u03a9\u0342\u0345"},
    {0xfb00, U"\u0046\u0066"},       {0xfb01, U"\u0046\u0069"},       {0xfb02, U"\u0046\u006c"},
    {0xfb03, U"\u0046\u0066\u0069"}, {0xfb04, U"\u0046\u0066\u006c"}, {0xfb05, U"\u0053\u0074"},
    {0xfb06, U"\u0053\u0074"},       {0xfb13, U"\u0544\u0576"},       {0xfb14, U"\u0544\u0565"},
    {0xfb15, U"\u0544\u056b"},       {0xfb16, U"\u054e\u0576"},       {0xfb17, U"\u0544\u056d"},
};

template <size_t N>
const char32_t* special(const SpecialCase (&table)[N], char32_t c) {
  const auto* at = std::lower_bound(std::begin(table), std::end(table), c,
                                    [](const SpecialCase& e, char32_t v) { return e.from < v; });
  return at != std::end(table) && at->from == c ? at->to : nullptr;
}

void append_all(std::string& out, const char32_t* s) {
  for (; *s != 0; ++s) tokenizer::append_utf8(out, *s);
}

void append_upper(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  } else if (const char32_t* more = special(kUpper, c)) {
    append_all(out, more);
  } else {
    tokenizer::append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
  }
}

void append_title(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  } else if (const char32_t* more = special(kTitle, c)) {
    append_all(out, more);
  } else {
    tokenizer::append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  }
}

bool is_cased(char32_t c) { return is_lower(c) || is_upper(c) || is_title(c); }

bool is_case_ignorable(char32_t c) {
  if (c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2019) return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default: return false;
  }
}

// A capital sigma that ends a word is written as the final form.
bool is_final_sigma(std::string_view s, size_t start, size_t end) {
  bool before = false;
  for (size_t pos = 0; pos < start;) {
    const char32_t c = decode(s, pos);
    if (!is_case_ignorable(c)) before = is_cased(c);
  }
  if (!before) return false;
  for (size_t pos = end; pos < s.size();) {
    const char32_t c = decode(s, pos);
    if (!is_case_ignorable(c)) return !is_cased(c);
  }
  return true;
}

void append_lower(std::string& out, char32_t c, std::string_view s, size_t start, size_t end) {
  if (c < 0x80) {
    out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  } else if (c == 0x130) {
    append_all(out, U"i\u0307");
  } else if (c == 0x3A3) {
    tokenizer::append_utf8(out, is_final_sigma(s, start, end) ? 0x3C2 : 0x3C3);
  } else {
    tokenizer::append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

}  // namespace

std::string upper(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t pos = 0; pos < s.size();) append_upper(out, decode(s, pos));
  return out;
}

std::string lower(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t pos = 0; pos < s.size();) {
    const size_t start = pos;
    const char32_t c = decode(s, pos);
    append_lower(out, c, s, start, pos);
  }
  return out;
}

std::string title(std::string_view s) {
  std::string out;
  bool inside = false;
  for (size_t pos = 0; pos < s.size();) {
    const size_t start = pos;
    const char32_t c = decode(s, pos);
    if (inside) {
      append_lower(out, c, s, start, pos);
    } else {
      append_title(out, c);
    }
    inside = is_cased(c);
  }
  return out;
}

std::string capitalize(std::string_view s) {
  std::string out;
  for (size_t pos = 0; pos < s.size();) {
    const size_t start = pos;
    const char32_t c = decode(s, pos);
    if (start == 0) {
      append_title(out, c);
    } else {
      append_lower(out, c, s, start, pos);
    }
  }
  return out;
}

std::string swapcase(std::string_view s) {
  std::string out;
  for (size_t pos = 0; pos < s.size();) {
    const size_t start = pos;
    const char32_t c = decode(s, pos);
    if (is_upper(c)) {
      append_lower(out, c, s, start, pos);
    } else if (is_lower(c)) {
      append_upper(out, c);
    } else {
      tokenizer::append_utf8(out, c);
    }
  }
  return out;
}

std::string casefold(std::string_view s) {
  std::string out;
  for (size_t pos = 0; pos < s.size();) {
    utf8proc_int32_t folded[8];
    int last_boundclass = 0;
    const auto c = static_cast<utf8proc_int32_t>(decode(s, pos));
    const auto n = utf8proc_decompose_char(c, folded, 8, UTF8PROC_CASEFOLD, &last_boundclass);
    for (utf8proc_ssize_t i = 0; i < n && i < 8; ++i) tokenizer::append_utf8(out, static_cast<char32_t>(folded[i]));
  }
  return out;
}

}  // namespace ingot::jinja::unicode
