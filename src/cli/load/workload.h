// What a load consists of: the requests' bodies, and when each is sent. The same seed gives the same load.
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/load/options.h"

namespace ingot::cli::load {

struct Message {
  std::string body, content_type = "application/json", binary_header_bytes;  // the last: of KServe's binary form
};

// Bodies for /v1/completions or /v1/chat/completions: random token ids (chat: random words) with a shared prefix, or
// one for each line of options.data: a JSON string, or an object whose fields go into the body as they are.
// Errors: kInvalidArgument, kNotFound (the file; the line is named).
Result<std::vector<Message>> language_messages(const Options& options);

// One body for /v2/models/X/infer from the model's metadata: random tensors in the binary form, dimensions without a
// size are options.batch. Errors: kInvalidArgument (metadata that cannot be read), kUnimplemented (strings).
Result<Message> tensor_message(std::string_view metadata, const Options& options);

// Seconds from the start at which the requests of an open loop are sent, ascending.
std::vector<double> arrivals(const Options& options);

}  // namespace ingot::cli::load
