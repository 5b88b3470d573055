// The GGUF parser, writer and splits; golden files are made by tests/goldens/make_formats.py.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <cmath>
#include <cstring>

#include "formats/gguf/gguf_parser.h"
#include "formats/gguf/gguf_source.h"
#include "formats/gguf/gguf_writer.h"
#include "formats/test_files.h"

namespace ingot {
namespace {

// A GGUF file by hand, so that it can be wrong.
class Raw {
 public:
  Raw(uint32_t version, uint64_t tensors, uint64_t entries) { text("GGUF").u32(version).u64(tensors).u64(entries); }
  Raw& u32(uint32_t v) { return put(&v, 4); }
  Raw& u64(uint64_t v) { return put(&v, 8); }
  Raw& text(std::string_view s) { return put(s.data(), s.size()); }
  Raw& string(std::string_view s) { return u64(s.size()).text(s); }
  Raw& tensor(std::string_view name, std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset) {
    string(name).u32(static_cast<uint32_t>(dims.size()));
    for (uint64_t d : dims) u64(d);
    return u32(type).u64(offset);
  }
  Raw& data(size_t n) {
    bytes_.resize((bytes_.size() + 31) / 32 * 32 + n);
    return *this;
  }
  Result<GgufFile> parse() const { return parse_gguf(bytes_, "x.gguf"); }
  std::string error() const {
    const auto result = parse();
    return result ? "parsed" : result.error().message();
  }

 private:
  Raw& put(const void* p, size_t n) {
    const auto* b = static_cast<const std::byte*>(p);
    bytes_.insert(bytes_.end(), b, b + n);
    return *this;
  }
  std::vector<std::byte> bytes_;
};

void expect_error(const Raw& raw, std::string_view part) {
  EXPECT_NE(raw.error().find(part), std::string::npos) << "got: " << raw.error() << "\nwanted: " << part;
}

MetaValue value_of(const Source& source, std::string_view key) {
  const MetaValue* v = source.find_metadata(key);
  return v ? *v : MetaValue(std::string_view("absent"));
}

TEST(Gguf, reads_every_metadata_type) {
  auto s = open_source(golden("types.gguf")).value();
  EXPECT_EQ(s->format(), "GGUF v3");
  EXPECT_EQ(value_of(*s, "t.u8"), MetaValue(int64_t{255}));
  EXPECT_EQ(value_of(*s, "t.i8"), MetaValue(int64_t{-128}));
  EXPECT_EQ(value_of(*s, "t.u16"), MetaValue(int64_t{65535}));
  EXPECT_EQ(value_of(*s, "t.i16"), MetaValue(int64_t{-32768}));
  EXPECT_EQ(value_of(*s, "t.u32"), MetaValue(int64_t{UINT32_MAX}));
  EXPECT_EQ(value_of(*s, "t.i32"), MetaValue(int64_t{INT32_MIN}));
  EXPECT_EQ(value_of(*s, "t.u64"), MetaValue(UINT64_MAX));
  EXPECT_EQ(value_of(*s, "t.i64"), MetaValue(INT64_MIN));
  EXPECT_EQ(value_of(*s, "t.f32"), MetaValue(1.5));
  EXPECT_EQ(value_of(*s, "t.f64"), MetaValue(0.1));
  EXPECT_EQ(value_of(*s, "t.true"), MetaValue(true));
  EXPECT_EQ(value_of(*s, "t.false"), MetaValue(false));
  EXPECT_EQ(value_of(*s, "t.empty"), MetaValue(std::string_view("")));
  EXPECT_EQ(value_of(*s, "t.ints"), MetaValue(std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(value_of(*s, "t.floats"), MetaValue(std::vector<double>{0.5, -0.25}));
  EXPECT_EQ(value_of(*s, "t.bools"), MetaValue(std::vector<bool>{true, false, true}));
  EXPECT_EQ(value_of(*s, "t.strings"), MetaValue(std::vector<std::string_view>{"a", "", "ü"}));
  EXPECT_EQ(value_of(*s, "t.u8s"), MetaValue(std::vector<int64_t>{0, 255}));
  EXPECT_EQ(value_of(*s, "t.u64s"), MetaValue(std::vector<uint64_t>{1, UINT64_MAX}));
  EXPECT_EQ(value_of(*s, "t.small_u64s"), MetaValue(std::vector<int64_t>{1, 2}));
  EXPECT_EQ(value_of(*s, "t.i16s"), MetaValue(std::vector<int64_t>{-5, 5}));
  EXPECT_EQ(value_of(*s, "t.f64s"), MetaValue(std::vector<double>{0.1, 0.2}));
}

TEST(Gguf, reads_version_2_and_its_own_alignment) {
  auto s = open_source(golden("v2.gguf")).value();
  EXPECT_EQ(s->format(), "GGUF v2");
  EXPECT_EQ(s->find_tensor("a")->offset % 64, 0u);
}

TEST(Gguf, opens_a_split_by_any_part_and_names_a_missing_one) {
  for (int i = 1; i <= 3; ++i) {
    auto s = open_source(golden(fmt::format("split-{:05}-of-00003.gguf", i)));
    ASSERT_TRUE(s) << s.error().message();
    EXPECT_EQ((*s)->tensors().size(), 3u);
    EXPECT_EQ((*s)->paths().size(), 3u);
    EXPECT_EQ((*s)->get_int("llama.block_count").value(), 3);
    EXPECT_EQ((*s)->find_tensor("blk.2.w")->file, 2);
  }
  TempFolder dir;
  for (int i : {1, 3}) {
    const auto name = fmt::format("split-{:05}-of-00003.gguf", i);
    std::filesystem::copy(golden(name), dir / name);
  }
  const auto missing = open_source(dir / "split-00001-of-00003.gguf");
  EXPECT_EQ(missing.error().code(), Code::kNotFound);
  EXPECT_NE(missing.error().message().find("split-00002-of-00003.gguf' is missing"), std::string::npos);
  std::filesystem::copy(golden("split-00001-of-00003.gguf"), dir / "split-00002-of-00003.gguf");
  EXPECT_NE(open_source(dir / "split-00001-of-00003.gguf").error().message().find("split.no 0"), std::string::npos);
  std::filesystem::rename(dir / "split-00003-of-00003.gguf", dir / "other.gguf");
  EXPECT_NE(open_source(dir / "other.gguf").error().message().find("-00003-of-00003.gguf"), std::string::npos);
}

TEST(Gguf, refuses_headers_that_are_not_v2_or_v3_little_endian) {
  expect_error(Raw(1, 0, 0), "version 1 is not 2 or 3");
  expect_error(Raw(4, 0, 0), "version 4 is not 2 or 3");
  expect_error(Raw(0x03000000, 0, 0), "big endian");
  expect_error(Raw(3, uint64_t{1} << 40, 0), "1099511627776 tensors, the limit is");
  expect_error(Raw(3, 0, uint64_t{1} << 40), "1099511627776 metadata entries, the limit is");
  expect_error(Raw(3, 1000, 1000), "need at least 37000 bytes");
  EXPECT_TRUE(Raw(3, 0, 0).parse());
}

TEST(Gguf, refuses_broken_metadata) {
  expect_error(Raw(3, 0, 1).string("k").u32(13).u64(0), "value type 13 is not known");
  expect_error(Raw(3, 0, 1).string("k").u32(7).u64(2), "2 is no boolean");
  expect_error(Raw(3, 0, 2).string("k").u32(4).u32(1).string("k").u32(4).u32(1), "'k' occurs twice");
  expect_error(Raw(3, 0, 1).string("k").u32(9).u32(9).u64(1).u32(4).u64(0), "array of arrays");
  expect_error(Raw(3, 0, 1).string("k").u32(9).u32(4).u64(UINT64_MAX), "the limit for all arrays");
  expect_error(Raw(3, 0, 1).string("k").u32(9).u32(4).u64(1 << 20), "passes the end of the file");
  expect_error(Raw(3, 0, 1).string("k").u32(9).u32(8).u64(1 << 20), "strings do not fit");
  expect_error(Raw(3, 0, 1).string("k").u32(8).u64(uint64_t{1} << 60), "has a length of 1152921504606846976");
  expect_error(Raw(3, 0, 1).string("general.alignment").u32(4).u32(12), "general.alignment is 12");
  expect_error(Raw(3, 0, 1).string("general.alignment").u32(8).string("x"), "no integer");
}

TEST(Gguf, refuses_broken_tensors_by_name_offset_and_size) {
  constexpr uint32_t kF32 = 0, kQ4K = 12;
  expect_error(Raw(3, 1, 0).tensor("w", {8}, kF32, 64).data(64),
               "tensor 'w': data at 64 + offset 64 + 32 bytes passes");
  expect_error(Raw(3, 1, 0).tensor("w", {8}, kF32, 4).data(64),
               "offset 4 (32 bytes) is no multiple of the alignment 32");
  expect_error(Raw(3, 1, 0).tensor("w", {8}, kF32, UINT64_MAX - 31).data(64), "passes the end of the file");
  expect_error(Raw(3, 2, 0).tensor("a", {16}, kF32, 0).tensor("b", {8}, kF32, 32).data(64),
               "tensor 'a' (offset 96, 64 bytes) overlaps tensor 'b' (offset 128, 32 bytes) in a file of 160 bytes");
  expect_error(Raw(3, 2, 0).tensor("a", {8}, kF32, 0).tensor("a", {8}, kF32, 32).data(64), "'a' occurs twice");
  expect_error(Raw(3, 1, 0).tensor("w", {1, 1, 1, 1, 1}, kF32, 0).data(64), "rank 5 is above 4");
  expect_error(Raw(3, 1, 0).tensor("w", {255, 2}, kQ4K, 0).data(4096), "rows of 255 elements do not divide");
  expect_error(Raw(3, 1, 0).tensor("w", {1u << 31, 1u << 31, 4}, kF32, 0).data(64), "elements in all");
  expect_error(Raw(3, 1, 0).tensor("w", {UINT64_MAX, 0}, kF32, 0).data(64), "elements in all");
  expect_error(Raw(3, 1, 0).tensor("w", {32}, 4, 0).data(64), "type 4 (Q4_2) cannot be read");
  expect_error(Raw(3, 1, 0).tensor("w", {32}, 31, 0).data(64), "type 31 (Q4_0_4_4) cannot be read");
  expect_error(Raw(3, 1, 0).tensor("w", {32}, 99, 0).data(64), "type 99 is not known");
  expect_error(Raw(3, 1, 0).tensor("", {32}, kF32, 0).data(64), "has no name");
  const auto empty = Raw(3, 2, 0).tensor("w", {0, 7}, kF32, 0).tensor("s", {}, kF32, 0).data(32).parse();
  ASSERT_TRUE(empty) << empty.error().message();
  EXPECT_EQ(empty->tensors[0].view.num_bytes(), 0u);
  EXPECT_EQ(empty->tensors[0].view.shape, (Shape{7, 0}));
  EXPECT_EQ(empty->tensors[1].view.num_bytes(), 4u);
}

TEST(Gguf, every_tensor_type_has_one_number) {
  for (uint32_t id = 0; id < 64; ++id) {
    const auto type = dtype_from_gguf(id);
    if (type) {
      EXPECT_EQ(gguf_from_dtype(*type), id);
    }
  }
  EXPECT_EQ(dtype_from_gguf(42).value(), DType::kQ2_0);
  EXPECT_EQ(gguf_from_dtype(DType::kU8), std::nullopt);
}

TEST(GgufWriter, copies_a_file_entry_by_entry) {
  TempFolder dir;
  const auto bytes = read_bytes(golden("types.gguf"));
  const GgufFile in = parse_gguf(bytes, "types.gguf").value();
  GgufWriter w;
  for (const GgufEntry& e : in.entries) w.add_entry(e);
  for (const GgufTensor& t : in.tensors)
    w.add_tensor(t.name, TensorView{t.view.dtype, t.view.shape, bytes.data() + t.offset});
  ASSERT_TRUE(w.write(dir / "copy.gguf"));
  EXPECT_EQ(read_bytes(dir / "copy.gguf"), bytes);
}

TEST(GgufWriter, writes_values_that_are_read_back) {
  TempFolder dir;
  GgufWriter w;
  const float data[] = {1, 2, 3, 4, 5, 6};
  const std::string_view words[] = {"a", "bc"};
  const double numbers[] = {0.5, 1.5};
  w.add_number("general.alignment", uint32_t{128});
  w.add_number("n", int8_t{-3});
  w.add_number("yes", true);
  w.add_numbers("numbers", std::span<const double>(numbers));
  w.add_string("s", "text");
  w.add_strings("words", words);
  w.add_tensor("x", TensorView{DType::kF32, {2, 3}, data});
  w.add_tensor("y", TensorView{DType::kF32, {6}, data});
  ASSERT_TRUE(w.write(dir / "x.gguf"));
  auto s = open_source(dir / "x.gguf").value();
  EXPECT_EQ(s->get_int("n").value(), -3);
  EXPECT_EQ(s->get_bool("yes").value(), true);
  EXPECT_EQ(value_of(*s, "numbers"), MetaValue(std::vector<double>{0.5, 1.5}));
  EXPECT_EQ(value_of(*s, "words"), MetaValue(std::vector<std::string_view>{"a", "bc"}));
  EXPECT_EQ(s->find_tensor("x")->view.shape, (Shape{2, 3}));
  EXPECT_EQ(s->find_tensor("y")->offset % 128, 0u);
  EXPECT_EQ(std::memcmp(s->find_tensor("y")->view.data, data, sizeof(data)), 0);
}

TEST(GgufWriter, leaves_the_old_file_and_nothing_else_when_it_fails) {
  TempFolder dir;
  write_text(dir / "x.gguf", "old");
  GgufWriter w;
  w.add_tensor("a", DType::kF32, Shape{2}, []() -> Result<GgufWriter::Bytes> { return invalid("[test] no bytes"); });
  EXPECT_EQ(w.write(dir / "x.gguf").error().message(), "[test] no bytes");
  GgufWriter twice;
  twice.add_number("k", 1);
  twice.add_number("k", 2);
  EXPECT_FALSE(twice.write(dir / "x.gguf"));
  GgufWriter no_type;
  no_type.add_tensor("a", DType::kU8, Shape{2}, {});
  EXPECT_FALSE(no_type.write(dir / "x.gguf"));
  EXPECT_EQ(GgufWriter().write(dir / "none/x.gguf").error().code(), Code::kNotFound);
  EXPECT_EQ(read_bytes(dir / "x.gguf").size(), 3u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

// A limit on the size of files stands for the full disk; it holds for the whole process, which ends here.
[[noreturn]] void write_past_a_limit_and_exit(const GgufWriter& writer, const std::string& path) {
  const rlimit limit{1 << 16, 1 << 16};
  ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const auto result = writer.write(path);
  std::_Exit(!result && result.error().code() == Code::kResourceExhausted ? 7 : 1);
}

TEST(GgufWriter, reports_a_full_disk_and_leaves_no_partial_file) {
  TempFolder dir;
  const std::vector<std::byte> big(1 << 20);
  GgufWriter w;
  w.add_tensor("a", TensorView{DType::kI8, {1 << 20}, big.data()});
  EXPECT_EXIT(write_past_a_limit_and_exit(w, dir / "x.gguf"), testing::ExitedWithCode(7), "");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace ingot
