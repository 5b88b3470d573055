// Opens GGUF files as a Source: maps them, parses each, joins the parts of a split.
// Feeds open_source(). Ownership: the Source keeps its files mapped. Thread-safety: const after open.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "formats/gguf/gguf_parser.h"
#include "formats/source.h"

namespace ingot {

//   path: a whole model, or any part "NAME-0000k-of-0000N.gguf" of a split (its siblings are found).
// Errors: those of parse_gguf(); kNotFound names the part that is missing.
Result<std::shared_ptr<const Source>> open_gguf(const std::string& path);

// The metadata as it is stored, for those who write it anew; of the first part of a split. Empty for other sources.
std::span<const GgufEntry> gguf_entries(const Source& source);

}  // namespace ingot
