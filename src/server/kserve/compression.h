// gzip and deflate (a zlib stream, as HTTP means it) of bodies. Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "server/http/message.h"

namespace ingot::kserve {

// encoding: "gzip" or "deflate". Errors: kUnimplemented (another), kInvalidArgument (broken, or more than bytes_max).
Result<std::string> decompress(std::string_view body, std::string_view encoding, size_t bytes_max);

// Compresses the body if the client prefers that over plain bytes (Accept-Encoding), and says so in the headers.
void compress(http::Response& response, std::string_view accepted);

}  // namespace ingot::kserve
