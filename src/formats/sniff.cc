#include "formats/sniff.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/limits.h"

namespace ingot {
namespace {

using namespace std::string_view_literals;

struct Magic {
  size_t offset;
  std::string_view bytes;
  std::string_view description;
  std::string_view fix;
};

constexpr auto kConvertGguf = "convert the original model to GGUF again with a current converter"sv;
constexpr auto kUnpack = "unpack it first"sv;
constexpr auto kNeedGraph = "give a .gguf file or a folder with config.json and .safetensors files"sv;
constexpr auto kPickle = "pickles can run code and are not read: convert the weights to .safetensors"sv;

constexpr Magic kMagics[] = {
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself"sv,
     "fetch the real file with `git lfs pull`, or download it again"sv},
    {0, "PK\x03\x04"sv, "a zip archive, as PyTorch writes for .bin and .pt"sv, kPickle},
    {0, "\x80\x02"sv, "a Python pickle (an old PyTorch .bin)"sv, kPickle},
    {0, "\x80\x03"sv, "a Python pickle"sv, kPickle},
    {0, "\x80\x04"sv, "a Python pickle"sv, kPickle},
    {0, "\x80\x05"sv, "a Python pickle"sv, kPickle},
    {0, "lmgg"sv, "a GGML file from before GGUF"sv, kConvertGguf},
    {0, "fmgg"sv, "a GGMF file from before GGUF"sv, kConvertGguf},
    {0, "tjgg"sv, "a GGJT file from before GGUF"sv, kConvertGguf},
    {0, "algg"sv, "a GGLA adapter from before GGUF"sv, kConvertGguf},
    {0, "FUGG"sv, "a big-endian GGUF file"sv,
     "convert it to little endian (gguf-convert-endian of the gguf package)"sv},
    {0, "\x89HDF\r\n"sv, "an HDF5 file (Keras)"sv, "convert the weights to .safetensors"sv},
    {4, "TFL3"sv, "a TensorFlow Lite model"sv, kNeedGraph},
    {0, "\x93NUMPY"sv, "a NumPy array"sv, kNeedGraph},
    {0, "\x1f\x8b"sv, "a gzip archive"sv, kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd archive"sv, kUnpack},
    {0, "\xfd\x37zXZ"sv, "an xz archive"sv, kUnpack},
    {0, "BZh"sv, "a bzip2 archive"sv, kUnpack},
    {0, "7z\xbc\xaf"sv, "a 7z archive"sv, kUnpack},
    {257, "ustar"sv, "a tar archive"sv, kUnpack},
    {0, "\x7f\x45LF"sv, "a program (ELF)"sv, kNeedGraph},
};

// ModelProto: field 1 (ir_version, a small varint), then a string field or the opset imports.
bool looks_like_onnx(std::string_view s) {
  if (s.size() < 4 || s[0] != 0x08 || s[1] < 1 || s[1] > 30) return false;
  const auto tag = static_cast<uint8_t>(s[2]);
  return tag == 0x12 || tag == 0x1A || tag == 0x22 || tag == 0x2A || tag == 0x32 || tag == 0x3A || tag == 0x42;
}

bool looks_like_safetensors(std::string_view s) {
  uint64_t header_bytes = 0;
  if (s.size() < 9) return false;
  std::memcpy(&header_bytes, s.data(), 8);
  return s[8] == '{' && header_bytes <= limits::kSafetensorsHeaderBytesMax;
}

bool looks_like_html(std::string_view s) {
  const size_t start = s.find_first_not_of(" \t\r\n");
  if (start == s.npos) return false;
  std::string head(s.substr(start, 16));
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  return head.starts_with("<!doctype html") || head.starts_with("<html") || head.starts_with("<head");
}

}  // namespace

FileGuess guess_file(std::span<const std::byte> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 512));
  if (head.starts_with("GGUF")) return {FileKind::kGguf, "a GGUF file", ""};
  for (const Magic& m : kMagics)
    if (head.size() >= m.offset + m.bytes.size() && head.substr(m.offset, m.bytes.size()) == m.bytes)
      return {FileKind::kOther, m.description, m.fix};
  if (looks_like_safetensors(head)) return {FileKind::kSafetensors, "a safetensors file", ""};
  if (looks_like_html(head))
    return {FileKind::kOther, "a web page (an HTML error or login page saved under this name)",
            "download the file itself, with a token if the model is gated"};
  if (looks_like_onnx(head)) return {FileKind::kOnnx, "an ONNX model", "run it with `ingot infer`"};
  const size_t text = head.find_first_not_of(" \t\r\n");
  if (text != head.npos && (head[text] == '{' || head[text] == '['))
    return {FileKind::kOther, "a JSON text", "give the folder that holds it, or the weights"};
  if (std::all_of(head.begin(), head.end(), [](char c) { return c == 0; }))
    return {FileKind::kOther, "zeros only (a download that never finished)", "download it again"};
  return {FileKind::kOther, kNothingKnown, kNeedGraph};
}

}  // namespace ingot
