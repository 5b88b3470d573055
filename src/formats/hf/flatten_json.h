// A JSON document as flat metadata: {"rope": {"factor": 2}} gives "rope.factor" = 2.
// Feeds hf_source.h. Ownership: keys and strings live in the caller's TextArena. Thread-safety: none.
// Limits: kMetadataEntriesMax entries, kTensorNameBytesMax bytes a key, kFlatKeyBytesMax for all keys.
#pragma once

#include <boost/json/value.hpp>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/status.h"
#include "formats/source.h"

namespace ingot {

using TextArena = std::deque<std::string>;  // never moves what it holds
using Metadata = std::vector<std::pair<std::string_view, MetaValue>>;
using Nulls = std::unordered_set<std::string_view>;  // keys

// Appends every leaf of `root` to `out`, under "prefix.".
//   An array of scalars of one kind (booleans, strings, integers, numbers) is one vector value; any other
//   array is flattened by index ("a.0.b"). Null goes to `nulls`, or is skipped. An empty array is an empty vector of
//   int64_t. what: names the document in messages.
// Errors: kInvalidArgument if the root is no object; kResourceExhausted past a limit.
Result<void> flatten_json(const boost::json::value& root, std::string_view prefix, std::string_view what,
                          TextArena& arena, Metadata& out, Nulls* nulls = nullptr);

}  // namespace ingot
