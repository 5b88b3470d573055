// open_source(): goldens of every format, what is no model, typed look-ups, and corrupted files.
#include "formats/source.h"

#include <fmt/format.h>

#include <sstream>

#include "formats/printable.h"
#include "formats/sniff.h"
#include "formats/test_files.h"

namespace ingot {
namespace {

using testing::Test;

std::string message_of(const std::string& path) {
  auto source = open_source(path);
  return source ? "opened" : source.error().message();
}

TEST(Source, finds_every_tensor_that_the_python_packages_wrote) {
  std::ifstream in(golden("expected.txt"));
  std::string kind, file, name, dtype, dims;
  uint64_t hash = 0;
  int count = 0;
  while (in >> kind >> file >> name >> dtype >> dims >> std::hex >> hash) {
    auto source = open_source(golden(file));
    ASSERT_TRUE(source) << source.error().message();
    const SourceTensor* t = (*source)->find_tensor(name);
    ASSERT_NE(t, nullptr) << name;
    EXPECT_EQ(dtype_name(t->view.dtype), dtype) << name;
    EXPECT_EQ(t->view.shape.to_string(), dims) << name;
    EXPECT_EQ(fnv1a64(bytes_of(t->view)), hash) << name;
    const auto at_offset = read_bytes((*source)->paths()[static_cast<size_t>(t->file)]);
    EXPECT_EQ(fnv1a64(std::span(at_offset).subspan(t->offset, t->view.num_bytes())), hash) << name;
    ++count;
  }
  EXPECT_GT(count, 50);
}

TEST(Source, says_what_a_file_that_is_no_model_looks_like) {
  TempFolder dir;
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"},
      {std::string_view("PK\x03\x04pytorch", 11), "PyTorch"},
      {"<!DOCTYPE html><html>", "HTML"},
      {std::string_view("\x08\x07\x12\x07pytorch", 11), "ONNX"},
      {"{\"a\": 1}", "JSON"},
      {"tjgg....", "GGJT"},
      {std::string_view("\0\0\0\0\0\0\0\0\0\0", 10), "zeros"},
      {"hello world", "none of the known formats"},
  };
  for (const auto& [text, wanted] : cases) {
    write_text(dir / "x.gguf", text);
    EXPECT_NE(message_of(dir / "x.gguf").find(wanted), std::string::npos) << message_of(dir / "x.gguf");
  }
  write_text(dir / "x.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}");
  EXPECT_NE(message_of(dir / "x.safetensors").find("a header of 18446744073709551615 bytes"), std::string::npos);
  EXPECT_EQ(open_source("/no/such/model.gguf").error().code(), Code::kNotFound);
  write_text(dir / "empty.gguf", "");
  EXPECT_NE(message_of(dir / "empty.gguf").find("is empty"), std::string::npos);
}

TEST(Source, typed_lookups_name_key_and_value) {
  auto source = open_source(golden("types.gguf")).value();
  EXPECT_EQ(source->get_int("t.i32").value(), INT32_MIN);
  EXPECT_EQ(source->get_int("absent").value(), std::nullopt);
  EXPECT_EQ(source->get_double("t.u8").value(), 255.0);
  EXPECT_EQ(source->get_bool("t.true").value(), true);
  EXPECT_EQ(source->get_string("t.string").value(), "naïve 🦙 text");
  EXPECT_EQ(source->get_int("t.string").error().message(),
            "[model] metadata 't.string' is the string 'naïve 🦙 text', expected an integer: convert or download the "
            "model again");
  EXPECT_NE(source->get_int("t.u64").error().message().find("18446744073709551615"), std::string::npos);
  EXPECT_NE(source->get_bool("t.ints").error().message().find("an array of 3 elements"), std::string::npos);
}

// Opens what is left of a file and reads every byte of what it claims to hold.
void open_and_touch(const std::string& path, int& opened) {
  auto source = open_source(path);
  if (!source) {
    EXPECT_FALSE(source.error().message().empty());
    return;
  }
  ++opened;
  uint64_t sum = 0;
  for (const SourceTensor& t : (*source)->tensors()) sum += fnv1a64(bytes_of(t.view)) + t.name.size();
  for (const auto& [key, value] : (*source)->metadata()) {
    sum += key.size() + value.index();
    if (const auto* strings = std::get_if<std::vector<std::string_view>>(&value))
      for (std::string_view s : *strings) sum += fnv1a64(std::as_bytes(std::span(s)));
  }
  EXPECT_NE(sum, 0u);
}

constexpr int kInjuries = 1000;

TEST(Source, survives_a_gguf_injured_at_1000_places) {
  TempFolder dir;
  const auto bytes = read_bytes(golden("types.gguf"));
  int opened = 0;
  for (uint32_t seed = 0; seed < kInjuries; ++seed) {
    write_bytes(dir / "x.gguf", corrupt(bytes, seed));
    open_and_touch(dir / "x.gguf", opened);
  }
  EXPECT_LT(opened, kInjuries / 2);
  EXPECT_GT(opened, 0);
}

TEST(Source, survives_a_split_injured_at_1000_places) {
  TempFolder dir;
  std::vector<std::string> names;
  for (int i = 1; i <= 3; ++i) names.push_back(fmt::format("split-{:05}-of-00003.gguf", i));
  for (const auto& name : names) std::filesystem::copy(golden(name), dir / name);
  int opened = 0;
  for (uint32_t seed = 0; seed < kInjuries; ++seed) {
    const std::string& name = names[seed % 3];
    const auto bytes = read_bytes(golden(name));
    write_bytes(dir / name, corrupt(bytes, seed / 3));
    open_and_touch(dir / names[0], opened);
    write_bytes(dir / name, bytes);
  }
  EXPECT_GT(opened, 0);
}

void injure_in_folder(std::string_view folder, const std::vector<std::string>& names) {
  TempFolder dir;
  std::filesystem::copy(golden(folder), dir.path(), std::filesystem::copy_options::recursive);
  int opened = 0;
  for (const std::string& name : names) {
    const auto bytes = read_bytes(dir / name);
    for (uint32_t seed = 0; seed < kInjuries; ++seed) {
      write_bytes(dir / name, corrupt(bytes, seed));
      open_and_touch(dir.path(), opened);
    }
    write_bytes(dir / name, bytes);
  }
  EXPECT_GT(opened, 0);
  EXPECT_LT(opened, static_cast<int>(names.size()) * kInjuries);
}

TEST(Source, survives_a_safetensors_file_injured_at_1000_places) { injure_in_folder("hf", {"model.safetensors"}); }

TEST(Source, survives_configs_injured_at_1000_places) { injure_in_folder("hf", {"config.json"}); }

TEST(Source, survives_shards_and_index_injured_at_1000_places) {
  injure_in_folder("hf_sharded", {"model.safetensors.index.json", "model-00002-of-00002.safetensors"});
}

TEST(Printable, an_error_names_its_file_once) {
  const Status status = about_file({Code::kNotFound, "[model] tensor 'x' is missing"}, "/m/a.gguf");
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.message(), "[model] '/m/a.gguf': tensor 'x' is missing");
  EXPECT_EQ(about_file(status, "/m/a.gguf").message(), status.message());
  EXPECT_EQ(about_file({Code::kUnknown, "no tag"}, "a").message(), "no tag");
  EXPECT_EQ(about_file({Code::kUnknown, "none"}, "b\n").message(), "'b\\n': none");
}

TEST(Printable, escapes_controls_and_broken_utf8_and_cuts_between_code_points) {
  EXPECT_EQ(printable("a\nb\x1b[0m"), "a\\nb\\x1b[0m");
  EXPECT_EQ(printable(printable("a\nb")), printable("a\nb"));
  EXPECT_EQ(printable("\xff ü \xc2\x9b"), "\\xff ü \\xc2\\x9b");
  EXPECT_EQ(printable("\xed\xa0\x80\xc0\x80"), "\\xed\\xa0\\x80\\xc0\\x80");
  EXPECT_EQ(printable("üüü", 5), "üü…");
  EXPECT_EQ(valid_utf8("a\xf0\x9f\xa6z"), "a\uFFFD\uFFFD\uFFFDz");
}

}  // namespace
}  // namespace ingot
