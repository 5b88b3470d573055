#include "text/chat/chat_template.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>

namespace ingot {
namespace {

namespace json = boost::json;

constexpr const char* kPlain =
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls %}"
    "<{{ c.function.arguments|tojson }}>{% endfor %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
constexpr const char* kParts =
    "{% for m in messages %}[{{ m.role }}]{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}{% "
    "endfor %}"
    "{% for c in m.tool_calls or [] %}{{ '<' + c.function.arguments + '>' }}{% endfor %}{% endfor %}";

// A model that is nothing but metadata and files.
class FakeSource : public Source {
 public:
  explicit FakeSource(SourceKind kind) : kind_(kind) {}
  SourceKind kind() const override { return kind_; }
  const std::vector<std::string>& paths() const override { return paths_; }
  const std::vector<std::pair<std::string_view, MetaValue>>& metadata() const override { return metadata_; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  std::string_view file(std::string_view name) const override {
    const auto at = files.find(name);
    return at == files.end() ? std::string_view() : std::string_view(at->second);
  }
  void set(std::string_view key, MetaValue value) { metadata_.emplace_back(key, std::move(value)); }
  void finish() { build_index(); }
  std::map<std::string, std::string, std::less<>> files;

 private:
  SourceKind kind_;
  std::vector<std::string> paths_{"model"};
  std::vector<std::pair<std::string_view, MetaValue>> metadata_;
  std::vector<SourceTensor> tensors_;
};

std::string text_of(const Result<std::string>& result) {
  return result ? *result : "error: " + result.error().message();
}

std::string render(const char* source, const char* messages, RenderOptions options = {}) {
  const auto chat = ChatTemplate::parse(source, {{"bos_token", "<s>"}});
  if (!chat) return "error: " + chat.error().message();
  return text_of(chat->render(json::parse(messages), options));
}

TEST(ChatTemplate, renders_messages_tokens_and_the_generation_prompt) {
  EXPECT_EQ(render(kPlain, R"([{"role": "user", "content": "hi"}])"), "<s>[user]hi[assistant]");
  EXPECT_EQ(render(kPlain, R"([{"role": "user", "content": "hi"}])", {.add_generation_prompt = false}), "<s>[user]hi");
  EXPECT_EQ(render(kPlain, "[]"), "<s>[assistant]");
}

TEST(ChatTemplate, a_call_without_content_is_written_as_the_template_wants_it) {
  const char* calls =
      R"([{"role": "assistant", "content": %, "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}])";
  const auto with = [&](const char* content) {
    return std::string(calls).replace(std::string(calls).find('%'), 1, content);
  };
  for (const char* content : {"null", "\"\""})
    EXPECT_EQ(render(kPlain, with(content).c_str()), "<s>[assistant]<{\"a\": 1}>[assistant]");
  const char* wants_null =
      "{% for m in messages %}{% if m.content is none %}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}"
      "{% endfor %}{% else %}{{ m.content }}{% endif %}{% endfor %}";
  const char* shows_none =
      "{% for m in messages %}{{ m.content | trim if m.content is string else m.content.x.y }}.{% endfor %}";
  for (const char* content : {"null", "\"\""}) EXPECT_EQ(render(shows_none, with(content).c_str()), ".");
  for (const char* content : {"null", "\"\""}) EXPECT_EQ(render(wants_null, with(content).c_str()), "{\"a\": 1}");
}

TEST(ChatTemplate, passes_tools_documents_and_other_variables) {
  RenderOptions options;
  options.tools = json::parse(R"([{"name": "f"}])");
  options.variables["enable_thinking"] = false;
  EXPECT_EQ(render("{{ tools|tojson }}{{ documents is none }}{{ enable_thinking }}", "[]", options),
            "[{\"name\": \"f\"}]TrueFalse");
}

TEST(ChatTemplate, gives_parts_as_text_to_templates_that_print_text) {
  const char* parts =
      R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])";
  EXPECT_EQ(render(kPlain, parts), "<s>[user]a\nb[assistant]");
  EXPECT_EQ(render(kParts, parts), "[user]ab");
}

TEST(ChatTemplate, gives_text_as_parts_to_templates_that_loop_over_parts) {
  EXPECT_EQ(render(kParts, R"([{"role": "user", "content": "hi"}])"), "[user]hi");
}

TEST(ChatTemplate, gives_tool_arguments_in_the_form_the_template_reads) {
  const char* text =
      R"([{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\": 1}"}}]}])";
  const char* object =
      R"([{"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}])";
  EXPECT_EQ(render(kPlain, text), "<s>[assistant]<{\"a\": 1}>[assistant]");
  EXPECT_EQ(render(kPlain, object), "<s>[assistant]<{\"a\": 1}>[assistant]");
  EXPECT_EQ(render(kParts, text), "[assistant]<{\"a\": 1}>");
  EXPECT_EQ(render(kParts, object), "[assistant]<{\"a\":1}>");
}

TEST(ChatTemplate, continues_the_final_message) {
  const RenderOptions options{.add_generation_prompt = false, .continue_final_message = true};
  const char* messages = R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "Sure, "}])";
  EXPECT_EQ(render("{% for m in messages %}[{{ m.role }}]{{ m.content }}<end>{% endfor %}", messages, options),
            "[user]a<end>[assistant]Sure, ");
  EXPECT_EQ(render("{% for m in messages %}[{{ m.role }}]{{ m.content|trim }}<end>{% endfor %}", messages, options),
            "[user]a<end>[assistant]Sure,");
  EXPECT_TRUE(render(kPlain, "[]", options).starts_with("error: [chat] continue_final_message"));
  EXPECT_TRUE(render(kPlain, messages, {.continue_final_message = true}).starts_with("error: [chat]"));
}

TEST(ChatTemplate, tells_what_the_template_says_about_a_bad_conversation) {
  EXPECT_EQ(render("{% if messages[0].role != 'user' %}\n{{ raise_exception('user first') }}{% endif %}",
                   R"([{"role": "assistant", "content": "x"}])"),
            "error: [template] line 2: user first");
  EXPECT_TRUE(render(kPlain, R"({"role": "user"})").starts_with("error: [chat] messages must be an array"));
  EXPECT_TRUE(render(kPlain, R"(["hi"])").starts_with("error: [chat] messages[0] is \"hi\""));
}

TEST(ChatTemplate, reads_gguf_templates_by_name_and_its_tokens) {
  FakeSource source(SourceKind::kGguf);
  source.set("tokenizer.chat_template", std::string_view("{{ bos_token }}|{{ eos_token }}"));
  source.set("tokenizer.chat_template.rag", std::string_view("rag"));
  source.set("tokenizer.ggml.tokens", std::vector<std::string_view>{"<a>", "<b>"});
  source.set("tokenizer.ggml.bos_token_id", int64_t{1});
  source.set("tokenizer.ggml.eos_token_id", int64_t{0});
  source.finish();
  EXPECT_EQ(text_of(ChatTemplate::from_source(source)->render(json::array(), {})), "<b>|<a>");
  EXPECT_EQ(text_of(ChatTemplate::from_source(source, "rag")->render(json::array(), {})), "rag");
  const auto missing = ChatTemplate::from_source(source, "tools");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  EXPECT_EQ(missing.error().message(), "[chat] 'model' has no chat template named 'tools'; it has: default, rag");
}

TEST(ChatTemplate, reads_folders_with_the_separate_file_first) {
  FakeSource source(SourceKind::kHuggingFace);
  source.finish();
  source.files["tokenizer_config.json"] =
      R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": [{"name": "default", "template": "one"},
          {"name": "tool_use", "template": "{{ bos_token }}{{ eos_token }}"}]})";
  EXPECT_EQ(text_of(ChatTemplate::from_source(source)->render(json::array(), {})), "one");
  EXPECT_EQ(text_of(ChatTemplate::from_source(source, "tool_use")->render(json::array(), {})), "<s></s>");
  source.files["chat_template.json"] = R"({"chat_template": "two"})";
  EXPECT_EQ(text_of(ChatTemplate::from_source(source)->render(json::array(), {})), "two");
  source.files["chat_template.jinja"] = "three";
  EXPECT_EQ(text_of(ChatTemplate::from_source(source)->render(json::array(), {})), "three");
}

TEST(ChatTemplate, a_model_without_one_is_not_found) {
  FakeSource source(SourceKind::kGguf);
  source.finish();
  const auto chat = ChatTemplate::from_source(source);
  ASSERT_FALSE(chat);
  EXPECT_EQ(chat.error().code(), Code::kNotFound);
}

TEST(ChatTemplate, a_broken_template_names_its_place_and_the_line) {
  FakeSource source(SourceKind::kGguf);
  source.set("tokenizer.chat_template", std::string_view("a\n{% if %}"));
  source.finish();
  const auto chat = ChatTemplate::from_source(source);
  ASSERT_FALSE(chat);
  EXPECT_EQ(chat.error().message(),
            "[template] 'tokenizer.chat_template': line 2: Expected an expression, got 'end of statement block'");
  FakeSource folder(SourceKind::kHuggingFace);
  folder.finish();
  folder.files["tokenizer_config.json"] = R"({"chat_template": "{% if %}"})";
  EXPECT_NE(ChatTemplate::from_source(folder).error().message().find("'tokenizer_config.json'"), std::string::npos);
}

TEST(ChatTemplate, one_of_the_wrong_type_is_refused_by_name) {
  FakeSource source(SourceKind::kGguf);
  source.set("tokenizer.chat_template", int64_t{3});
  source.finish();
  EXPECT_NE(ChatTemplate::from_source(source).error().message().find("'tokenizer.chat_template'"), std::string::npos);
  FakeSource folder(SourceKind::kHuggingFace);
  folder.finish();
  folder.files["tokenizer_config.json"] = R"({"chat_template": 3})";
  EXPECT_NE(ChatTemplate::from_source(folder).error().message().find("tokenizer_config.json"), std::string::npos);
}

TEST(ChatTemplate, parts_that_a_template_of_text_cannot_take_are_refused) {
  const auto chat = ChatTemplate::parse("{% for m in messages %}{{ m.content + '\n' }}{% endfor %}", {});
  ASSERT_TRUE(chat);
  const auto of = [](json::object part) {
    return json::array{json::object{{"role", "user"}, {"content", json::array{std::move(part)}}}};
  };
  EXPECT_TRUE(chat->render(of({{"type", "text"}, {"text", "a"}}), {}));
  const auto image = chat->render(of({{"type", "image_url"}}), {});
  ASSERT_FALSE(image);
  EXPECT_NE(image.error().message().find("messages[0].content"), std::string::npos);
}

}  // namespace
}  // namespace ingot
