#include "formats/onnx/onnx_metadata.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "base/limits.h"

namespace ingot {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using Entries = std::vector<std::pair<std::string, std::string>>;

// Field numbers of ONNX's ModelProto, GraphProto and StringStringEntryProto.
enum ModelField { kProducerName = 2, kProducerVersion, kDomain, kVersion, kDescription, kGraph, kCustom = 14 };
enum GraphField { kGraphName = 2, kGraphDescription = 10 };
enum EntryField { kKey = 1, kValue = 2 };

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes)
      : in_(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size())) {}

  // Calls field(number) for each; it returns false if it took nothing. False: the message is damaged.
  template <class F>
  bool each_field(F&& field) {
    while (const uint32_t tag = in_.ReadTag()) {
      const bool text = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      if (field(WireFormatLite::GetTagFieldNumber(tag), text)) continue;
      if (!WireFormatLite::SkipField(&in_, tag)) return false;
    }
    return in_.ConsumedEntireMessage();
  }

  // The message that comes next, of which each_field() then sees its fields.
  template <class F>
  void message(F&& field) {
    const auto limit = in_.ReadLengthAndPushLimit();
    ok_ &= each_field(std::forward<F>(field));
    ok_ &= in_.CheckEntireMessageConsumedAndPopLimit(limit);
  }

  std::string text() {
    std::string out;
    uint32_t length = 0;
    ok_ &= in_.ReadVarint32(&length) && length <= limits::kStringBytesMax &&
           in_.ReadString(&out, static_cast<int>(length));
    return out;
  }

  int64_t integer() {
    uint64_t value = 0;
    ok_ &= in_.ReadVarint64(&value);
    return static_cast<int64_t>(value);
  }

  bool ok() const { return ok_; }

 private:
  CodedInputStream in_;
  bool ok_ = true;
};

const char* name_of(int field) {
  switch (field) {
    case kProducerName: return "producer_name";
    case kProducerVersion: return "producer_version";
    case kDomain: return "domain";
    case kDescription: return "description";
    default: return nullptr;
  }
}

// Of a field that is given twice the last one counts.
void set(Entries& own, std::string_view key, std::string value) {
  const auto it = std::ranges::find(own, key, &Entries::value_type::first);
  if (it == own.end())
    own.emplace_back(key, std::move(value));
  else
    it->second = std::move(value);
}

void read_graph(Reader& reader, Entries& out) {
  reader.message([&](int field, bool text) {
    if (!text || (field != kGraphName && field != kGraphDescription)) return false;
    set(out, field == kGraphName ? "graph_name" : "graph_description", reader.text());
    return true;
  });
}

void read_entry(Reader& reader, Entries& out) {
  std::pair<std::string, std::string> entry("custom.", "");
  reader.message([&](int field, bool text) {
    if (!text || (field != kKey && field != kValue)) return false;
    if (field == kKey)
      entry.first = "custom." + reader.text();
    else
      entry.second = reader.text();
    return true;
  });
  out.push_back(std::move(entry));
}

}  // namespace

Result<Entries> read_onnx_metadata(std::span<const std::byte> bytes) {
  Entries own, custom;
  Reader reader(bytes.first(std::min<size_t>(bytes.size(), INT32_MAX)));
  const bool whole = reader.each_field([&](int field, bool text) {
    if (!reader.ok()) return false;
    if (text && name_of(field))
      set(own, name_of(field), reader.text());
    else if (!text && field == kVersion)
      set(own, "version", std::to_string(reader.integer()));
    else if (text && field == kGraph)
      read_graph(reader, own);
    else if (text && field == kCustom && custom.size() < limits::kMetadataEntriesMax)
      read_entry(reader, custom);
    else
      return false;
    return true;
  });
  if (!whole || !reader.ok()) return error(Code::kDataLoss, "[onnx] the file's metadata are damaged");
  own.insert(own.end(), custom.begin(), custom.end());
  return own;
}

}  // namespace ingot
