// What an ONNX file says of itself: producer, version, descriptions, entries of its own. Reads the fields at the
// message's top and skips the graph, so it costs nothing beside the import. Thread-safety: pure function.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace ingot {

// Keys: "producer_name", "producer_version", "domain", "version", "description", "graph_name", "graph_description"
// where the file has them, then "custom.KEY" in the file's order. Errors: kDataLoss.
Result<std::vector<std::pair<std::string, std::string>>> read_onnx_metadata(std::span<const std::byte> bytes);

}  // namespace ingot
