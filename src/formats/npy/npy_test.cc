#include "formats/npy/npy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "formats/test_files.h"

namespace ingot {
namespace {

std::string file(std::string header, const std::string& data) {
  header += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size());
  out += '\0';
  return out + header + data;
}

Result<Tensor> parse(const std::string& bytes) { return parse_npy(std::as_bytes(std::span(bytes))); }

TEST(Npy, reads_what_it_wrote) {
  Tensor t = Tensor::allocate(DType::kF32, Shape{2, 3});
  for (int i = 0; i < 6; ++i) t.mutable_as<float>()[i] = static_cast<float>(i);
  const std::string path = (std::filesystem::temp_directory_path() / "ingot_npy_test.npy").string();
  ASSERT_TRUE(write_npy(path, t));
  auto back = read_npy(path);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->shape(), t.shape());
  EXPECT_EQ(std::memcmp(back->as<float>(), t.as<float>(), 24), 0);
  std::filesystem::remove(path);
}

TEST(Npy, does_not_write_through_a_link_beside_the_file) {
  std::string name = (std::filesystem::temp_directory_path() / "ingot-npy-XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(name.data());
  std::filesystem::create_symlink(folder / "victim", folder / "x.npy.part");
  ASSERT_TRUE(write_npy((folder / "x.npy").string(), Tensor::allocate(DType::kF32, Shape{2})));
  EXPECT_FALSE(std::filesystem::exists(folder / "victim"));
  std::filesystem::remove_all(folder);
}

TEST(Npy, turns_fortran_order_around) {
  auto t = parse(file("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", std::string("\0\3\1\4\2\5", 6)));
  ASSERT_TRUE(t) << t.error().message();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(t->as<uint8_t>()[i], i);
}

TEST(Npy, refuses_what_does_not_fit) {
  EXPECT_FALSE(parse("PK"));
  EXPECT_FALSE(parse(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "1234")));
  EXPECT_FALSE(parse(file("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "1234")));
  EXPECT_FALSE(parse(file("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "1234")));
  EXPECT_FALSE(parse(file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "")));
}

TEST(Npy, survives_damage_at_1000_places) {
  const std::string whole = file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", std::string(16, 'x'));
  for_each_damage(whole, 3, [](const std::string& bytes) { (void)parse(bytes); });
}

}  // namespace
}  // namespace ingot
