// The decoder stages of tokenizer.json: lists of pieces to lists of pieces, joined in the end. Contract: pipeline.h.
#include "text/tokenizer/pipeline.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {
namespace {

template <class F>
class Fn final : public Decoder {
 public:
  explicit Fn(F f) : f_(std::move(f)) {}
  void apply(std::vector<std::string>& pieces) const override { f_(pieces); }

 private:
  F f_;
};
template <class F>
std::unique_ptr<const Decoder> make_fn(F f) {
  return std::make_unique<Fn<F>>(std::move(f));
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t at = 0;
  for (size_t hit; !from.empty() && (hit = text.find(from, at)) != text.npos; at = hit + from.size())
    out.append(text.substr(at, hit - at)).append(to);
  return out.append(text.substr(at));
}

std::string clean_up(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) text = replace_all(text, from, to);
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that "<0xXX>" stands for, or -1.
int byte_of_piece(std::string_view p) {
  if (p.size() != 6 || !p.starts_with("<0x") || p[5] != '>') return -1;
  const int high = p[3] == '+' ? 0 : hex_digit(p[3]);
  const int low = hex_digit(p[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

std::unique_ptr<const Decoder> make_byte_level_decoder() {
  return make_fn([](std::vector<std::string>& pieces) {
    std::string bytes;
    for (const std::string& p : pieces)
      if (!from_byte_chars(p, bytes)) bytes += p;
    pieces.assign(1, is_valid_utf8(bytes) ? std::move(bytes) : replace_invalid_utf8(bytes));
  });
}

std::unique_ptr<const Decoder> make_byte_fallback_decoder() {
  return make_fn([](std::vector<std::string>& pieces) {
    std::vector<std::string> out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (is_valid_utf8(bytes)) {
        out.push_back(bytes);
      } else {
        out.insert(out.end(), bytes.size(), "\xEF\xBF\xBD");
      }
      bytes.clear();
    };
    for (std::string& p : pieces) {
      if (const int b = byte_of_piece(p); b >= 0) {
        bytes.push_back(static_cast<char>(b));
      } else {
        flush();
        out.push_back(std::move(p));
      }
    }
    flush();
    pieces = std::move(out);
  });
}

std::unique_ptr<const Decoder> make_fuse_decoder() {
  return make_fn([](std::vector<std::string>& pieces) {
    std::string all;
    for (const std::string& p : pieces) all += p;
    pieces.assign(1, all);
  });
}

std::unique_ptr<const Decoder> make_strip_decoder(uint32_t content, size_t start, size_t stop) {
  return make_fn([mark = utf8(content), start, stop](std::vector<std::string>& pieces) {
    for (std::string& p : pieces) {
      std::string_view v = p;
      for (size_t i = 0; i < start && v.starts_with(mark); ++i) v.remove_prefix(mark.size());
      for (size_t i = 0; i < stop && v.ends_with(mark); ++i) v.remove_suffix(mark.size());
      p = std::string(v);
    }
  });
}

std::unique_ptr<const Decoder> make_replace_decoder(std::unique_ptr<const Matcher> matcher, std::string content) {
  return make_fn([matcher = std::move(matcher), content = std::move(content)](std::vector<std::string>& pieces) {
    std::vector<Span> spans;
    for (std::string& p : pieces) {
      spans.clear();
      if (!matcher->find_all(p, spans)) continue;
      std::string out;
      for (const Span& s : spans) out += s.match ? content : p.substr(s.begin, s.end - s.begin);
      p = std::move(out);
    }
  });
}

std::unique_ptr<const Decoder> make_metaspace_decoder(uint32_t replacement, PrependScheme scheme) {
  return make_fn([mark = utf8(replacement), scheme](std::vector<std::string>& pieces) {
    for (size_t i = 0; i < pieces.size(); ++i)
      pieces[i] = replace_all(pieces[i], mark, i == 0 && scheme != PrependScheme::kNever ? "" : " ");
  });
}

std::unique_ptr<const Decoder> make_wordpiece_decoder(std::string prefix, bool cleanup) {
  return make_fn([prefix = std::move(prefix), cleanup](std::vector<std::string>& pieces) {
    for (size_t i = 0; i < pieces.size(); ++i) {
      std::string& p = pieces[i];
      if (i > 0 && p.starts_with(prefix))
        p.erase(0, prefix.size());
      else if (i > 0)
        p.insert(p.begin(), ' ');
      if (cleanup) p = clean_up(std::move(p));
    }
  });
}

std::unique_ptr<const Decoder> make_bpe_decoder(std::string suffix) {
  return make_fn([suffix = std::move(suffix)](std::vector<std::string>& pieces) {
    for (size_t i = 0; i < pieces.size(); ++i)
      pieces[i] = replace_all(pieces[i], suffix, i + 1 == pieces.size() ? "" : " ");
  });
}

std::unique_ptr<const Decoder> make_ctc_decoder(std::string pad, std::string delimiter, bool cleanup) {
  return make_fn([pad = std::move(pad), delimiter = std::move(delimiter), cleanup](std::vector<std::string>& pieces) {
    pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
    std::vector<std::string> out;
    for (const std::string& p : pieces) {
      std::string text = replace_all(p, pad, "");
      if (cleanup) text = replace_all(clean_up(std::move(text)), delimiter, " ");
      if (!text.empty()) out.push_back(std::move(text));
    }
    pieces = std::move(out);
  });
}

}  // namespace ingot::tokenizer
