/* What all of Ingot's C interface shares: export macros, codes, element types, statuses, texts, options.
 *
 * Rules of the whole interface:
 * - Handles are opaque pointers that this library hands out. They are looked up in a table, so a handle that is
 *   NULL, was released, or is of another kind gives INGOT_INVALID_ARGUMENT and no crash.
 * - Errors: functions that can fail return an ingot_status*. NULL is success; everything else belongs to the
 *   caller, who releases it. Output arguments are written on success only. No exception leaves the library.
 * - Ownership: what a function returns through a handle argument belongs to the caller, who releases it. Releasing
 *   NULL does nothing. A released object lives on while something else (a run, a generation) still uses it.
 * - Borrowed pointers (const char* and others that are returned) live as long as the handle they were asked of.
 * - Threads: every function may be called from any thread. "One thread at a time" in a comment is about one handle.
 * - ABI: functions keep their names, arguments and meaning; new ones are added. Structs that the library fills
 *   begin with `size`, set by the caller to the size of the struct that it was compiled with, and only grow at the
 *   end. Settings are text by name, so that a new one changes no binary interface.
 */
#ifndef INGOT_TYPES_H_
#define INGOT_TYPES_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define INGOT_EXTERN extern "C"
#else
#define INGOT_EXTERN extern
#endif
#if defined(__GNUC__) || defined(__clang__)
#define INGOT_API INGOT_EXTERN __attribute__((visibility("default")))
#define INGOT_RESULT INGOT_API __attribute__((warn_unused_result)) ingot_status*
#else
#define INGOT_API INGOT_EXTERN
#define INGOT_RESULT INGOT_API ingot_status*
#endif

typedef struct ingot_status ingot_status;           /* why something failed */
typedef struct ingot_text ingot_text;               /* a text of any length */
typedef struct ingot_options ingot_options;         /* settings of a session or a language model */
typedef struct ingot_value ingot_value;             /* a tensor; or a sequence, map or optional of values */
typedef struct ingot_session ingot_session;         /* a loaded tensor model */
typedef struct ingot_run_options ingot_run_options; /* what holds for one run: timeout, cancel, profile */
typedef struct ingot_binding ingot_binding;         /* values bound to a session's inputs and outputs */
typedef struct ingot_llm ingot_llm;                 /* a loaded language model */
typedef struct ingot_request ingot_request;         /* a prompt, and how it is to be answered */
typedef struct ingot_generation ingot_generation;   /* an answer while it comes */

/* Grows with every function that is added; a program may ask whether the library is as new as its header. */
#define INGOT_ABI_VERSION 2
INGOT_API uint32_t ingot_abi_version(void);
/* "0.1.0". */
INGOT_API const char* ingot_version(void);

/* ---- Statuses ---------------------------------------------------------------------------------------------------- */

/* gRPC's canonical codes. */
typedef int32_t ingot_code;
enum {
  INGOT_OK = 0,
  INGOT_CANCELLED = 1,
  INGOT_UNKNOWN = 2,
  INGOT_INVALID_ARGUMENT = 3,
  INGOT_DEADLINE_EXCEEDED = 4,
  INGOT_NOT_FOUND = 5,
  INGOT_ALREADY_EXISTS = 6,
  INGOT_PERMISSION_DENIED = 7,
  INGOT_RESOURCE_EXHAUSTED = 8,
  INGOT_FAILED_PRECONDITION = 9,
  INGOT_ABORTED = 10,
  INGOT_OUT_OF_RANGE = 11,
  INGOT_UNIMPLEMENTED = 12,
  INGOT_INTERNAL = 13,
  INGOT_UNAVAILABLE = 14,
  INGOT_DATA_LOSS = 15,
  INGOT_UNAUTHENTICATED = 16
};

/* INGOT_OK for NULL. */
INGOT_API ingot_code ingot_status_code(const ingot_status* status);
/* One line: what is wrong with which value, and the fix. "" for NULL. Borrowed. */
INGOT_API const char* ingot_status_message(const ingot_status* status);
INGOT_API void ingot_status_release(ingot_status* status);
/* "INVALID_ARGUMENT". A constant. */
INGOT_API const char* ingot_code_name(ingot_code code);

/* ---- Element types: ONNX's numbers --------------------------------------------------------------------------------*/

typedef int32_t ingot_dtype;
enum {
  INGOT_FLOAT32 = 1,
  INGOT_UINT8 = 2,
  INGOT_INT8 = 3,
  INGOT_UINT16 = 4,
  INGOT_INT16 = 5,
  INGOT_INT32 = 6,
  INGOT_INT64 = 7,
  INGOT_STRING = 8,
  INGOT_BOOL = 9, /* a byte, 0 or 1 */
  INGOT_FLOAT16 = 10,
  INGOT_FLOAT64 = 11,
  INGOT_UINT32 = 12,
  INGOT_UINT64 = 13,
  INGOT_COMPLEX64 = 14,
  INGOT_COMPLEX128 = 15,
  INGOT_BFLOAT16 = 16,
  INGOT_FLOAT8E4M3FN = 17,
  INGOT_FLOAT8E4M3FNUZ = 18,
  INGOT_FLOAT8E5M2 = 19,
  INGOT_FLOAT8E5M2FNUZ = 20,
  INGOT_UINT4 = 21, /* two in a byte, the first in the low half; likewise below */
  INGOT_INT4 = 22,
  INGOT_FLOAT4E2M1 = 23,
  INGOT_FLOAT8E8M0 = 24,
  INGOT_UINT2 = 25,
  INGOT_INT2 = 26
};

/* "f32", "i64", "bf16"; "" for a number that is no type. A constant. */
INGOT_API const char* ingot_dtype_name(ingot_dtype dtype);

/* ---- Texts --------------------------------------------------------------------------------------------------------*/

/* The bytes, ended with a 0 that the length does not count; NULL if the handle is not one. Borrowed. */
INGOT_API const char* ingot_text_data(const ingot_text* text);
INGOT_API size_t ingot_text_length(const ingot_text* text);
INGOT_API void ingot_text_release(ingot_text* text);

/* ---- Options of sessions and language models ----------------------------------------------------------------------*/

/* No setting made: everything is as its comment below says. */
INGOT_RESULT ingot_options_create(ingot_options** options);
INGOT_API void ingot_options_release(ingot_options* options);
/* Sets one of these; the value is copied. One thread at a time. Errors: INGOT_INVALID_ARGUMENT naming key, value and
 * what is possible. Loading refuses a setting that is not for its kind of model.
 *
 *   threads           compute threads; 0: as many as this process may use (the default)
 *   backends          kernels, best first: "cpu,ref" (the default) or "ref", which is slow and obviously right
 *  tensor models
 *   disabled_passes   optimizer passes by name, separated by commas; "all": every pass
 *  language models
 *   context           longest sequence in tokens; 0: what the model was trained for (the default)
 *   kv_type           element type of the KV cache: f32, f16 (the default), bf16, q8_0, q4_0
 *   kv_tokens         room in the KV cache over all sequences; 0: one context (the default)
 *   batch_tokens      tokens that one step computes at most (512)
 *   sequences_max     answers that run at once (64)
 *   queue_max         requests that wait at most (1024)
 *   prefix_cache      1 (the default) or 0: prompts that begin alike share what was computed
 */
INGOT_RESULT ingot_options_set(ingot_options* options, const char* key, const char* value);

/* Makes all models that are loaded from now on use kernels of this instruction set ("avx2", "avx512", …), for tests.
 * Errors: INGOT_INVALID_ARGUMENT, INGOT_FAILED_PRECONDITION (this machine lacks it). */
INGOT_RESULT ingot_force_isa(const char* isa);

#endif
