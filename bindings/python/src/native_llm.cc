// ingot._native: language models for ingot/_llm.py. The GIL is released while a model loads and while an event is
// waited for, which never takes longer than the caller says: between two waits Python handles Ctrl-C.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "native.h"

namespace ingot_python {
namespace {

class Generation {
 public:
  explicit Generation(ingot_generation* handle) : handle_(handle) {}

  // None: no event yet; False: no more; else (choice, text, ids, logprobs or None, tops, finish).
  nb::object next(double timeout_ms) {
    ingot_event event{};
    event.size = sizeof(event);
    ingot_event_state state = 0;
    ingot_status* status = nullptr;
    {
      const nb::gil_scoped_release gil;
      status = ingot_generation_next(handle_.get(), timeout_ms, &event, &state);
    }
    ingot::check(status);
    if (state == INGOT_NO_EVENT_YET) return nb::none();
    if (state == INGOT_NO_MORE_EVENTS) return nb::bool_(false);
    nb::list ids, tops;
    nb::object logprobs = nb::none();
    for (size_t i = 0; i < event.num_tokens; ++i) ids.append(event.tokens[i]);
    if (event.logprobs) {
      nb::list list;
      for (size_t i = 0; i < event.num_tokens; ++i) list.append(event.logprobs[i]);
      logprobs = std::move(list);
    }
    for (size_t i = 0; i < event.num_tokens && event.num_top > 0; ++i) {
      nb::dict top;
      for (size_t k = i * event.num_top; k < (i + 1) * event.num_top; ++k)
        if (event.top_ids[k] >= 0) top[nb::int_(event.top_ids[k])] = event.top_logprobs[k];
      tops.append(std::move(top));
    }
    return nb::make_tuple(event.choice, text_or_bytes(event.text, event.text_length), ids, logprobs, tops,
                          event.finish);
  }
  void cancel() { ingot::check(ingot_generation_cancel(handle_.get())); }
  // (prompt tokens, cached tokens, completion tokens, ms to the first token, ms in all)
  nb::tuple usage() const {
    ingot_usage u{};
    u.size = sizeof(u);
    ingot::check(ingot_generation_get_usage(handle_.get(), &u));
    return nb::make_tuple(u.prompt_tokens, u.cached_tokens, u.completion_tokens, u.first_token_ms, u.total_ms);
  }

 private:
  ingot::Handle<ingot_generation, ingot_generation_release> handle_;
};

Generation submit(ingot::Llm& llm, const ingot::Request& request) {
  ingot_generation* handle = nullptr;
  ingot_status* status = nullptr;
  {
    const nb::gil_scoped_release gil;  // tokenizing and grammars may take long
    status = ingot_llm_submit(llm.get(), request.get(), &handle);
  }
  ingot::check(status);
  return Generation(handle);
}

void add_breaker(ingot::Request& r, const std::string& text) {
  ingot::check(ingot_request_add_dry_breaker(r.get(), text.data(), text.size()));
}

}  // namespace

void add_llm(nb::module_& m) {
  nb::class_<ingot::Request>(m, "Request")
      .def(nb::init<>())
      .def("prompt", [](ingot::Request& r, const std::string& text) { r.prompt(text); })
      .def("prompt_tokens", [](ingot::Request& r, const std::vector<int32_t>& ids) { r.prompt(ids); })
      .def("messages", [](ingot::Request& r, const std::string& json,
                          const std::string& settings) { r.messages(json, settings.c_str()); })
      .def("set", [](ingot::Request& r, const char* key, const std::string& value) { r.set(key, value); })
      .def("stop", [](ingot::Request& r, const std::string& text) { r.stop(text); })
      .def("stop_token", [](ingot::Request& r, int32_t id) { r.stop_token(id); })
      .def("logit_bias", [](ingot::Request& r, int32_t id, float bias) { r.logit_bias(id, bias); })
      .def("dry_breaker", &add_breaker);

  nb::class_<Generation>(m, "Generation")
      .def("next", &Generation::next)
      .def("cancel", &Generation::cancel)
      .def("usage", &Generation::usage);

  nb::class_<ingot::Llm>(m, "Llm")
      .def_static("load",
                  [](const std::string& path, const nb::dict& settings) {
                    const ingot::Options options = options_of(settings);
                    const nb::gil_scoped_release gil;
                    return ingot::Llm(path, options);
                  })
      .def("fact", [](const ingot::Llm& l, const char* name) { return l.fact(name); })
      .def("tokenize", [](const ingot::Llm& l, const std::string& text, bool add_special,
                          bool parse_special) { return l.tokenize(text, add_special, parse_special); })
      .def("detokenize",
           [](const ingot::Llm& l, const std::vector<int32_t>& ids, bool show_special) {
             const std::string text = l.detokenize(ids, show_special);
             return text_or_bytes(text.data(), text.size());
           })
      .def("render_chat",
           [](const ingot::Llm& l, const std::string& messages, const std::string& settings) {
             const std::string text = l.render_chat(messages, settings.c_str());
             return text_or_bytes(text.data(), text.size());
           })
      .def("submit", &submit);
}

}  // namespace ingot_python
