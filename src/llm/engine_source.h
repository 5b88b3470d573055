// A language model's metadata in an engine file as a Source, so that tokenizers, chat templates and `ingot inspect`
// read an engine file as they read the model it was made from.
// Ownership: the Source keeps the map. Thread-safety: const.
#pragma once

#include <memory>

#include "formats/gguf/gguf_writer.h"
#include "formats/source.h"
#include "plan/engine_map.h"

namespace ingot {

// Adds what make_engine_source() gives back: metadata, texts, names and types of the tensors.
void add_engine_source(GgufWriter& writer, const Source& source);
// Null if the file holds a tensor model. Tensors have no data.
std::shared_ptr<const Source> make_engine_source(std::shared_ptr<const EngineMap> map);

}  // namespace ingot
