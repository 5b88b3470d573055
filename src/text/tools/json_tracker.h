// Follows one JSON value byte by byte: is it still valid, where does it end.
//
// Takes RFC 8259 and, as models write them, raw control characters inside strings (put() gives them back escaped).
// Thread-safety: none; one per value. Limits: nesting limits::kJsonDepthMax.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ingot::tools {

class JsonTracker {
 public:
  enum class State : uint8_t { kGoingOn, kComplete, kBroken };

  // A number at the top ends only with the byte after it, which is not part of it: that byte is kBroken.
  // out: gets the byte, escaped where JSON demands it; nothing for a byte that breaks the value.
  State put(char c, std::string* out = nullptr);
  // A value inside the outermost object or array has begun, or the whole is complete.
  bool inside() const { return inside_ || state_ == State::kComplete; }
  State state() const { return state_; }

 private:
  enum class Want : uint8_t { kValue, kValueOrEnd, kKey, kKeyOrEnd, kColon, kCommaOrEnd };
  enum class Number : uint8_t { kNone, kMinus, kZero, kDigits, kPoint, kFraction, kE, kESign, kExponent };

  bool structure(char c);
  bool begin_value(char c);
  bool string_byte(char c, std::string& written);
  bool number_byte(char c);  // false: not part of the number
  bool number_may_end() const;
  void end_value();

  State state_ = State::kGoingOn;
  Want want_ = Want::kValue;
  std::string open_;  // '{' and '['
  bool in_string_ = false, is_key_ = false, inside_ = false;
  int escape_ = 0;  // 1: after a backslash; 2 to 5: hex digits to come, plus one
  Number number_ = Number::kNone;
  std::string_view word_;  // what must follow of true, false, null
};

}  // namespace ingot::tools
