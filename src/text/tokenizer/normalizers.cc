// The normalizer stages of tokenizer.json but for charsmaps: text to text, applied to each segment between added
// tokens. Contract: pipeline.h.
#include "text/tokenizer/limits.h"
#include "text/tokenizer/pipeline.h"
#include "text/unicode/unicode.h"
#include "text/unicode/unicode_older.h"

namespace ingot::tokenizer {
namespace {

// A normalizer from a function of the text.
template <class F>
class Fn final : public Normalizer {
 public:
  explicit Fn(F f) : f_(std::move(f)) {}
  Result<void> apply(std::string& text) const override { return f_(text); }

 private:
  F f_;
};
template <class F>
std::unique_ptr<const Normalizer> make_fn(F f) {
  return std::make_unique<Fn<F>>(std::move(f));
}

// map(cp, out) appends what replaces a code point.
template <class Map>
void map_code_points(std::string& text, const Map& map) {
  std::string out;
  out.reserve(text.size() + 8);
  for (size_t i = 0; i < text.size();) {
    int n;
    map(decode_utf8(text.data() + i, &n), out);
    i += static_cast<size_t>(n);
  }
  text = std::move(out);
}

bool is_chinese(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void bert_clean(std::string& text) {
  map_code_points(text, [](uint32_t cp, std::string& out) {
    const CharClass c = char_class(cp);
    if (cp == '\t' || cp == '\n' || cp == '\r') {
      out.push_back(' ');
    } else if (cp != 0 && cp != 0xFFFD && (!(c & kOther) || c == bit(kCn)) != flips(kBertCleanFlips, cp)) {
      if (c & kSpace) {
        out.push_back(' ');
      } else {
        append_utf8(out, cp);
      }
    }
  });
}

bool drop_in_nmt(uint32_t c) {
  return (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}
bool space_in_nmt(uint32_t c) {
  return c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
         c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
}

}  // namespace

Result<void> check_stage(std::string_view stage, size_t bytes) {
  if (bytes <= limits::kStageTextBytesMax) return {};
  return error(Code::kResourceExhausted,
               "[tokenizer] {} makes more than {} bytes of this text: shorten the text, or check the tokenizer", stage,
               limits::kStageTextBytesMax);
}

bool is_white_space(uint32_t cp) { return char_class(cp) & kSpace; }
bool is_numeric(uint32_t cp) { return char_class(cp) & kNumber; }

std::unique_ptr<const Normalizer> make_normal_form(std::string_view name) {
  const auto form = name == "NFC"    ? NormalForm::kNfc
                    : name == "NFD"  ? NormalForm::kNfd
                    : name == "NFKC" ? NormalForm::kNfkc
                                     : NormalForm::kNfkd;
  if (name != "NFC" && name != "NFD" && name != "NFKC" && name != "NFKD") return nullptr;
  return make_fn([form](std::string& text) {
    text = normalize(text, form);
    return Result<void>{};
  });
}

std::unique_ptr<const Normalizer> make_lowercase() {
  return make_fn([](std::string& text) {
    text = lowercase(text);
    return Result<void>{};
  });
}

std::unique_ptr<const Normalizer> make_strip_accents() {
  return make_fn([](std::string& text) {
    map_code_points(text, [](uint32_t cp, std::string& out) {
      if (!(char_class(cp) & kMark) != flips(kStripAccentsFlips, cp)) append_utf8(out, cp);
    });
    return Result<void>{};
  });
}

std::unique_ptr<const Normalizer> make_nmt() {
  return make_fn([](std::string& text) {
    map_code_points(text, [](uint32_t cp, std::string& out) {
      if (!drop_in_nmt(cp)) append_utf8(out, space_in_nmt(cp) ? ' ' : cp);
    });
    return Result<void>{};
  });
}

std::unique_ptr<const Normalizer> make_byte_level_normalizer() {
  return make_fn([](std::string& text) {
    text = to_byte_chars(text);
    return Result<void>{};
  });
}

std::unique_ptr<const Normalizer> make_bert_normalizer(BertOptions o) {
  return make_fn([o](std::string& text) {
    if (o.clean_text) bert_clean(text);
    if (o.chinese_chars) {
      map_code_points(text, [](uint32_t cp, std::string& out) {
        if (is_chinese(cp)) out.push_back(' ');
        append_utf8(out, cp);
        if (is_chinese(cp)) out.push_back(' ');
      });
    }
    if (o.strip_accents) {
      text = normalize(text, NormalForm::kNfd);
      map_code_points(text, [all = o.strip_all_marks](uint32_t cp, std::string& out) {
        const bool drop =
            all ? (char_class(cp) & kMark) != 0 : ((char_class(cp) & bit(kMn)) != 0) != flips(kBertMarkFlips, cp);
        if (!drop) append_utf8(out, cp);
      });
    }
    if (o.lowercase) text = lowercase(text);
    return Result<void>{};
  });
}

std::unique_ptr<const Normalizer> make_strip(bool left, bool right) {
  return make_fn([left, right](std::string& text) {
    size_t begin = 0;
    size_t end = text.size();
    int n;
    while (left && begin < end && is_white_space(decode_utf8(text.data() + begin, &n))) begin += static_cast<size_t>(n);
    while (right && end > begin) {
      size_t i = end - 1;
      while (i > begin && (text[i] & 0xC0) == 0x80) --i;
      if (!is_white_space(decode_utf8(text.data() + i, &n))) break;
      end = i;
    }
    text = text.substr(begin, end - begin);
    return Result<void>{};
  });
}

std::unique_ptr<const Normalizer> make_affix(std::string before, std::string after) {
  return make_fn([before = std::move(before), after = std::move(after)](std::string& text) -> Result<void> {
    if (text.empty()) return {};
    INGOT_TRY(check_stage("normalizer Prepend or Append", before.size() + text.size() + after.size()));
    text.insert(0, before).append(after);
    return {};
  });
}

std::unique_ptr<const Normalizer> make_replace(std::unique_ptr<const Matcher> matcher, std::string content) {
  return make_fn([matcher = std::move(matcher), content = std::move(content)](std::string& text) -> Result<void> {
    std::vector<Span> spans;
    INGOT_TRY(matcher->find_all(text, spans));
    std::string out;
    for (const Span& s : spans) {
      if (s.match) {
        INGOT_TRY(check_stage("normalizer Replace", out.size() + content.size()));
        out += content;
      } else {
        out.append(text, s.begin, s.end - s.begin);
      }
    }
    text = std::move(out);
    return {};
  });
}

std::unique_ptr<const Normalizer> make_replace_text(std::string pattern, std::string content) {
  return make_fn([pattern = std::move(pattern), content = std::move(content)](std::string& text) -> Result<void> {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    size_t from = 0;
    for (size_t at; !pattern.empty() && (at = text.find(pattern, from)) != text.npos; from = at + pattern.size()) {
      INGOT_TRY(check_stage("normalizer Replace", out.size() + (at - from) + content.size()));
      out.append(text, from, at - from).append(content);
    }
    out.append(text, from);
    text = std::move(out);
    return {};
  });
}

}  // namespace ingot::tokenizer
