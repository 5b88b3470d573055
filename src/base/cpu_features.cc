#include "base/cpu_features.h"

#include <array>
#include <atomic>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ingot {
namespace {

constexpr std::array<std::string_view, 8> kNames = {"baseline", "avx2", "avx512",       "avx512-bf16",
                                                    "amx",      "neon", "neon-dotprod", "neon-i8mm"};

#if defined(__x86_64__)
// Linux hands out the AMX tile state only on request (arch_prctl ARCH_REQ_XCOMP_PERM, XTILEDATA = 18).
bool request_amx() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

bool has_avx512_bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 5));
}

bool has_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool bf16 = d & (1u << 22), tile = d & (1u << 24), int8 = d & (1u << 25);
  return bf16 && tile && int8 && request_amx();
}

Isa detect() {
  __builtin_cpu_init();
  if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")))
    return Isa::kBaseline;
  if (!(__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")))
    return Isa::kAvx2;
  if (!has_avx512_bf16()) return Isa::kAvx512;
  return has_amx() ? Isa::kAmx : Isa::kAvx512Bf16;
}
#elif defined(__aarch64__) && defined(__linux__)
Isa detect() {
  if (!(getauxval(AT_HWCAP) & HWCAP_ASIMDDP)) return Isa::kNeon;
  return getauxval(AT_HWCAP2) & HWCAP2_I8MM ? Isa::kNeonI8mm : Isa::kNeonDotprod;
}
#elif defined(__aarch64__)
Isa detect() { return Isa::kNeon; }
#else
Isa detect() { return Isa::kBaseline; }
#endif

std::atomic<int> forced{-1};

}  // namespace

std::string_view isa_name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

std::optional<Isa> isa_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Isa>(i);
  return std::nullopt;
}

Isa detected_isa() {
  static const Isa isa = detect();
  return isa;
}

Isa current_isa() {
  const int f = forced.load(std::memory_order_relaxed);
  return f < 0 ? detected_isa() : static_cast<Isa>(f);
}

std::vector<Isa> compiled_isas() {
#if defined(__x86_64__)
  return {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx};
#elif defined(__aarch64__)
  return {Isa::kBaseline, Isa::kNeon, Isa::kNeonDotprod, Isa::kNeonI8mm};
#else
  return {Isa::kBaseline};
#endif
}

std::vector<Isa> available_isas() {
  std::vector<Isa> out;
  for (Isa isa : compiled_isas())
    if (isa_includes(detected_isa(), isa)) out.push_back(isa);
  return out;
}

bool set_isa(Isa isa) {
  if (!isa_includes(detected_isa(), isa)) return false;
  forced.store(static_cast<int>(isa), std::memory_order_relaxed);
  return true;
}

}  // namespace ingot
