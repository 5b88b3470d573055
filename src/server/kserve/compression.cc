#include "server/kserve/compression.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "formats/printable.h"

namespace ingot::kserve {
namespace {

constexpr int kZlibWindow = 15, kGzipWindow = 15 + 16;

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// "gzip;q=0.5" -> 0.5
double weight(std::string_view entry) {
  const size_t at = entry.find("q=");
  double q = 1;
  if (at != std::string_view::npos) std::from_chars(entry.data() + at + 2, entry.data() + entry.size(), q);
  return q;
}

// The encoding with the greatest weight; the first of equal ones; "" for plain bytes.
std::string_view preferred(std::string_view accepted) {
  std::string_view best;
  double greatest = 0;
  while (!accepted.empty()) {
    const size_t comma = std::min(accepted.find(','), accepted.size());
    const std::string_view entry = trimmed(accepted.substr(0, comma));
    accepted.remove_prefix(std::min(comma + 1, accepted.size()));
    const std::string_view name = trimmed(entry.substr(0, entry.find(';')));
    if ((name == "gzip" || name == "deflate" || name == "identity") && weight(entry) > greatest) {
      greatest = weight(entry);
      best = name;
    }
  }
  return best == "identity" ? std::string_view() : best;
}

class Deflater {
 public:
  explicit Deflater(int window) { ok_ = deflateInit2(&z_, 1, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK; }
  ~Deflater() {
    if (ok_) deflateEnd(&z_);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  bool ok() const { return ok_; }

  void add(std::string_view bytes, bool last, std::string& out) {
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    z_.avail_in = static_cast<uInt>(bytes.size());
    std::array<char, 65536> piece;
    do {
      z_.next_out = reinterpret_cast<Bytef*>(piece.data());
      z_.avail_out = piece.size();
      deflate(&z_, last ? Z_FINISH : Z_NO_FLUSH);
      out.append(piece.data(), piece.size() - z_.avail_out);
    } while (z_.avail_out == 0);
  }

 private:
  z_stream z_{};
  bool ok_ = false;
};

}  // namespace

Result<std::string> decompress(std::string_view body, std::string_view encoding, size_t bytes_max) {
  if (encoding != "gzip" && encoding != "deflate")
    return unimplemented("[kserve] Unsupported compression type '{}'", printable(encoding));
  z_stream z{};
  if (inflateInit2(&z, encoding == "gzip" ? kGzipWindow : kZlibWindow) != Z_OK)
    return error(Code::kInternal, "[kserve] zlib does not start");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&z, inflateEnd);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  z.avail_in = static_cast<uInt>(body.size());
  std::string out;
  std::array<char, 65536> piece;
  for (int state = Z_OK; state != Z_STREAM_END;) {
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = piece.size();
    state = inflate(&z, Z_NO_FLUSH);
    if ((state != Z_OK && state != Z_STREAM_END) || (z.avail_in == 0 && z.avail_out != 0 && state != Z_STREAM_END))
      return invalid("[kserve] the body is not a whole {} stream", encoding);
    out.append(piece.data(), piece.size() - z.avail_out);
    if (out.size() > bytes_max) return invalid("[kserve] the body passes {} bytes when decompressed", bytes_max);
  }
  return out;
}

void compress(http::Response& response, std::string_view accepted) {
  const std::string_view encoding = preferred(accepted);
  if (encoding.empty()) return;
  Deflater deflater(encoding == "gzip" ? kGzipWindow : kZlibWindow);
  if (!deflater.ok()) return;
  std::string out;
  deflater.add(response.body, response.parts.empty(), out);
  for (size_t i = 0; i < response.parts.size(); ++i) {
    const auto bytes = response.parts[i].bytes;
    deflater.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, i + 1 == response.parts.size(), out);
  }
  response.body = std::move(out);
  response.parts.clear();
  response.headers.emplace_back("Content-Encoding", encoding);
}

}  // namespace ingot::kserve
