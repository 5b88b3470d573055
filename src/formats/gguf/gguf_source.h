// Opens GGUF files as a Source: maps them, parses each, joins the parts of a split.
// Feeds open_source(). Ownership: the Source keeps its files mapped. Thread-safety: const after open.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "formats/source.h"

namespace ingot {

//   path: a whole model, or any part "NAME-0000k-of-0000N.gguf" of a split (its siblings are found).
// Errors: those of parse_gguf(); kNotFound names the part that is missing.
Result<std::shared_ptr<const Source>> open_gguf(const std::string& path);

}  // namespace ingot
