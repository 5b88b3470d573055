#include "text/tokenizer/json_reader.h"

#include <charconv>
#include <cstring>

#include "base/limits.h"
#include "text/unicode/unicode.h"

namespace ingot::tokenizer {

Result<void> JsonReader::status() const {
  if (error_) return invalid("[tokenizer] JSON: {} at byte {} of {}", error_, pos_, text_.size());
  return {};
}

void JsonReader::space() {
  while (pos_ < text_.size() &&
         (text_[pos_] == ' ' || text_[pos_] == '\n' || text_[pos_] == '\t' || text_[pos_] == '\r'))
    ++pos_;
}

char JsonReader::peek() {
  if (error_) return 0;
  space();
  return pos_ < text_.size() ? text_[pos_] : '\0';
}

bool JsonReader::at_end() { return peek() == 0 && pos_ >= text_.size(); }

bool JsonReader::expect(char c) {
  if (peek() != c) {
    fail(c == '{'   ? "expected an object"
         : c == '[' ? "expected an array"
         : c == '"' ? "expected a string"
                    : "expected ':'");
    return false;
  }
  ++pos_;
  return true;
}

bool JsonReader::enter() {
  if (++depth_ > limits::kJsonDepthMax) fail("nested too deeply");
  first_ = true;
  return ok();
}

// True if another element follows; consumes the comma before it or the closing bracket.
bool JsonReader::separator(char close) {
  const char c = peek();
  if (c == close) {
    ++pos_;
    --depth_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (c != ',') {
      fail("expected ',' or the end of the object or array");
      return false;
    }
    ++pos_;
  }
  first_ = false;
  if (peek() == 0) fail("the text ends too early");
  return ok();
}

std::optional<std::string_view> JsonReader::next_key() {
  if (!ok() || !separator('}')) return std::nullopt;
  const std::string_view key = string();
  if (!expect(':')) return std::nullopt;
  return key;
}

bool JsonReader::next_element() { return ok() && separator(']'); }

uint32_t JsonReader::hex4() {
  uint32_t value = 0;
  if (pos_ + 4 > text_.size() ||
      std::from_chars(text_.data() + pos_, text_.data() + pos_ + 4, value, 16).ptr != text_.data() + pos_ + 4)
    fail("bad \\u escape");
  pos_ += 4;
  return value;
}

std::string_view JsonReader::string() {
  if (!expect('"')) return {};
  const size_t begin = pos_;
  while (pos_ < text_.size() && text_[pos_] != '"' && text_[pos_] != '\\') ++pos_;
  if (pos_ < text_.size() && text_[pos_] == '"') return text_.substr(begin, pos_++ - begin);
  std::string out(text_.substr(begin, pos_ - begin));
  while (ok()) {
    if (pos_ >= text_.size()) {
      fail("a string without its closing quote");
      break;
    }
    const char c = text_[pos_++];
    if (c == '"') break;
    if (c != '\\') {
      out.push_back(c);
      continue;
    }
    const char e = pos_ < text_.size() ? text_[pos_++] : '\0';
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const size_t i = kFrom.find(e); i != kFrom.npos && e != '\0') {
      out.push_back(kTo[i]);
    } else if (e == 'u') {
      uint32_t cp = hex4();
      if (cp >= 0xD800 && cp < 0xDC00 && text_.substr(std::min(pos_, text_.size()), 2) == "\\u") {
        pos_ += 2;
        const uint32_t low = hex4();
        cp = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((cp - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
      }
      append_utf8(out, cp >= 0xD800 && cp < 0xE000 ? 0xFFFD : cp);
    } else {
      fail("unknown escape in a string");
    }
  }
  return arena_.emplace_back(std::move(out));
}

std::optional<double> JsonReader::number() {
  peek();
  double value = 0;
  const auto [end, code] = std::from_chars(text_.data() + pos_, text_.data() + text_.size(), value);
  if (!ok() || code != std::errc{}) {
    fail("expected a number");
    return std::nullopt;
  }
  pos_ = static_cast<size_t>(end - text_.data());
  return value;
}

std::string_view JsonReader::skip() {
  const char first = peek();
  const size_t begin = pos_;
  const char* p = text_.data() + pos_;
  const char* const end = text_.data() + text_.size();
  int depth = 0;
  if (first == 0 || std::strchr(",:]}", first)) fail("expected a value");
  while (ok() && p < end) {
    const char c = *p++;
    if (c == '"') {
      while (p < end && *p != '"') p += *p == '\\' ? 2 : 1;
      if (p++ >= end) fail("a string without its closing quote");
    } else if (c == '{' || c == '[') {
      if (++depth + depth_ > limits::kJsonDepthMax) fail("nested too deeply");
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (depth == 0) {  // a number, true, false, null
      while (p < end && !std::strchr(",]} \n\t\r", *p)) ++p;
    }
    if (depth == 0) break;
  }
  if (ok() && (depth != 0 || p > end)) fail("the text ends too early");
  if (!ok()) return {};
  pos_ = static_cast<size_t>(p - text_.data());
  return text_.substr(begin, pos_ - begin);
}

}  // namespace ingot::tokenizer
