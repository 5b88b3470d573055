// What the readers of GBNF and of regular expressions share: code points, escapes, character classes, counts.
//
// Thread-safety: none; one per text. Errors name the position in bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "text/grammar/expression.h"

namespace ingot::grammar {

class Scanner {
 public:
  // what: the tag of its errors, "gbnf" or "regex".
  Scanner(std::string_view what, std::string_view text) : what_(what), text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view wanted);
  void skip(size_t bytes) { at_ += bytes; }
  size_t position() const { return at_; }
  std::string_view since(size_t begin) const { return text_.substr(begin, at_ - begin); }

  Result<uint32_t> code_point();  // one character; the text is valid UTF-8
  // After a backslash: n r t f v 0 xHH uHHHH UHHHHHHHH, or any punctuation for itself.
  Result<uint32_t> escape();
  // After a backslash: d D w W s S; nothing if it is none of them.
  std::optional<Expr> class_escape();
  // After '[': up to and with ']'.
  Result<Expr> character_class();
  // '*', '+', '?' or '{m}', '{m,}', '{m,n}' behind a part; the part alone if there is none.
  Result<Expr> quantified(Expr part);

  std::unexpected<Status> fail(std::string_view problem) const;

 private:
  Result<uint32_t> hex(int digits);
  Result<int64_t> count();

  std::string_view what_, text_;
  size_t at_ = 0;
};

std::string utf8(uint32_t code);

}  // namespace ingot::grammar
