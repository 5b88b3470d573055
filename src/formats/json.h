// JSON from foreign files, parsed within limits: size, depth, and no exceptions.
// Feeds safetensors/, hf/ and whoever reads a folder's JSON texts. Thread-safety: pure.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "base/status.h"

namespace ingot {

// Accepts what Python's json.dumps writes: also NaN, Infinity and -Infinity, which become null.
//   what: names the text in messages, for example "[hf] '/models/x/config.json'".
// Errors: kInvalidArgument with the line and column; kResourceExhausted past limits::kJsonBytesMax.
Result<boost::json::value> parse_json(std::string_view text, std::string_view what);

}  // namespace ingot
