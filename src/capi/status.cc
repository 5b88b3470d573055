// Statuses, texts, element types and versions of the C interface.
#include "capi/objects.h"

namespace ingot::capi {
namespace {

constexpr std::pair<ingot_dtype, DType> kTypes[] = {
    {INGOT_FLOAT32, DType::kF32},
    {INGOT_UINT8, DType::kU8},
    {INGOT_INT8, DType::kI8},
    {INGOT_UINT16, DType::kU16},
    {INGOT_INT16, DType::kI16},
    {INGOT_INT32, DType::kI32},
    {INGOT_INT64, DType::kI64},
    {INGOT_STRING, DType::kString},
    {INGOT_BOOL, DType::kBool},
    {INGOT_FLOAT16, DType::kF16},
    {INGOT_FLOAT64, DType::kF64},
    {INGOT_UINT32, DType::kU32},
    {INGOT_UINT64, DType::kU64},
    {INGOT_COMPLEX64, DType::kC64},
    {INGOT_COMPLEX128, DType::kC128},
    {INGOT_BFLOAT16, DType::kBF16},
    {INGOT_FLOAT8E4M3FN, DType::kF8E4M3FN},
    {INGOT_FLOAT8E4M3FNUZ, DType::kF8E4M3FNUZ},
    {INGOT_FLOAT8E5M2, DType::kF8E5M2},
    {INGOT_FLOAT8E5M2FNUZ, DType::kF8E5M2FNUZ},
    {INGOT_UINT4, DType::kU4},
    {INGOT_INT4, DType::kI4},
    {INGOT_FLOAT4E2M1, DType::kF4E2M1},
    {INGOT_FLOAT8E8M0, DType::kF8E8M0},
    {INGOT_UINT2, DType::kU2},
    {INGOT_INT2, DType::kI2},
};

}  // namespace

std::optional<DType> dtype_of(ingot_dtype dtype) {
  for (const auto& [number, type] : kTypes)
    if (number == dtype) return type;
  return std::nullopt;
}

ingot_dtype dtype_number(DType dtype) {
  for (const auto& [number, type] : kTypes)
    if (type == dtype) return number;
  return 0;
}

ingot_value_kind kind_of(DType dtype) {
  return dtype == DType::kSequence   ? INGOT_SEQUENCE
         : dtype == DType::kMap      ? INGOT_MAP
         : dtype == DType::kOptional ? INGOT_OPTIONAL
                                     : INGOT_TENSOR;
}

ingot_status* status_handle(Result<void> result) {
  if (result) return nullptr;
  return make_handle<ingot_status>(std::make_shared<Status>(std::move(result).error()));
}

}  // namespace ingot::capi

using namespace ingot::capi;  // NOLINT(google-build-using-namespace): this file is their C side

uint32_t ingot_abi_version(void) { return INGOT_ABI_VERSION; }
const char* ingot_version(void) { return INGOT_VERSION; }

ingot_code ingot_status_code(const ingot_status* status) {
  if (!status) return INGOT_OK;
  if (status == kOutOfMemory) return INGOT_RESOURCE_EXHAUSTED;
  const auto object = find_object(status);
  return object ? static_cast<ingot_code>(object->code()) : INGOT_INVALID_ARGUMENT;
}

const char* ingot_status_message(const ingot_status* status) {
  if (!status) return "";
  if (status == kOutOfMemory) return "[capi] memory ran out";
  const auto object = find_object(status);
  return object ? object->message().c_str() : "[capi] this status was released, or is none";
}

void ingot_status_release(ingot_status* status) { release_handle(status); }

const char* ingot_code_name(ingot_code code) {
  if (code == INGOT_OK) return "OK";
  if (code < INGOT_CANCELLED || code > INGOT_UNAUTHENTICATED) return "UNKNOWN";
  return ingot::code_name(static_cast<ingot::Code>(code)).data();
}

const char* ingot_dtype_name(ingot_dtype dtype) {
  const auto type = dtype_of(dtype);
  return type ? ingot::dtype_name(*type).data() : "";
}

const char* ingot_text_data(const ingot_text* text) {
  const auto object = find_object(text);
  return object ? object->text.c_str() : nullptr;
}

size_t ingot_text_length(const ingot_text* text) {
  const auto object = find_object(text);
  return object ? object->text.size() : 0;
}

void ingot_text_release(ingot_text* text) { release_handle(text); }
