// The text files of a model's folder in Hugging Face's layout: configurations, tokenizer, chat templates.
// Feeds hf_source.h and genai/genai_source.h. Ownership: the map keeps the files mapped. Thread-safety: pure functions.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/mapped_file.h"
#include "base/status.h"
#include "formats/hf/flatten_json.h"

namespace ingot {

using HfTexts = std::map<std::string, std::shared_ptr<const MappedFile>, std::less<>>;  // by file name

// Those of the known names that are there. Errors: kResourceExhausted past a limit.
Result<HfTexts> map_texts(const std::filesystem::path& folder);

// "config" of `stems`: config.json under "config.", and so on; a file that is absent is left out.
// Errors: kInvalidArgument for a text that is no JSON object.
Result<void> flatten_texts(const HfTexts& texts, std::span<const std::string_view> stems, TextArena& arena,
                           Metadata& out, Nulls& nulls);

// Empty if absent.
std::string_view text_of(const HfTexts& texts, std::string_view name);

}  // namespace ingot
