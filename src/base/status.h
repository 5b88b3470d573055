// Status and Result: how every fallible function in Ingot reports failure.
//
// Bad input is a Status; a broken invariant of ours is an INGOT_CHECK. A message starts with
// a tag in brackets and carries the value and the fix, for example
//   [gguf] tensor 'blk.3.attn_q.weight': offset 9123840 + 4194304 bytes passes the end (9175040)
// Codes are gRPC's canonical ones, so each protocol maps them with one table.
// Thread-safety: plain values.
#pragma once

#include <fmt/core.h>

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace ingot {

enum class Code {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The canonical spelling: "INVALID_ARGUMENT".
std::string_view code_name(Code code);
// Of a system call on a file that failed with this errno.
Code code_of_errno(int number);

class [[nodiscard]] Status {
 public:
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same failure, seen from one level further out: "context: message".
  Status with_context(std::string_view context) const { return {code_, fmt::format("{}: {}", context, message_)}; }

 private:
  Code code_;
  std::string message_;
};

template <class T = void>
using Result = std::expected<T, Status>;

// return error(Code::kInvalidArgument, "[gguf] version {} is not 2 or 3", version);
template <class... Args>
std::unexpected<Status> error(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Status(code, fmt::format(format, std::forward<Args>(args)...)));
}

// The three codes that nearly every reader of foreign bytes needs.
template <class... Args>
std::unexpected<Status> invalid(fmt::format_string<Args...> format, Args&&... args) {
  return error(Code::kInvalidArgument, format, std::forward<Args>(args)...);
}
template <class... Args>
std::unexpected<Status> not_found(fmt::format_string<Args...> format, Args&&... args) {
  return error(Code::kNotFound, format, std::forward<Args>(args)...);
}
template <class... Args>
std::unexpected<Status> unimplemented(fmt::format_string<Args...> format, Args&&... args) {
  return error(Code::kUnimplemented, format, std::forward<Args>(args)...);
}

namespace internal {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
inline void take(Result<void>&&) {}
template <class T>
T take(Result<T>&& r) {
  return std::move(*r);
}
}  // namespace internal

}  // namespace ingot

// auto x = INGOT_TRY(f());   INGOT_TRY(g());     Returns the error to the caller of this function.
#define INGOT_TRY(...)                                                            \
  ({                                                                              \
    auto ingot_result_ = (__VA_ARGS__);                                           \
    if (!ingot_result_) return std::unexpected(std::move(ingot_result_).error()); \
    ::ingot::internal::take(std::move(ingot_result_));                            \
  })

// Aborts: a broken invariant of ours, never bad input.
#define INGOT_CHECK(condition)                                                         \
  do {                                                                                 \
    if (!(condition)) ::ingot::internal::check_failed(__FILE__, __LINE__, #condition); \
  } while (false)
