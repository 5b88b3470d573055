// Ingot for C++17 and later: classes over the C interface, in this header alone. Link libingot.so.
//
// Objects own their handles: they can be moved, not copied; Value can be shared. What fails throws ingot::Error, whose
// what() is one line that names the value and the fix. Threads: as ingot/types.h says of each handle.
#ifndef INGOT_INGOT_HPP_
#define INGOT_INGOT_HPP_

#include <charconv>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ingot/ingot.h"

namespace ingot {

class Error : public std::runtime_error {
 public:
  Error(ingot_code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ingot_code code() const noexcept { return code_; }

 private:
  ingot_code code_;
};

// Throws unless the status is success.
inline void check(ingot_status* status) {
  if (!status) return;
  const Error failure(ingot_status_code(status), ingot_status_message(status));
  ingot_status_release(status);
  throw failure;
}

// A handle that releases itself.
template <class C, void (*kRelease)(C*)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(C* handle) : handle_(handle) {}
  Handle(Handle&& o) noexcept : handle_(std::exchange(o.handle_, nullptr)) {}
  Handle& operator=(Handle&& o) noexcept {
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~Handle() { kRelease(handle_); }
  C* get() const noexcept { return handle_; }
  C** out() noexcept { return &handle_; }  // for a function of the C interface that makes one; must be empty
  C* take() noexcept { return std::exchange(handle_, nullptr); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

 private:
  C* handle_ = nullptr;
};

template <class T>
constexpr ingot_dtype dtype_of() {
  static_assert(std::is_arithmetic_v<T>, "an element type of C++");
  if constexpr (std::is_same_v<T, bool>) return INGOT_BOOL;
  if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? INGOT_FLOAT32 : INGOT_FLOAT64;
  constexpr ingot_dtype kSigned[] = {INGOT_INT8, INGOT_INT16, INGOT_INT32, INGOT_INT64};
  constexpr ingot_dtype kUnsigned[] = {INGOT_UINT8, INGOT_UINT16, INGOT_UINT32, INGOT_UINT64};
  constexpr int kLog = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
  return std::is_signed_v<T> ? kSigned[kLog] : kUnsigned[kLog];
}

// A tensor.
class Value {
 public:
  Value() = default;
  explicit Value(ingot_value* handle) : handle_(handle) {}

  // New memory, zeros.
  static Value create(ingot_dtype dtype, const std::vector<int64_t>& shape) {
    Value v;
    check(ingot_tensor_create(dtype, shape.data(), shape.size(), v.handle_.out()));
    return v;
  }
  // Over memory of the caller's, which must outlive the value and its runs.
  template <class T>
  static Value borrow(T* data, size_t count, const std::vector<int64_t>& shape) {
    using Element = std::remove_const_t<T>;
    Value v;
    check(ingot_tensor_from_memory(dtype_of<Element>(), shape.data(), shape.size(), const_cast<Element*>(data),
                                   count * sizeof(T), nullptr, nullptr, v.handle_.out()));
    return v;
  }
  template <class Container>
  static Value borrow(Container& data, const std::vector<int64_t>& shape) {
    return borrow(data.data(), data.size(), shape);
  }
  static Value strings(const std::vector<std::string>& texts, const std::vector<int64_t>& shape) {
    std::vector<const char*> data;
    std::vector<size_t> lengths;
    for (const std::string& text : texts) {
      data.push_back(text.data());
      lengths.push_back(text.size());
    }
    int64_t count = 1;
    for (const int64_t d : shape) count *= d;
    if (count != static_cast<int64_t>(texts.size()))
      throw Error(INGOT_INVALID_ARGUMENT, "[capi] the shape has another number of elements than there are strings");
    Value v;
    check(ingot_tensor_from_strings(shape.data(), shape.size(), data.data(), lengths.data(), v.handle_.out()));
    return v;
  }
  Value share() const {
    Value v;
    check(ingot_value_share(get(), v.handle_.out()));
    return v;
  }

  ingot_dtype dtype() const {
    ingot_dtype dtype = 0;
    check(ingot_tensor_get_dtype(get(), &dtype));
    return dtype;
  }
  std::vector<int64_t> shape() const {
    const int64_t* dims = nullptr;
    size_t rank = 0;
    check(ingot_tensor_get_shape(get(), &dims, &rank));
    return {dims, dims + rank};
  }
  size_t size() const {  // elements
    size_t count = 1;
    for (const int64_t d : shape()) count *= static_cast<size_t>(d);
    return count;
  }
  // Throws if T is not the element type.
  template <class T>
  T* data() const {
    if (dtype() != dtype_of<std::remove_const_t<T>>())
      throw Error(INGOT_INVALID_ARGUMENT, std::string("[capi] the tensor holds ") + ingot_dtype_name(dtype()));
    void* data = nullptr;
    check(ingot_tensor_get_data(get(), &data, nullptr));
    return static_cast<T*>(data);
  }
  std::string string(size_t index) const {
    const char* text = nullptr;
    size_t length = 0;
    check(ingot_tensor_get_string(get(), index, &text, &length));
    return {text, length};
  }
  ingot_value* get() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

 private:
  Handle<ingot_value, ingot_value_release> handle_;
};

class Options {
 public:
  Options() { check(ingot_options_create(handle_.out())); }
  Options(std::initializer_list<std::pair<const char*, std::string>> settings) : Options() {
    for (const auto& [key, value] : settings) set(key, value);
  }
  Options& set(const char* key, const std::string& value) {
    check(ingot_options_set(handle_.get(), key, value.c_str()));
    return *this;
  }
  const ingot_options* get() const noexcept { return handle_.get(); }

 private:
  Handle<ingot_options, ingot_options_release> handle_;
};

class RunOptions {
 public:
  RunOptions() { check(ingot_run_options_create(handle_.out())); }
  RunOptions& timeout_ms(double ms) { return done(ingot_run_options_set_timeout_ms(get(), ms)); }
  RunOptions& calling_thread_only(bool on) { return done(ingot_run_options_set_threads(get(), on ? 1 : 0)); }
  RunOptions& profile(bool on) { return done(ingot_run_options_set_profile(get(), on ? 1 : 0)); }
  void cancel() { check(ingot_run_options_cancel(get())); }
  void resume() { check(ingot_run_options_resume(get())); }
  std::vector<ingot_step> steps() const {
    std::vector<ingot_step> out(ingot_run_options_num_steps(get()));
    for (size_t i = 0; i < out.size(); ++i) {
      out[i].size = sizeof(ingot_step);
      check(ingot_run_options_get_step(get(), i, &out[i]));
    }
    return out;
  }
  ingot_run_options* get() const noexcept { return handle_.get(); }

 private:
  RunOptions& done(ingot_status* status) {
    check(status);
    return *this;
  }
  Handle<ingot_run_options, ingot_run_options_release> handle_;
};

class Session {
 public:
  explicit Session(const std::string& path, const Options& options = {}) {
    check(ingot_session_load(path.c_str(), options.get(), handle_.out()));
  }
  Session(const void* data, size_t bytes, const Options& options = {}) {
    check(ingot_session_load_memory(data, bytes, nullptr, options.get(), handle_.out()));
  }

  std::vector<ingot_port> inputs() const { return ports(ingot_session_num_inputs, ingot_session_get_input); }
  std::vector<ingot_port> outputs() const { return ports(ingot_session_num_outputs, ingot_session_get_output); }
  std::vector<std::pair<std::string, std::string>> metadata() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (size_t i = 0; i < ingot_session_num_metadata(get()); ++i) {
      const char *key = nullptr, *value = nullptr;
      check(ingot_session_get_metadata(get(), i, &key, &value));
      out.emplace_back(key, value);
    }
    return out;
  }

  using Named = std::pair<const char*, const Value*>;
  // The named outputs, or all.
  std::vector<Value> run(const std::vector<Named>& inputs, const std::vector<const char*>& outputs = {},
                         const RunOptions* options = nullptr) {
    std::vector<ingot_value*> results(outputs.empty() ? ingot_session_num_outputs(get()) : outputs.size());
    call(inputs, outputs.empty() ? nullptr : outputs.data(), results, options);
    std::vector<Value> values;
    for (ingot_value* r : results) values.emplace_back(r);
    return values;
  }
  // Results go into the memory of the given values.
  void run_into(const std::vector<Named>& inputs, const std::vector<Named>& outputs,
                const RunOptions* options = nullptr) {
    std::vector<const char*> names;
    std::vector<ingot_value*> results;
    for (const auto& [name, value] : outputs) {
      names.push_back(name);
      results.push_back(value->get());
    }
    call(inputs, names.data(), results, options);
  }
  ingot_session* get() const noexcept { return handle_.get(); }

 private:
  template <class Count, class Get>
  std::vector<ingot_port> ports(Count count, Get get_port) const {
    std::vector<ingot_port> out(count(get()));
    for (size_t i = 0; i < out.size(); ++i) {
      out[i].size = sizeof(ingot_port);
      check(get_port(get(), i, &out[i]));
    }
    return out;
  }
  void call(const std::vector<Named>& inputs, const char* const* output_names, std::vector<ingot_value*>& results,
            const RunOptions* options) {
    std::vector<const char*> names;
    std::vector<const ingot_value*> values;
    for (const auto& [name, value] : inputs) {
      names.push_back(name);
      values.push_back(value->get());
    }
    check(ingot_session_run(get(), options ? options->get() : nullptr, names.data(), values.data(), values.size(),
                            output_names, results.size(), results.data()));
  }
  Handle<ingot_session, ingot_session_release> handle_;
};

// Values bound to a session for run after run.
class Binding {
 public:
  explicit Binding(const Session& session) : session_(session.get()) {
    check(ingot_binding_create(session_, handle_.out()));
  }
  void input(const char* name, const Value& value) { check(ingot_binding_bind_input(get(), name, value.get())); }
  void output(const char* name, const Value& value) {
    check(ingot_binding_bind_output(get(), name, value.get(), nullptr));
  }
  void output(const char* name, const ingot_allocator* allocator = nullptr) {
    check(ingot_binding_bind_output(get(), name, nullptr, allocator));
  }
  void run(const RunOptions* options = nullptr) {
    check(ingot_session_run_binding(session_, options ? options->get() : nullptr, get()));
  }
  Value result(const char* name) const {
    ingot_value* value = nullptr;
    check(ingot_binding_get_output(get(), name, &value));
    return Value(value);
  }
  ingot_binding* get() const noexcept { return handle_.get(); }

 private:
  ingot_session* session_;
  Handle<ingot_binding, ingot_binding_release> handle_;
};

// A prompt and how it is to be answered; the settings' names stand in ingot/llm.h.
class Request {
 public:
  Request() { check(ingot_request_create(handle_.out())); }
  explicit Request(std::string_view prompt) : Request() { this->prompt(prompt); }
  Request& prompt(std::string_view text) { return done(ingot_request_set_prompt(get(), text.data(), text.size())); }
  Request& prompt(const std::vector<int32_t>& ids) {
    return done(ingot_request_set_prompt_tokens(get(), ids.data(), ids.size()));
  }
  // JSON; settings may be null.
  Request& messages(const std::string& messages, const char* settings = nullptr) {
    return done(ingot_request_set_messages(get(), messages.c_str(), settings));
  }
  Request& set(const char* key, const std::string& value) { return done(ingot_request_set(get(), key, value.c_str())); }
  Request& set(const char* key, const char* value) { return done(ingot_request_set(get(), key, value)); }
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Request& set(const char* key, T value) {
    if constexpr (std::is_same_v<T, bool>) return set(key, value ? "true" : "false");
    char text[64];  // not std::to_string(): six decimals, in the locale's way
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    return set(key, std::string(text, end));
  }
  Request& stop(std::string_view text) { return done(ingot_request_add_stop(get(), text.data(), text.size())); }
  Request& stop_token(int32_t id) { return done(ingot_request_add_stop_token(get(), id)); }
  Request& logit_bias(int32_t id, float bias) { return done(ingot_request_add_logit_bias(get(), id, bias)); }
  ingot_request* get() const noexcept { return handle_.get(); }

 private:
  Request& done(ingot_status* status) {
    check(status);
    return *this;
  }
  Handle<ingot_request, ingot_request_release> handle_;
};

// An answer while it comes: while (const ingot_event* event = generation.next()) …
class Generation {
 public:
  explicit Generation(ingot_generation* handle) : handle_(handle) {}
  // Waits for the next event; null: the answer has ended. Throws if it failed. Valid until the next call.
  const ingot_event* next() {
    event_->size = sizeof(ingot_event);
    ingot_event_state state = 0;
    check(ingot_generation_next(handle_.get(), -1, event_.get(), &state));
    return state == INGOT_EVENT ? event_.get() : nullptr;
  }
  void cancel() { check(ingot_generation_cancel(handle_.get())); }
  ingot_usage usage() const {
    ingot_usage usage{};
    usage.size = sizeof(usage);
    check(ingot_generation_get_usage(handle_.get(), &usage));
    return usage;
  }

 private:
  Handle<ingot_generation, ingot_generation_release> handle_;
  std::unique_ptr<ingot_event> event_ = std::make_unique<ingot_event>();
};

class Llm {
 public:
  explicit Llm(const std::string& path, const Options& options = {}) {
    check(ingot_llm_load(path.c_str(), options.get(), handle_.out()));
  }
  Generation submit(const Request& request) {
    ingot_generation* generation = nullptr;
    check(ingot_llm_submit(get(), request.get(), &generation));
    return Generation(generation);
  }
  // The whole text of the first choice.
  std::string generate(const Request& request) {
    std::string text;
    Generation generation = submit(request);
    while (const ingot_event* event = generation.next())
      if (event->choice == 0) text.append(event->text, event->text_length);
    return text;
  }
  std::vector<int32_t> tokenize(std::string_view text, bool add_special = false, bool parse_special = true) const {
    std::vector<int32_t> ids(text.size() + 8);
    size_t count = 0;
    for (;;) {
      check(ingot_llm_tokenize(get(), text.data(), text.size(), add_special, parse_special, ids.data(), ids.size(),
                               &count));
      const bool fits = count <= ids.size();
      ids.resize(count);
      if (fits) return ids;
    }
  }
  std::string detokenize(const std::vector<int32_t>& ids, bool show_special = false) const {
    Handle<ingot_text, ingot_text_release> text;
    check(ingot_llm_detokenize(get(), ids.data(), ids.size(), show_special, text.out()));
    return {ingot_text_data(text.get()), ingot_text_length(text.get())};
  }
  std::string render_chat(const std::string& messages, const char* settings = nullptr) const {
    Handle<ingot_text, ingot_text_release> text;
    check(ingot_llm_render_chat(get(), messages.c_str(), settings, text.out()));
    return {ingot_text_data(text.get()), ingot_text_length(text.get())};
  }
  int64_t fact(const char* name) const {
    int64_t value = 0;
    check(ingot_llm_get_int(get(), name, &value));
    return value;
  }
  ingot_llm* get() const noexcept { return handle_.get(); }

 private:
  Handle<ingot_llm, ingot_llm_release> handle_;
};

}  // namespace ingot

#endif  // INGOT_INGOT_HPP_
