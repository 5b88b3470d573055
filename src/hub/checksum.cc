// See checksum.h.
#include "hub/checksum.h"

#include <openssl/evp.h>

#include "base/status.h"

namespace ingot::hub {

struct Checksum::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Checksum::Checksum(int64_t git_bytes) : state_(std::make_unique<State>()) {
  INGOT_CHECK(EVP_DigestInit_ex(state_->context, git_bytes >= 0 ? EVP_sha1() : EVP_sha256(), nullptr) == 1);
  if (git_bytes >= 0) {
    const std::string header = fmt::format("blob {}", git_bytes);
    add({header.c_str(), header.size() + 1});
  }
}

Checksum::~Checksum() = default;

void Checksum::add(std::span<const char> bytes) {
  INGOT_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

std::string Checksum::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  INGOT_CHECK(EVP_DigestFinal_ex(state_->context, digest, &size) == 1);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace ingot::hub
