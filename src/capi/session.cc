#include "capi/session.h"

#include <cstring>

#include "base/mapped_file.h"
#include "capi/options.h"
#include "formats/onnx/onnx_import.h"
#include "formats/onnx/onnx_metadata.h"
#include "formats/printable.h"
#include "formats/sniff.h"
#include "plan/engine_file.h"

namespace ingot::capi {
namespace {

// A model's bytes, mapped or the caller's, and where external data lie.
struct ModelBytes {
  std::span<const std::byte> bytes;
  std::string name;    // for messages
  std::string folder;  // "": external data are refused
};

Result<std::unique_ptr<Session>> make_session(Graph graph, const Settings& settings,
                                              std::shared_ptr<PackedStore> store) {
  std::vector<std::string> disabled = settings.list("disabled_passes");
  if (std::ranges::find(disabled, "all") != disabled.end()) {
    disabled.clear();
    for (const Pass& pass : all_passes()) disabled.emplace_back(pass.name);
  }
  const bool optimized = store != nullptr;
  return Session::create(std::move(graph), {.pool = INGOT_TRY(settings.pool()),
                                            .backends = settings.backends(),
                                            .disabled_passes = std::move(disabled),
                                            .store = std::move(store),
                                            .optimized = optimized});
}

// An engine file's weights are used where they are: keeper owns the bytes.
Result<std::shared_ptr<SessionObject>> load_engine(const ModelBytes& model, std::shared_ptr<const void> keeper,
                                                   const Settings& settings) {
  EngineFile engine =
      INGOT_TRY(open_engine(INGOT_TRY(EngineMap::of_bytes(model.bytes, model.name, std::move(keeper)))));
  if (!engine.graph.states().empty())
    return invalid("[capi] '{}' holds a language model: use ingot_llm_load()", printable(model.name));
  auto session = INGOT_TRY(make_session(std::move(engine.graph), settings, engine.store));
  INGOT_TRY(check_engine_kernels(engine, session->plan()));
  return std::make_shared<SessionObject>(std::move(session), std::vector<std::pair<std::string, std::string>>());
}

Result<std::shared_ptr<SessionObject>> load_onnx(const ModelBytes& model, const Settings& settings) {
  const FileGuess guess = guess_file(model.bytes);
  if (guess.kind == FileKind::kGguf || guess.kind == FileKind::kSafetensors)
    return invalid("[capi] '{}' is {}, a language model: use ingot_llm_load()", printable(model.name),
                   guess.description);
  Graph graph = INGOT_TRY(import_onnx_bytes(model.bytes, model.folder));
  auto metadata = INGOT_TRY(read_onnx_metadata(model.bytes));
  return std::make_shared<SessionObject>(INGOT_TRY(make_session(std::move(graph), settings, nullptr)),
                                         std::move(metadata));
}

Result<std::shared_ptr<SessionObject>> load_file(const std::string& path, const Settings& settings) {
  const std::shared_ptr<const MappedFile> file = INGOT_TRY(MappedFile::open(path));
  const size_t slash = path.rfind('/');
  const ModelBytes model{file->bytes(), path, slash == std::string::npos ? "." : path.substr(0, slash + 1)};
  auto loaded = is_engine_bytes(model.bytes) ? load_engine(model, file, settings) : load_onnx(model, settings);
  if (!loaded) return std::unexpected(about_file(loaded.error(), path));
  return loaded;
}

Result<std::shared_ptr<SessionObject>> load_bytes(const ModelBytes& model, const Settings& settings) {
  if (!is_engine_bytes(model.bytes)) return load_onnx(model, settings);
  std::shared_ptr<void> copy = allocate_pages(model.bytes.size());
  if (!copy) return error(Code::kResourceExhausted, "[capi] no memory for {} bytes", model.bytes.size());
  std::memcpy(copy.get(), model.bytes.data(), model.bytes.size());
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(copy.get()), model.bytes.size());
  return load_engine({bytes, model.name, ""}, std::move(copy), settings);
}

Result<void> describe(const Ports& ports, size_t index, ingot_port* to) {
  if (index >= ports.list().size())
    return error(Code::kOutOfRange, "[capi] argument 'index': {} of {}", index, ports.list().size());
  const Port& p = ports.list()[index];
  return fill(to,
              ingot_port{.size = sizeof(ingot_port),
                         .name = p.name.c_str(),
                         .kind = kind_of(p.dtype),
                         .dtype = dtype_number(p.dtype),
                         .rank = p.ranked ? static_cast<int32_t>(p.dims.size()) : -1,
                         .dims = p.dims.data(),
                         .dim_names = p.dim_texts.data()},
              "port");
}

}  // namespace

Ports::Ports(const Graph& graph, const std::vector<ValueId>& values) {
  for (const ValueId id : values) {
    const Value& value = graph.value(id);
    Port& p = list_.emplace_back(Port{.name = value.name, .dtype = value.type.dtype});
    p.ranked = !value.type.is_container() && value.type.ranked();
    if (!p.ranked) continue;
    for (const Dim& d : *value.type.dims) {
      p.dims.push_back(d.is_const() ? d.value() : -1);
      p.dim_names.push_back(d.is_const() || d.is_unknown() ? "" : d.to_string());
    }
  }
  for (Port& p : list_)
    for (const std::string& name : p.dim_names) p.dim_texts.push_back(name.c_str());
  for (size_t i = 0; i < list_.size(); ++i) by_name_.emplace(list_[i].name, i);
}

Result<size_t> Ports::index_of(std::string_view name, std::string_view what) const {
  if (const auto it = by_name_.find(name); it != by_name_.end()) return it->second;
  std::string names;
  for (const Port& p : list_) names += fmt::format(" '{}'", printable(p.name));
  return invalid("[capi] the model has no {} '{}'; it has:{}", what, printable(name), names);
}

}  // namespace ingot::capi

using namespace ingot;        // NOLINT(google-build-using-namespace): this file is their C side
using namespace ingot::capi;  // NOLINT(google-build-using-namespace)

ingot_status* ingot_session_load(const char* path, const ingot_options* options, ingot_session** session) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(path, "path"));
    INGOT_TRY(check_pointer(session, "session"));
    const auto given = options ? INGOT_TRY(object_of(options, "options")) : nullptr;
    const Settings settings = INGOT_TRY(Settings::create(given.get(), ModelKind::kTensor));
    *session = make_handle<ingot_session>(INGOT_TRY(load_file(path, settings)));
    return {};
  });
}

ingot_status* ingot_session_load_memory(const void* data, size_t bytes, const char* folder,
                                        const ingot_options* options, ingot_session** session) {
  return entry([&]() -> Result<void> {
    INGOT_TRY(check_pointer(data, "data"));
    INGOT_TRY(check_pointer(session, "session"));
    const auto given = options ? INGOT_TRY(object_of(options, "options")) : nullptr;
    const Settings settings = INGOT_TRY(Settings::create(given.get(), ModelKind::kTensor));
    const ModelBytes model{{static_cast<const std::byte*>(data), bytes}, "memory", folder ? folder : ""};
    *session = make_handle<ingot_session>(INGOT_TRY(load_bytes(model, settings)));
    return {};
  });
}

void ingot_session_release(ingot_session* session) { release_handle(session); }

size_t ingot_session_num_inputs(const ingot_session* session) {
  const auto object = find_object(session);
  return object ? object->inputs.list().size() : 0;
}

size_t ingot_session_num_outputs(const ingot_session* session) {
  const auto object = find_object(session);
  return object ? object->outputs.list().size() : 0;
}

ingot_status* ingot_session_get_input(const ingot_session* session, size_t index, ingot_port* port) {
  return entry(
      [&]() -> Result<void> { return describe(INGOT_TRY(object_of(session, "session"))->inputs, index, port); });
}

ingot_status* ingot_session_get_output(const ingot_session* session, size_t index, ingot_port* port) {
  return entry(
      [&]() -> Result<void> { return describe(INGOT_TRY(object_of(session, "session"))->outputs, index, port); });
}

size_t ingot_session_num_metadata(const ingot_session* session) {
  const auto object = find_object(session);
  return object ? object->metadata.size() : 0;
}

ingot_status* ingot_session_get_metadata(const ingot_session* session, size_t index, const char** key,
                                         const char** value) {
  return entry([&]() -> Result<void> {
    const auto object = INGOT_TRY(object_of(session, "session"));
    INGOT_TRY(check_pointer(key, "key"));
    INGOT_TRY(check_pointer(value, "value"));
    if (index >= object->metadata.size())
      return error(Code::kOutOfRange, "[capi] argument 'index': {} of {}", index, object->metadata.size());
    *key = object->metadata[index].first.c_str();
    *value = object->metadata[index].second.c_str();
    return {};
  });
}
