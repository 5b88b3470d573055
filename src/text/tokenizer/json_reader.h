// A pull reader for JSON text: walks a tokenizer.json of tens of megabytes without a tree of it.
//
// Strings without escapes are views into the text; others are decoded into the reader's arena, which lives as
// long as the reader. Bad JSON makes ok() false and every later call a no-op. Thread-safety: one thread.
// Limits: limits::kJsonBytesMax, kJsonDepthMax.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ingot::tokenizer {

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  bool ok() const { return error_ == nullptr; }
  // Errors: kInvalidArgument with the byte where reading stopped.
  Result<void> status() const;

  // { : begin_object(), then next_key() until it is empty. Same for arrays with next_element().
  bool begin_object() { return expect('{') && enter(); }
  std::optional<std::string_view> next_key();
  bool begin_array() { return expect('[') && enter(); }
  bool next_element();

  char peek();  // first byte of the next value; 0 at the end
  std::string_view string();
  std::optional<double> number();
  std::string_view skip();  // a whole value, as text
  bool at_end();

 private:
  void fail(const char* what) {
    if (!error_) error_ = what;
  }
  void space();
  bool expect(char c);
  bool enter();
  bool separator(char close);
  uint32_t hex4();

  std::string_view text_;
  size_t pos_ = 0;
  int depth_ = 0;
  bool first_ = false;  // no element of the innermost container was read yet
  const char* error_ = nullptr;
  std::deque<std::string> arena_;
};

}  // namespace ingot::tokenizer
