// References, file choice, cache: all that needs no network. The network: tests/hub/test_pull.py.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "hub/cache.h"
#include "hub/checksum.h"
#include "hub/http.h"
#include "hub/reference.h"
#include "hub/repository.h"

namespace ingot::hub {
namespace {

namespace fs = std::filesystem;

ModelRef ref(std::string_view text) {
  auto r = parse_reference(text);
  EXPECT_TRUE(r) << r.error().message();
  return r ? *r : ModelRef{};
}

Repository repository(const std::vector<std::string>& paths) {
  Repository out{std::string(40, 'a'), {}};
  for (const std::string& p : paths) out.files.push_back({p, 10, "", ""});
  return out;
}

std::vector<std::string> paths(const Selection& s) {
  std::vector<std::string> out;
  for (const RemoteFile& f : s.files) out.push_back(f.path);
  return out;
}

std::string refusal(const Repository& r, std::string_view reference) {
  const auto s = choose_files(r, ref(reference));
  return s ? "" : s.error().message();
}

using Paths = std::vector<std::string>;

TEST(reference, each_form_is_understood) {
  EXPECT_EQ(ref("model.gguf").kind, ModelRef::Kind::kPath);
  EXPECT_EQ(ref("./hf:x").kind, ModelRef::Kind::kPath);
  EXPECT_EQ(ref("https://host/a/b.gguf?x=1").kind, ModelRef::Kind::kUrl);
  const ModelRef plain = ref("hf:org/repo");
  EXPECT_EQ(plain.repo, "org/repo");
  EXPECT_EQ(plain.quant, "");
  EXPECT_EQ(plain.revision, "main");
  const ModelRef full = ref("hf:Org/Repo-1.5:Q4_K_M@refs/pr/3");
  EXPECT_EQ(full.repo, "Org/Repo-1.5");
  EXPECT_EQ(full.quant, "Q4_K_M");
  EXPECT_EQ(full.revision, "refs/pr/3");
  EXPECT_EQ(ref("hf:gpt2").repo, "gpt2");
}

TEST(reference, bad_ones_are_refused_with_the_form) {
  for (const char* bad : {"", "hf:", "hf:/x", "hf:a/b/c", "hf:a/..", "hf:../b", "hf:a/b:", "hf:a/b@", "hf:a b/c",
                          "hf:a/b:Q4/x", "hf:a/b@../x", "hf:-a/b", "https://", "https://host", "https:///x",
                          "https://user:pw@host/x.gguf", "https://host/a b"}) {
    EXPECT_FALSE(parse_reference(bad)) << bad;
  }
  EXPECT_NE(parse_reference("hf:a/b/c").error().message().find("write hf:org/repo"), std::string::npos);
}

TEST(reference, file_names_stay_inside_the_folder) {
  for (const char* good : {"a.gguf", "onnx/model.onnx", "a..b", "Q4_K_M/x-00001-of-00002.gguf"}) {
    EXPECT_TRUE(is_safe_file_name(good)) << good;
  }
  for (const char* bad : {"", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "..", "a\\b", "C:x", "a\nb",
                          ".ingot.json", "x/.ingot.json", "a.part"}) {
    EXPECT_FALSE(is_safe_file_name(bad)) << bad;
  }
  EXPECT_FALSE(is_safe_file_name(std::string(5000, 'a')));
}

TEST(repository, the_hubs_description_is_read) {
  const std::string sum(64, 'b');
  const auto r =
      parse_repository(R"({"sha":")" + std::string(40, 'c') + R"(","siblings":[
    {"rfilename":"config.json","size":12,"blobId":")" +
                       std::string(40, 'd') + R"("},
    {"rfilename":"m.gguf","size":99,"blobId":")" +
                       std::string(40, 'e') + R"(","lfs":{"sha256":")" + sum + R"(","size":99,"pointerSize":1}}]})");
  ASSERT_TRUE(r) << r.error().message();
  EXPECT_EQ(r->commit, std::string(40, 'c'));
  ASSERT_EQ(r->files.size(), 2u);
  EXPECT_EQ(r->files[0].git_oid, std::string(40, 'd'));
  EXPECT_EQ(r->files[1].sha256, sum);
  EXPECT_EQ(r->files[1].git_oid, "");
  EXPECT_EQ(r->files[1].bytes, 99);
}

TEST(repository, answers_that_are_not_the_hubs_are_refused) {
  const std::string head = R"({"sha":")" + std::string(40, 'c') + R"(","siblings":)";
  for (const std::string& bad :
       {std::string(""), std::string("<html>"), std::string("[]"), std::string("{}"), std::string(R"({"siblings":[]})"),
        head + "[3]}", head + R"([{"rfilename":7}]})", head + R"([{"rfilename":"../../x"}]})",
        head + R"([{"rfilename":"/x"}]})", head + std::string(100, '[') + std::string(100, ']') + "}"}) {
    EXPECT_FALSE(parse_repository(bad)) << bad;
  }
  EXPECT_NE(parse_repository(head + R"([{"rfilename":"../x"}]})").error().message().find("outside"), std::string::npos);
}

TEST(choose, the_quant_that_is_asked_for) {
  const Repository r = repository({"m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-UD-Q4_K_M.gguf", "m-Q8_0.gguf",
                                   "mmproj-Q4_K_M.gguf", "README.md", "m.IQ4_XS.gguf"});
  EXPECT_EQ(paths(*choose_files(r, ref("hf:a/b:q4_k_m"))), Paths{"m-Q4_K_M.gguf"});
  EXPECT_EQ(paths(*choose_files(r, ref("hf:a/b:UD-Q4_K_M"))), Paths{"m-UD-Q4_K_M.gguf"});
  EXPECT_EQ(paths(*choose_files(r, ref("hf:a/b:IQ4_XS"))), Paths{"m.IQ4_XS.gguf"});
  EXPECT_EQ(paths(*choose_files(r, ref("hf:a/b"))), Paths{"m-Q4_K_M.gguf"});
  EXPECT_EQ(choose_files(r, ref("hf:a/b:Q8_0"))->label, "Q8_0");
  EXPECT_EQ(refusal(r, "hf:a/b:Q4_K"),
            "[hub] 'hf:a/b:Q4_K': no file of quantization 'Q4_K'; there are: IQ4_XS, Q4_K_M, Q4_K_S, "
            "Q8_0, UD-Q4_K_M");
}

TEST(choose, all_parts_of_a_split_file) {
  const Repository r = repository({"Q8_0/m-Q8_0-00002-of-00003.gguf", "Q8_0/m-Q8_0-00001-of-00003.gguf",
                                   "Q8_0/m-Q8_0-00003-of-00003.gguf", "m-BF16-00001-of-00002.gguf"});
  const auto s = choose_files(r, ref("hf:a/b"));
  ASSERT_TRUE(s);
  EXPECT_EQ(s->entry, "Q8_0/m-Q8_0-00001-of-00003.gguf");
  EXPECT_EQ(s->files.size(), 3u);
  EXPECT_NE(refusal(r, "hf:a/b:BF16").find("1 of its 2 parts"), std::string::npos);
}

TEST(choose, safetensors_with_configuration_and_tokenizer) {
  const Repository r = repository({"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                   "model.safetensors.index.json", "config.json", "tokenizer.json",
                                   "consolidated.safetensors", "pytorch_model.bin", "README.md", "onnx/model.onnx"});
  const auto s = choose_files(r, ref("hf:a/b"));
  ASSERT_TRUE(s);
  EXPECT_EQ(s->entry, "");
  EXPECT_EQ(paths(*s), (Paths{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                              "model.safetensors.index.json", "config.json", "tokenizer.json"}));
  EXPECT_NE(refusal(r, "hf:a/b:Q4_0").find("leave ':Q4_0' away"), std::string::npos);
  EXPECT_EQ(choose_files(repository({"onnx/model.onnx", "onnx/model.onnx_data"}), ref("hf:a/b"))->entry,
            "onnx/model.onnx");
  EXPECT_NE(refusal(repository({"README.md"}), "hf:a/b").find("none of the repository's 1 files"), std::string::npos);
}

TEST(choose, a_quant_is_read_from_the_name) {
  EXPECT_EQ(quant_of_name("dir/gemma-3-270m-it-Q4_K_M.gguf"), "Q4_K_M");
  EXPECT_EQ(quant_of_name("x.q8_0.gguf"), "Q8_0");
  EXPECT_EQ(quant_of_name("x-IQ2_XXS.gguf"), "IQ2_XXS");
  EXPECT_EQ(quant_of_name("x-UD-Q2_K_XL.gguf"), "UD-Q2_K_XL");
  EXPECT_EQ(quant_of_name("gpt-oss-20b-mxfp4.gguf"), "MXFP4");
  EXPECT_EQ(quant_of_name("x-bf16.gguf"), "BF16");
  EXPECT_EQ(quant_of_name("model.gguf"), "");
}

TEST(checksum, equals_published_values) {
  Checksum sha;
  sha.add(std::span("abc", 3));
  EXPECT_EQ(sha.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Checksum git(6);  // echo hello | git hash-object --stdin
  git.add(std::span("hello\n", 6));
  EXPECT_EQ(git.hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(origin, is_scheme_host_and_port) {
  EXPECT_EQ(origin_of("https://Hub.co/a?b"), "https://hub.co");
  EXPECT_EQ(origin_of("https://hub.co:443/a"), "https://hub.co");
  EXPECT_EQ(origin_of("http://127.0.0.1:8000"), "http://127.0.0.1:8000");
  EXPECT_NE(origin_of("http://hub.co/"), origin_of("https://hub.co/"));
  EXPECT_NE(origin_of("https://hub.co/"), origin_of("https://hub.co.evil.com/"));
  EXPECT_EQ(origin_of("https://hub.co@evil.com/"), "https://evil.com");
}

class CacheTest : public testing::Test {
 protected:
  CacheTest() : root_(fs::temp_directory_path() / ("ingot_hub_test_" + std::to_string(::getpid()))), cache_(root_) {}
  ~CacheTest() override { fs::remove_all(root_); }

  void add(std::string_view reference, const std::vector<std::string>& files) {
    const ModelRef r = ref(reference);
    Entry entry{canonical(r), "X", std::string(40, 'a'), files.front(), {}};
    for (const std::string& f : files) {
      fs::create_directories((cache_.folder(r) / f).parent_path());
      std::ofstream(cache_.folder(r) / f) << "12345";
      entry.files.push_back({f, 5, ""});
    }
    ASSERT_TRUE(cache_.put(r, entry));
  }

  fs::path root_;
  ModelCache cache_;
};

TEST_F(CacheTest, what_was_put_is_found_and_listed) {
  EXPECT_FALSE(cache_.find(ref("hf:a/b")));
  add("hf:a/b:q8_0", {"m-Q8_0.gguf"});
  add("hf:a/b@refs/pr/1", {"x/y.gguf"});
  EXPECT_TRUE(cache_.find(ref("hf:a/b:Q8_0")));
  EXPECT_FALSE(cache_.find(ref("hf:a/b")));
  EXPECT_EQ(cache_.find(ref("hf:a/b@refs/pr/1"))->path(), root_ / "hf/a/b/refs%2Fpr%2F1/x/y.gguf");
  ASSERT_EQ(cache_.list().size(), 2u);
  EXPECT_EQ(cache_.list()[0].entry.reference, "hf:a/b:Q8_0");
}

TEST_F(CacheTest, a_model_with_a_missing_or_short_file_is_not_there) {
  add("hf:a/b", {"m.gguf"});
  std::ofstream(root_ / "hf/a/b/main/m.gguf") << "1";
  EXPECT_FALSE(cache_.find(ref("hf:a/b")));
  EXPECT_TRUE(cache_.list().empty());
}

TEST_F(CacheTest, a_broken_manifest_is_as_none) {
  add("hf:a/b", {"m.gguf"});
  for (const char* text :
       {"", "{", "[]", R"({"models":[{"reference":"hf:a/b","files":[{"path":"../x","bytes":1}]}]})"}) {
    std::ofstream(root_ / "hf/a/b/main/.ingot.json") << text;
    EXPECT_FALSE(cache_.find(ref("hf:a/b"))) << text;
  }
}

TEST_F(CacheTest, removing_keeps_files_that_another_model_needs) {
  add("hf:a/b:Q8_0", {"m.gguf", "shared.json"});
  add("hf:a/b", {"n.gguf", "shared.json"});
  EXPECT_EQ(*cache_.remove(ref("hf:a/b:q8_0")), 5);
  EXPECT_TRUE(fs::exists(root_ / "hf/a/b/main/shared.json"));
  EXPECT_TRUE(cache_.find(ref("hf:a/b")));
  EXPECT_FALSE(cache_.remove(ref("hf:a/b:q8_0")));
  EXPECT_EQ(*cache_.remove(ref("hf:a/b")), 10);
  EXPECT_FALSE(fs::exists(root_ / "hf"));
}

TEST(cache, its_place_follows_the_environment) {
  const auto set = [](const char* name, const char* value) {
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  };
  const std::string home = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "";
  set("INGOT_CACHE", "/x/y");
  EXPECT_EQ(ModelCache::from_environment()->root(), "/x/y");
  set("INGOT_CACHE", nullptr);
  set("XDG_CACHE_HOME", "/xdg");
  EXPECT_EQ(ModelCache::from_environment()->root(), "/xdg/ingot");
  set("XDG_CACHE_HOME", nullptr);
  set("HOME", "/home/u");
  EXPECT_EQ(ModelCache::from_environment()->root(), "/home/u/.cache/ingot");
  set("HOME", nullptr);
  EXPECT_FALSE(ModelCache::from_environment());
  set("HOME", home.c_str());
}

}  // namespace
}  // namespace ingot::hub
