// The stages of tokenizer.json as JSON objects: {"type": "Split", ...} -> pipeline stages.
//
// Errors: kUnimplemented names a component or option we do not have, kInvalidArgument a bad field.
#pragma once

#include <boost/json.hpp>

#include "text/tokenizer/parts.h"

namespace ingot::tokenizer {

namespace json = boost::json;

Result<json::value> parse_json(std::string_view text, std::string_view what);

// Field look-ups; an absent or null field is the default, a wrong type an error naming `what` and the field.
Result<std::string> get_string(const json::object& o, std::string_view key, std::string_view what);
Result<std::string> get_string_or(const json::object& o, std::string_view key, std::string_view fallback,
                                  std::string_view what);
Result<bool> get_bool_or(const json::object& o, std::string_view key, bool fallback, std::string_view what);
Result<int64_t> get_int_or(const json::object& o, std::string_view key, int64_t fallback, std::string_view what);

// Each appends to its list; a null value adds nothing.
Result<void> add_normalizer(const json::value& v, Normalizers& out);
Result<void> add_pre_tokenizer(const json::value& v, bool keep_bytes, PreTokenizers& out);
Result<void> add_decoder(const json::value& v, Parts& parts);
Result<void> add_post_processor(const json::value& v, Parts& parts);

// The last stage of the pre-tokenizer writes byte characters, so the model may read raw bytes instead.
bool ends_in_byte_level(const json::value& pre_tokenizer);

// After add_decoder: sets how Parts decodes (form, front, by_bytes).
void classify_decoder(const json::value& decoder, Parts& parts);

}  // namespace ingot::tokenizer
