// The pre-tokenizer stages of tokenizer.json: cut a segment into words, or rewrite its words (ByteLevel,
// Metaspace). Contract: pipeline.h.
#include <fmt/format.h>

#include "base/limits.h"
#include "text/tokenizer/pipeline.h"
#include "text/unicode/unicode.h"
#include "text/unicode/unicode_older.h"

namespace ingot::tokenizer {
namespace {

// Joins or drops the spans of one word as `behavior` says; offsets shift by `base`.
class Cutter {
 public:
  Cutter(std::vector<Word>& out, Behavior behavior, bool invert) : out_(out), behavior_(behavior), invert_(invert) {}

  void cut(const Word& word, const std::vector<Span>& spans) {
    first_ = out_.size();
    base_ = word.begin;
    if (behavior_ == Behavior::kMergedWithNext) {
      merge_with_next(spans);
    } else {
      bool previous = false;
      for (const Span& s : spans) {
        const bool match = s.match != invert_;
        const bool join = behavior_ == Behavior::kContiguous           ? match == previous
                          : behavior_ == Behavior::kMergedWithPrevious ? match && !previous
                                                                       : false;
        if (join && out_.size() > first_) {
          out_.back().end = base_ + s.end;
        } else if (behavior_ != Behavior::kRemoved || !match) {
          push(s.begin, s.end);
        }
        previous = match;
      }
    }
    out_.erase(std::remove_if(out_.begin() + static_cast<ptrdiff_t>(first_), out_.end(),
                              [](const Word& w) { return w.begin == w.end; }),
               out_.end());
    for (size_t i = first_; i < out_.size(); ++i) out_[i].at_start = word.at_start && out_[i].begin == word.begin;
  }

 private:
  void push(uint32_t begin, uint32_t end) { out_.push_back({base_ + begin, base_ + end, false}); }
  void merge_with_next(const std::vector<Span>& spans) {
    bool next = false;
    for (size_t i = spans.size(); i-- > 0;) {
      const bool match = spans[i].match != invert_;
      if (match && !next && out_.size() > first_) {
        out_.back().begin = base_ + spans[i].begin;
      } else {
        push(spans[i].begin, spans[i].end);
      }
      next = match;
    }
    std::reverse(out_.begin() + static_cast<ptrdiff_t>(first_), out_.end());
  }

  std::vector<Word>& out_;
  Behavior behavior_;
  bool invert_;
  size_t first_ = 0;
  uint32_t base_ = 0;
};

std::string_view text_of(const Segment& segment, const Word& word) {
  return std::string_view(segment.text).substr(word.begin, word.end - word.begin);
}

class Split final : public PreTokenizer {
 public:
  Split(std::unique_ptr<const Matcher> matcher, Behavior behavior, bool invert)
      : matcher_(std::move(matcher)), behavior_(behavior), invert_(invert) {}
  Result<void> apply(Segment& segment) const override {
    std::vector<Word> out;
    std::vector<Span> spans;
    out.reserve(segment.words.size() + segment.text.size() / 4);
    Cutter cutter(out, behavior_, invert_);
    for (const Word& word : segment.words) {
      spans.clear();
      INGOT_TRY(matcher_->find_all(text_of(segment, word), spans));
      cutter.cut(word, spans);
    }
    segment.words = std::move(out);
    return {};
  }

 private:
  std::unique_ptr<const Matcher> matcher_;
  Behavior behavior_;
  bool invert_;
};

// Rewrites each word with rewrite(text, word, out), which appends.
template <class Rewrite>
void rewrite_words(Segment& segment, const Rewrite& rewrite) {
  std::string out;
  out.reserve(segment.text.size() + segment.text.size() / 2 + 8);
  for (Word& word : segment.words) {
    const auto begin = static_cast<uint32_t>(out.size());
    rewrite(text_of(segment, word), word, out);
    word.begin = begin;
    word.end = static_cast<uint32_t>(out.size());
  }
  segment.text = std::move(out);
}

class ByteLevel final : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex, bool keep_bytes)
      : add_prefix_space_(add_prefix_space), keep_bytes_(keep_bytes) {
    if (use_regex) {
      auto scanner = scanner_for(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
      split_ = std::make_unique<Split>(std::move(scanner), Behavior::kIsolated, false);
    }
  }
  Result<void> apply(Segment& segment) const override {
    if (add_prefix_space_) {
      rewrite_words(segment, [](std::string_view text, const Word&, std::string& out) {
        if (!text.starts_with(' ')) out.push_back(' ');
        out.append(text);
      });
    }
    if (split_) INGOT_TRY(split_->apply(segment));
    if (!keep_bytes_)
      rewrite_words(segment, [](std::string_view text, const Word&, std::string& out) { out += to_byte_chars(text); });
    return {};
  }

 private:
  bool add_prefix_space_;
  bool keep_bytes_;  // the model reads raw bytes, so their characters need not be written
  std::unique_ptr<const PreTokenizer> split_;
};

class Metaspace final : public PreTokenizer {
 public:
  Metaspace(uint32_t replacement, PrependScheme scheme, bool split) : mark_(utf8(replacement)), scheme_(scheme) {
    if (split) split_ = std::make_unique<Split>(literal_matcher(mark_), Behavior::kMergedWithNext, false);
  }
  Result<void> apply(Segment& segment) const override {
    rewrite_words(segment, [&](std::string_view text, const Word& word, std::string& out) {
      const bool marked = text.starts_with(' ') || text.starts_with(mark_);
      if (!marked && (scheme_ == PrependScheme::kAlways || (scheme_ == PrependScheme::kFirst && word.at_start)))
        out += mark_;
      for (const char c : text) {
        if (c == ' ') {
          out += mark_;
        } else {
          out.push_back(c);
        }
      }
    });
    return split_ ? split_->apply(segment) : Result<void>{};
  }

 private:
  std::string mark_;
  PrependScheme scheme_;
  std::unique_ptr<const PreTokenizer> split_;
};

class PrependToWords final : public PreTokenizer {
 public:
  explicit PrependToWords(std::string prefix) : prefix_(std::move(prefix)) {}
  Result<void> apply(Segment& segment) const override {
    rewrite_words(segment,
                  [&](std::string_view text, const Word&, std::string& out) { out.append(prefix_).append(text); });
    return {};
  }

 private:
  std::string prefix_;
};

class FixedLength final : public PreTokenizer {
 public:
  explicit FixedLength(size_t length) : length_(length) {}
  Result<void> apply(Segment& segment) const override {
    std::vector<Word> out;
    for (const Word& word : segment.words) {
      size_t chars = 0;
      uint32_t begin = word.begin;
      for (uint32_t i = word.begin; i < word.end;) {
        i += static_cast<uint32_t>(utf8_length(static_cast<unsigned char>(segment.text[i])));
        if (++chars % length_ == 0 || i == word.end) {
          out.push_back({begin, i, word.at_start && begin == word.begin});
          begin = i;
        }
      }
    }
    segment.words = std::move(out);
    return {};
  }

 private:
  size_t length_;
};

// \w+|[^\w\s]+ with Rust's \w and \s.
class Words final : public Matcher {
 public:
  Result<void> find_all(std::string_view text, std::vector<Span>& out) const override {
    int kind = -1;
    for (uint32_t i = 0; i < text.size();) {
      int n;
      const uint32_t cp = decode_utf8(text.data() + i, &n);
      const int k = is_word_char(cp) ? 1 : is_white_space(cp) ? 0 : 2;
      const uint32_t end = i + static_cast<uint32_t>(n);
      if (k == kind) {
        out.back().end = end;
      } else {
        out.push_back({i, end, k != 0});
      }
      kind = k;
      i = end;
    }
    return {};
  }
};

// The scripts that `tokenizers` tells apart (Unicode 9); Hiragana and Katakana count as Han.
constexpr std::string_view kScripts[] = {"Adlam",
                                         "Ahom",
                                         "Anatolian_Hieroglyphs",
                                         "Arabic",
                                         "Armenian",
                                         "Avestan",
                                         "Balinese",
                                         "Bamum",
                                         "Bassa_Vah",
                                         "Batak",
                                         "Bengali",
                                         "Bhaiksuki",
                                         "Bopomofo",
                                         "Brahmi",
                                         "Braille",
                                         "Buginese",
                                         "Buhid",
                                         "Canadian_Aboriginal",
                                         "Carian",
                                         "Caucasian_Albanian",
                                         "Chakma",
                                         "Cham",
                                         "Cherokee",
                                         "Common",
                                         "Coptic",
                                         "Cuneiform",
                                         "Cypriot",
                                         "Cyrillic",
                                         "Deseret",
                                         "Devanagari",
                                         "Duployan",
                                         "Egyptian_Hieroglyphs",
                                         "Elbasan",
                                         "Ethiopic",
                                         "Georgian",
                                         "Glagolitic",
                                         "Gothic",
                                         "Grantha",
                                         "Greek",
                                         "Gujarati",
                                         "Gurmukhi",
                                         "Hangul",
                                         "Hanunoo",
                                         "Hatran",
                                         "Hebrew",
                                         "Imperial_Aramaic",
                                         "Inherited",
                                         "Inscriptional_Pahlavi",
                                         "Inscriptional_Parthian",
                                         "Javanese",
                                         "Kaithi",
                                         "Kannada",
                                         "Kayah_Li",
                                         "Kharoshthi",
                                         "Khmer",
                                         "Khojki",
                                         "Khudawadi",
                                         "Lao",
                                         "Latin",
                                         "Lepcha",
                                         "Limbu",
                                         "Linear_A",
                                         "Linear_B",
                                         "Lisu",
                                         "Lycian",
                                         "Lydian",
                                         "Mahajani",
                                         "Malayalam",
                                         "Mandaic",
                                         "Manichaean",
                                         "Marchen",
                                         "Meetei_Mayek",
                                         "Mende_Kikakui",
                                         "Meroitic_Cursive",
                                         "Meroitic_Hieroglyphs",
                                         "Miao",
                                         "Modi",
                                         "Mongolian",
                                         "Mro",
                                         "Multani",
                                         "Myanmar",
                                         "Nabataean",
                                         "New_Tai_Lue",
                                         "Newa",
                                         "Nko",
                                         "Ogham",
                                         "Ol_Chiki",
                                         "Old_Hungarian",
                                         "Old_Italic",
                                         "Old_North_Arabian",
                                         "Old_Permic",
                                         "Old_Persian",
                                         "Old_South_Arabian",
                                         "Old_Turkic",
                                         "Oriya",
                                         "Osage",
                                         "Osmanya",
                                         "Pahawh_Hmong",
                                         "Palmyrene",
                                         "Pau_Cin_Hau",
                                         "Phags_Pa",
                                         "Phoenician",
                                         "Psalter_Pahlavi",
                                         "Rejang",
                                         "Runic",
                                         "Samaritan",
                                         "Saurashtra",
                                         "Sharada",
                                         "Shavian",
                                         "Siddham",
                                         "SignWriting",
                                         "Sinhala",
                                         "Sora_Sompeng",
                                         "Sundanese",
                                         "Syloti_Nagri",
                                         "Syriac",
                                         "Tagalog",
                                         "Tagbanwa",
                                         "Tai_Le",
                                         "Tai_Tham",
                                         "Tai_Viet",
                                         "Takri",
                                         "Tamil",
                                         "Tangut",
                                         "Telugu",
                                         "Thaana",
                                         "Thai",
                                         "Tibetan",
                                         "Tifinagh",
                                         "Tirhuta",
                                         "Ugaritic",
                                         "Vai",
                                         "Warang_Citi",
                                         "Yi"};

}  // namespace

bool is_bert_punctuation(uint32_t cp) {
  const bool ascii = cp < 128 && cp > 32 && cp != 127 && !(char_class(cp) & (kLetter | kNumber));
  return ascii || ((char_class(cp) & kPunctuation) != 0) != flips(kPunctuationFlips, cp);
}

std::unique_ptr<const PreTokenizer> make_split(std::unique_ptr<const Matcher> matcher, Behavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(matcher), behavior, invert);
}
std::unique_ptr<const PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex, bool keep_bytes) {
  return std::make_unique<ByteLevel>(add_prefix_space, use_regex, keep_bytes);
}
std::unique_ptr<const PreTokenizer> make_metaspace(uint32_t replacement, PrependScheme scheme, bool split) {
  return std::make_unique<Metaspace>(replacement, scheme, split);
}
std::unique_ptr<const PreTokenizer> make_prepend_to_words(std::string prefix) {
  return std::make_unique<PrependToWords>(std::move(prefix));
}
std::unique_ptr<const PreTokenizer> make_fixed_length(size_t length) { return std::make_unique<FixedLength>(length); }
std::unique_ptr<const Matcher> words_matcher() { return std::make_unique<Words>(); }

// A run of one script takes the spaces and scriptless code points after it; those at the very front are lost,
// as in `tokenizers`. sc: is the script itself; PCRE2 would take the script extensions too.
std::unique_ptr<const PreTokenizer> make_unicode_scripts() {
  constexpr std::string_view kHan = R"(\p{sc:Han}\p{sc:Hiragana}\p{sc:Katakana}\x{30FC})";
  std::string all(kHan);
  for (const std::string_view s : kScripts) all += fmt::format("\\p{{sc:{}}}", s);
  std::string pattern = fmt::format("(?(DEFINE)(?<any>[ ]|[^{}]))[{}](?:[{}]|(?&any))*+", all, kHan, kHan);
  for (const std::string_view s : kScripts)
    pattern += fmt::format("|(?![ \\x{{30FC}}])\\p{{sc:{}}}(?:(?![ \\x{{30FC}}])\\p{{sc:{}}}|(?&any))*+", s, s);
  auto matcher = compile_regex(pattern);
  INGOT_CHECK(matcher.has_value());
  return make_split(std::move(*matcher), Behavior::kRemoved, true);
}

}  // namespace ingot::tokenizer
