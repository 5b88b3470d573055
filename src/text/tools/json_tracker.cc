#include "text/tools/json_tracker.h"

#include <fmt/format.h>

#include "base/limits.h"

namespace ingot::tools {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

JsonTracker::State JsonTracker::put(char c, std::string* out) {
  if (state_ != State::kGoingOn) return state_ = State::kBroken;
  std::string written(1, c);
  bool good;
  if (in_string_) {
    good = string_byte(c, written);
  } else if (!word_.empty()) {
    good = c == word_.front();
    word_.remove_prefix(1);
    if (good && word_.empty()) end_value();
  } else if (number_ != Number::kNone && number_byte(c)) {
    good = true;
  } else if (number_ != Number::kNone) {
    good = number_may_end() && !open_.empty();
    number_ = Number::kNone;
    end_value();
    if (good) {
      state_ = State::kGoingOn;
      good = structure(c);
    }
  } else {
    good = structure(c);
  }
  if (!good) return state_ = State::kBroken;
  if (out) *out += written;
  return state_;
}

void JsonTracker::end_value() {
  want_ = Want::kCommaOrEnd;
  if (open_.empty()) state_ = State::kComplete;
}

bool JsonTracker::structure(char c) {
  if (is_space(c)) return true;
  const bool in_object = !open_.empty() && open_.back() == '{';
  switch (want_) {
    case Want::kKeyOrEnd:
    case Want::kKey:
      if (c == '"') return in_string_ = is_key_ = true;
      break;
    case Want::kColon:
      if (c != ':') return false;
      want_ = Want::kValue;
      return true;
    case Want::kCommaOrEnd:
      if (c != ',') break;
      want_ = in_object ? Want::kKey : Want::kValue;
      return true;
    case Want::kValue: return begin_value(c);
    case Want::kValueOrEnd:
      if (c != ']') return begin_value(c);
      break;
  }
  if (want_ == Want::kKey || open_.empty() || c != (in_object ? '}' : ']')) return false;
  open_.pop_back();
  end_value();
  return true;
}

bool JsonTracker::begin_value(char c) {
  inside_ = inside_ || !open_.empty();
  if (c == '{' || c == '[') {
    if (open_.size() >= static_cast<size_t>(limits::kJsonDepthMax)) return false;
    open_ += c;
    want_ = c == '{' ? Want::kKeyOrEnd : Want::kValueOrEnd;
    return true;
  }
  if (c == '"') {
    is_key_ = false;
    return in_string_ = true;
  }
  if (c == '-') number_ = Number::kMinus;
  if (is_digit(c)) number_ = c == '0' ? Number::kZero : Number::kDigits;
  if (number_ != Number::kNone) return true;
  word_ = c == 't' ? "rue" : c == 'f' ? "alse" : c == 'n' ? "ull" : "";
  return !word_.empty();
}

bool JsonTracker::string_byte(char c, std::string& written) {
  if (escape_ > 1) {
    escape_ = escape_ == 5 ? 0 : escape_ + 1;
    return is_hex(c);
  }
  if (escape_ == 1) {
    escape_ = c == 'u' ? 2 : 0;
    return std::string_view("\"\\/bfnrtu").find(c) != std::string_view::npos;
  }
  if (c == '\\') {
    escape_ = 1;
  } else if (c == '"') {
    in_string_ = false;
    if (is_key_)
      want_ = Want::kColon;
    else
      end_value();
  } else if (static_cast<uint8_t>(c) < 0x20) {
    written = c == '\n' ? "\\n" : c == '\t' ? "\\t" : fmt::format("\\u{:04x}", static_cast<uint8_t>(c));
  }
  return true;
}

bool JsonTracker::number_byte(char c) {
  switch (number_) {
    case Number::kMinus:
      if (!is_digit(c)) return false;
      number_ = c == '0' ? Number::kZero : Number::kDigits;
      return true;
    case Number::kDigits:
      if (is_digit(c)) return true;
      [[fallthrough]];
    case Number::kZero:
      if (c != '.' && c != 'e' && c != 'E') return false;
      number_ = c == '.' ? Number::kPoint : Number::kE;
      return true;
    case Number::kFraction:
      if (c == 'e' || c == 'E') {
        number_ = Number::kE;
        return true;
      }
      return is_digit(c);
    case Number::kPoint:
      number_ = Number::kFraction;
      if (!is_digit(c)) number_ = Number::kPoint;
      return is_digit(c);
    case Number::kE:
      if (c == '+' || c == '-') {
        number_ = Number::kESign;
        return true;
      }
      [[fallthrough]];
    case Number::kESign:
      if (!is_digit(c)) return false;
      number_ = Number::kExponent;
      return true;
    case Number::kExponent: return is_digit(c);
    case Number::kNone: return false;
  }
  return false;
}

bool JsonTracker::number_may_end() const {
  return number_ == Number::kZero || number_ == Number::kDigits || number_ == Number::kFraction ||
         number_ == Number::kExponent;
}

}  // namespace ingot::tools
