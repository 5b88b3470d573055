// One file from the network to the disk: resume, retries, checksum, full disk.
//
// Bytes go to `<target>.part`; `<target>.part.tag` remembers which version of the file they are of.
// Only a complete file whose size and checksum hold is renamed to its name. An interrupted transfer
// leaves its .part for the next one; a full disk or a wrong checksum leaves nothing.
// Not thread-safe; the caller holds the model's lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/status.h"
#include "hub/http.h"
#include "hub/repository.h"

namespace ingot::hub {

struct Transfer {
  std::string url;
  std::string token;
  RemoteFile file;  // expected size and checksum, as far as known; path: for messages
  std::filesystem::path target;
  // bytes: of this file, on the disk; total: -1 if not known.
  std::function<void(int64_t bytes, int64_t total)> progress;
  int attempts_max = 5;                 // without a byte of progress
  std::chrono::milliseconds wait{500};  // before the second attempt; doubles up to 8 s
};

// Returns the file's size. Errors: kUnauthenticated, kPermissionDenied, kNotFound by the status;
// kUnavailable after the last attempt; kDataLoss for a wrong size or checksum; kResourceExhausted
// for a full disk.
Result<int64_t> transfer(HttpClient& client, const Transfer& what);

// The error of an answer that is no success, with what to do about it.
Status status_error(const HttpHead& head, const std::string& url, bool had_token);

}  // namespace ingot::hub
