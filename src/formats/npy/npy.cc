#include "formats/npy/npy.h"

#include <charconv>
#include <cstring>
#include <optional>

#include "base/mapped_file.h"
#include "base/partial_file.h"

namespace ingot {
namespace {

constexpr size_t kHeaderBytesMax = 65536;
constexpr size_t kPreamble = 10;  // magic, version, two bytes of length

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr TypeName kTypes[] = {{"f4", DType::kF32}, {"f8", DType::kF64},  {"f2", DType::kF16}, {"i8", DType::kI64},
                               {"i4", DType::kI32}, {"i2", DType::kI16},  {"i1", DType::kI8},  {"u8", DType::kU64},
                               {"u4", DType::kU32}, {"u2", DType::kU16},  {"u1", DType::kU8},  {"b1", DType::kBool},
                               {"c8", DType::kC64}, {"c16", DType::kC128}};

// The text after 'key': in the header's dictionary; nullopt if the key is absent.
std::optional<std::string_view> field(std::string_view header, std::string_view key) {
  const std::string quoted = fmt::format("'{}'", key);
  size_t at = header.find(quoted);
  if (at == header.npos) return std::nullopt;
  at = header.find(':', at + quoted.size());
  if (at == header.npos) return std::nullopt;
  at = header.find_first_not_of(' ', at + 1);
  return at == header.npos ? std::nullopt : std::optional(header.substr(at));
}

Result<Shape> parse_shape(std::string_view text) {
  Shape shape;
  int64_t total = 1;
  if (!text.starts_with('(')) return invalid("[npy] the shape is not a tuple");
  for (text.remove_prefix(1);;) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
    if (text.starts_with(')')) return shape;
    int64_t d = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), d);
    if (ec != std::errc() || d < 0) return invalid("[npy] the shape holds no number at '{}'", text.substr(0, 20));
    if (shape.rank() == limits::kRankMax) return invalid("[npy] rank over the limit {}", limits::kRankMax);
    if (__builtin_mul_overflow(total, d ? d : 1, &total) || total > limits::kTensorElementsMax)
      return invalid("[npy] the shape has too many elements");
    shape.push_back(d);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
  }
}

// Column-major elements into row-major order.
void transpose_from_fortran(const std::byte* from, Tensor& to) {
  const Shape& s = to.shape();
  const size_t size = static_cast<size_t>(dtype_info(to.dtype()).block_bytes);
  for (int64_t i = 0; i < s.num_elements(); ++i) {
    int64_t rest = i, at = 0, stride = 1;
    int64_t index[limits::kRankMax];
    for (int d = s.rank() - 1; d >= 0; --d, rest /= s[d + 1]) index[d] = rest % s[d];
    for (int d = 0; d < s.rank(); ++d) {
      at += index[d] * stride;
      stride *= s[d];
    }
    std::memcpy(to.mutable_as<std::byte>() + static_cast<size_t>(i) * size, from + static_cast<size_t>(at) * size,
                size);
  }
}

}  // namespace

Result<Tensor> parse_npy(std::span<const std::byte> bytes) {
  const char* p = reinterpret_cast<const char*>(bytes.data());
  if (bytes.size() < kPreamble || std::memcmp(p, "\x93NUMPY", 6) != 0)
    return invalid("[npy] the file does not start with NumPy's magic");
  const int version = static_cast<unsigned char>(p[6]);
  if (version < 1 || version > 3) return invalid("[npy] version {} is not 1 to 3", version);
  const size_t begin = version == 1 ? kPreamble : kPreamble + 2;
  if (bytes.size() < begin) return error(Code::kDataLoss, "[npy] the file ends in its header");
  size_t length = 0;
  for (size_t i = begin - 1; i >= 8; --i) length = length << 8 | static_cast<unsigned char>(p[i]);
  if (length > kHeaderBytesMax || length > bytes.size() - begin)
    return error(Code::kDataLoss, "[npy] a header of {} bytes in a file of {}", length, bytes.size());
  const std::string_view header(p + begin, length);
  const auto descr = field(header, "descr"), order = field(header, "fortran_order"), dims = field(header, "shape");
  if (!descr || !order || !dims) return invalid("[npy] the header lacks descr, fortran_order or shape");
  if (descr->size() < 4 || (*descr)[0] != '\'' || !std::string_view("<|=").contains((*descr)[1]))
    return invalid("[npy] type {} is not a little endian number type", descr->substr(0, 12));
  const std::string_view name = descr->substr(2, std::min(descr->find('\'', 1), descr->size()) - 2);
  const TypeName* type = nullptr;
  for (const TypeName& t : kTypes)
    if (t.name == name) type = &t;
  if (!type) return invalid("[npy] type '{}' is not supported", name.substr(0, 12));
  const Shape shape = INGOT_TRY(parse_shape(*dims));
  const size_t want = TensorView{type->dtype, shape, nullptr}.num_bytes(), have = bytes.size() - begin - length;
  if (want != have)
    return error(Code::kDataLoss, "[npy] {}{} needs {} bytes, the file has {}", name, shape.to_string(), want, have);
  Tensor out = Tensor::allocate(type->dtype, shape);
  const std::byte* data = bytes.data() + begin + length;
  if (order->starts_with("True"))
    transpose_from_fortran(data, out);
  else if (want)
    std::memcpy(out.mutable_view().data, data, want);
  return out;
}

Result<Tensor> read_npy(const std::string& path) {
  const auto file = INGOT_TRY(MappedFile::open(path));
  auto tensor = parse_npy(file->bytes());
  if (!tensor) return std::unexpected(tensor.error().with_context(path));
  return tensor;
}

namespace {

Result<std::string> header_of(const TensorView& t) {
  std::string name;
  for (const TypeName& type : kTypes)
    if (type.dtype == t.dtype) name = type.name;
  const DTypeInfo& info = dtype_info(t.dtype);
  if (name.empty() && info.block_elements == 1 && info.block_bytes <= 2) name = fmt::format("u{}", info.block_bytes);
  if (name.empty()) return unimplemented("[npy] {} tensors cannot be written", dtype_name(t.dtype));
  std::string dims;
  for (int64_t d : t.shape) dims += fmt::format("{}, ", d);
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 info.block_bytes == 1 ? '|' : '<', name, dims);
  text.append(63 - (kPreamble + text.size()) % 64, ' ');
  return text + '\n';
}

}  // namespace

Result<void> write_npy(const std::string& path, const TensorView& t) {
  const std::string header = INGOT_TRY(header_of(t));
  const char preamble[kPreamble] = {'\x93',
                                    'N',
                                    'U',
                                    'M',
                                    'P',
                                    'Y',
                                    1,
                                    0,
                                    static_cast<char>(header.size() & 0xff),
                                    static_cast<char>(header.size() >> 8)};
  PartialFile file("npy", path);
  INGOT_TRY(file.open());
  INGOT_TRY(file.write(std::as_bytes(std::span(preamble))));
  INGOT_TRY(file.write(std::as_bytes(std::span(header))));
  INGOT_TRY(file.write({static_cast<const std::byte*>(t.data), t.num_bytes()}));
  return file.commit();
}

}  // namespace ingot
