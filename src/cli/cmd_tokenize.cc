// `ingot tokenize MODEL`: text to token ids and back, as the model's tokenizer does it.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "base/mapped_file.h"
#include "cli/command.h"
#include "cli/text_file.h"
#include "formats/printable.h"
#include "llm/engine_source.h"
#include "plan/engine_file.h"
#include "text/tokenizer.h"

namespace ingot::cli {
namespace {

struct Options {
  std::string model, prompt, file, jsonl;
  bool no_special = false;
  bool json = false;
  bool time = false;
};

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string line_json(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  return fmt::format("{{\"ids\":[{}],\"text\":{}}}\n", fmt::join(ids, ","),
                     boost::json::serialize(boost::json::string(tokenizer.decode(ids, /*skip_special=*/false))));
}

std::string table(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string out;
  for (const int32_t id : ids)
    out += fmt::format("{:>8}  {}\n", id, boost::json::serialize(boost::json::string(tokenizer.token_text(id))));
  return out + fmt::format("{} tokens\n", ids.size());
}

Result<std::string_view> file_text(const std::string& path, std::shared_ptr<const MappedFile>& keep) {
  keep = INGOT_TRY(MappedFile::open(path));
  return std::string_view(reinterpret_cast<const char*>(keep->bytes().data()), keep->bytes().size());
}

Result<void> tokenize_lines(const Tokenizer& tokenizer, const Options& options) {
  std::shared_ptr<const MappedFile> keep;
  std::string_view rest = INGOT_TRY(file_text(options.jsonl, keep));
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    boost::system::error_code error;
    const boost::json::value text = boost::json::parse(std::string(rest.substr(0, end)), error);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (error || !text.is_string())
      return invalid("[tokenize] '{}': line {} is not one JSON string", options.jsonl, number);
    print(line_json(tokenizer, INGOT_TRY(tokenizer.encode(text.get_string(), !options.no_special))));
  }
  return {};
}

Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const std::string& path) {
  if (!is_engine_file(path)) return Tokenizer::from_path(path);
  const auto source = make_engine_source(INGOT_TRY(EngineMap::open(path)));
  if (!source) return invalid("[tokenize] '{}' is an engine file of a tensor model", path);
  return Tokenizer::from_source(*source);
}

Result<void> tokenize(const Options& options) {
  const Stopwatch watch;
  const auto read = open_tokenizer(options.model);
  if (!read) return std::unexpected(about_file(read.error(), options.model));
  const auto& tokenizer = *read;
  const double load_ms = watch.elapsed_ms();
  if (!options.jsonl.empty()) return tokenize_lines(*tokenizer, options);
  const std::string text = options.file.empty() ? options.prompt : INGOT_TRY(read_text(options.file, "tokenize"));
  const Stopwatch encoding;
  const auto ids = INGOT_TRY(tokenizer->encode(text, !options.no_special));
  const double encode_ms = encoding.elapsed_ms();
  if (options.time) {
    print(fmt::format("{{\"load_ms\":{:.3f},\"encode_ms\":{:.3f},\"bytes\":{},\"tokens\":{}}}\n", load_ms, encode_ms,
                      text.size(), ids.size()));
    return {};
  }
  print(options.json ? line_json(*tokenizer, ids) : table(*tokenizer, ids));
  return {};
}

}  // namespace

void add_tokenize(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("tokenize", "Show the tokens of a text");
  command->add_option("MODEL", options->model, "A .gguf file, a Hugging Face folder, or a tokenizer.json")->required();
  auto* input = command->add_option_group("input");
  input->add_option("-p,--prompt", options->prompt, "The text");
  input->add_option("-f,--file", options->file, "A file with the text; -: standard input");
  input->add_option("--jsonl", options->jsonl, "A file with one JSON string a line; prints one JSON object a line");
  input->require_option(1);
  command->add_flag("--no-special", options->no_special, "Leave out what the model adds around a text (bos, eos)");
  command->add_flag("--json", options->json, "Print one JSON object {\"ids\": [...], \"text\": \"...\"}");
  command->add_flag("--time", options->time, "Print only how long loading and encoding took, as one JSON object");
  command->footer(
      "\nExamples:\n"
      "  ingot tokenize model.gguf -p 'Hello world'\n"
      "  ingot tokenize tokenizer.json -f notes.txt --json | jq '.ids | length'\n"
      "  ingot tokenize ./Qwen3-0.6B --jsonl prompts.jsonl --no-special");
  command->callback([options, &action] { action = [options] { return tokenize(*options); }; });
}

}  // namespace ingot::cli
