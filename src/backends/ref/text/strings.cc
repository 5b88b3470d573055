// StringConcat, StringSplit, StringNormalizer.
#include <utf8proc.h>

#include <algorithm>
#include <unordered_set>

#include "backends/ref/broadcast.h"
#include "backends/ref/kernels.h"

namespace ingot {

void ref_StringConcat(KernelContext& c) {
  map_binary<std::string, std::string>(c, [](const std::string& a, const std::string& b) { return a + b; });
}

namespace {

constexpr std::string_view kSpace = " \t\n\v\f\r\x1c\x1d\x1e\x1f";  // where Python's str.split() splits ASCII

// At most splits_max splits from the left, at the delimiter, or at runs of white space if it is empty.
std::vector<std::string_view> split(std::string_view s, std::string_view delimiter, int64_t splits_max) {
  std::vector<std::string_view> out;
  if (delimiter.empty()) {
    for (;;) {
      s.remove_prefix(std::min(s.find_first_not_of(kSpace), s.size()));
      if (s.empty()) return out;
      const size_t end = static_cast<int64_t>(out.size()) < splits_max ? s.find_first_of(kSpace) : s.npos;
      out.push_back(s.substr(0, end));
      s.remove_prefix(std::min(end, s.size()));
    }
  }
  for (size_t at; static_cast<int64_t>(out.size()) < splits_max && (at = s.find(delimiter)) != s.npos;) {
    out.push_back(s.substr(0, at));
    s.remove_prefix(at + delimiter.size());
  }
  out.push_back(s);
  return out;
}

}  // namespace

// The innermost dimension is the largest count; shorter rows end with empty strings.
void ref_StringSplit(KernelContext& c) {
  const TensorView& x = c.in(0);
  const std::string delimiter = c.node.attributes.get_string("delimiter");
  const int64_t splits_max = c.node.attributes.get_int("maxsplit", INT64_MAX);
  std::vector<std::vector<std::string_view>> rows;
  size_t longest = 0;
  for (int64_t i = 0; i < x.num_elements(); ++i) {
    rows.push_back(split(x.as<std::string>()[i], delimiter, splits_max));
    longest = std::max(longest, rows.back().size());
    if (c.has_output(1)) c.out(1).as<int64_t>()[i] = static_cast<int64_t>(rows.back().size());
  }
  Shape shape = x.shape;
  shape.push_back(static_cast<int64_t>(longest));
  c.allocate_output(0, shape);
  if (!c.has_output(0)) return;  // no memory
  for (size_t i = 0; i < rows.size(); ++i) std::ranges::copy(rows[i], c.out(0).as<std::string>() + i * longest);
}

namespace {

// Every code point's simple mapping; bytes that are not UTF-8 stay.
std::string mapped(const std::string& s, utf8proc_int32_t (*map)(utf8proc_int32_t)) {
  std::string out;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(s.data());
  for (size_t i = 0; i < s.size();) {
    utf8proc_int32_t code = -1;
    const auto n = utf8proc_iterate(bytes + i, static_cast<utf8proc_ssize_t>(s.size() - i), &code);
    if (n <= 0) {
      out += s[i++];
      continue;
    }
    utf8proc_uint8_t made[4];
    const auto length = utf8proc_encode_char(map(code), made);
    out.append(reinterpret_cast<const char*>(made), static_cast<size_t>(length));
    i += static_cast<size_t>(n);
  }
  return out;
}

}  // namespace

// Stop words go, then cases change. If nothing is left, the result is one empty string.
void ref_StringNormalizer(KernelContext& c) {
  const TensorView& x = c.in(0);
  if (x.shape.rank() == 2 && x.shape[0] != 1) return invalid_data(c, "the input is not [C] or [1,C]");
  const bool sensitive = c.node.attributes.get_int("is_case_sensitive") != 0;
  const std::string action = c.node.attributes.get_string("case_change_action", "NONE");
  const auto folded = [&](const std::string& s) { return sensitive ? s : mapped(s, utf8proc_tolower); };
  std::unordered_set<std::string> stop;
  for (const std::string& word : c.node.attributes.strings("stopwords")) stop.insert(folded(word));
  std::vector<std::string> kept;
  for (int64_t i = 0; i < x.num_elements(); ++i) {
    const std::string& word = x.as<std::string>()[i];
    if (!stop.empty() && stop.contains(folded(word))) continue;
    kept.push_back(action == "LOWER"   ? mapped(word, utf8proc_tolower)
                   : action == "UPPER" ? mapped(word, utf8proc_toupper)
                                       : word);
  }
  if (kept.empty()) kept.emplace_back();
  const int64_t n = static_cast<int64_t>(kept.size());
  c.allocate_output(0, x.shape.rank() == 2 ? Shape{1, n} : Shape{n});
  if (c.has_output(0)) std::ranges::move(kept, c.out(0).as<std::string>());
}

}  // namespace ingot
