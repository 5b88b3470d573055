/* Tensor models: values, sessions, runs, bindings. Include ingot/ingot.h; the rules are in ingot/types.h. */
#ifndef INGOT_SESSION_H_
#define INGOT_SESSION_H_

#include "ingot/types.h"

/* ---- Values -------------------------------------------------------------------------------------------------------*/

typedef int32_t ingot_value_kind;
enum { INGOT_TENSOR = 1, INGOT_SEQUENCE = 2, INGOT_MAP = 3, INGOT_OPTIONAL = 4 };

/* A new tensor in memory of the library's: zeros, or empty strings.
 *   dims: `rank` sizes, outermost first, each at least 0; NULL if rank is 0. At most 8.
 * Errors: INGOT_INVALID_ARGUMENT, INGOT_RESOURCE_EXHAUSTED. */
INGOT_RESULT ingot_tensor_create(ingot_dtype dtype, const int64_t* dims, size_t rank, ingot_value** value);

/* A tensor over the caller's memory: nothing is copied. The bytes are dense and row-major, aligned to their element.
 *   bytes:   must be the tensor's size
 *   release: called with (data, context) when nothing uses the memory any more, from any thread, possibly within a
 *            function of this library: it must not call back into it. NULL: the memory lives until the value is
 *            released and every run that uses it has ended. Not called if this function fails.
 * Errors: INGOT_INVALID_ARGUMENT (sizes, alignment, strings). */
INGOT_RESULT ingot_tensor_from_memory(ingot_dtype dtype, const int64_t* dims, size_t rank, void* data, size_t bytes,
                                      void (*release)(void* data, void* context), void* context, ingot_value** value);

/* A tensor of strings, copied. lengths: in bytes; NULL: the texts end with 0. As many as dims say. */
INGOT_RESULT ingot_tensor_from_strings(const int64_t* dims, size_t rank, const char* const* texts,
                                       const size_t* lengths, ingot_value** value);

/* Another handle of the same value. */
INGOT_RESULT ingot_value_share(const ingot_value* value, ingot_value** other);
INGOT_API void ingot_value_release(ingot_value* value);

/* Sequences, maps (two values: keys, values) and optionals (none or one) hold values. Elements are shared, not copied.
 * Errors: INGOT_INVALID_ARGUMENT (a tensor), INGOT_OUT_OF_RANGE. */
INGOT_RESULT ingot_value_get_count(const ingot_value* value, size_t* count);
INGOT_RESULT ingot_value_get_element(const ingot_value* value, size_t index, ingot_value** element);
/* A sequence of copies of these values, which should be of one type. Errors: INGOT_INVALID_ARGUMENT where sequences are
 * nested deeper than 8. */
INGOT_RESULT ingot_sequence_create(const ingot_value* const* elements, size_t count, ingot_value** value);

/* The functions below fail with INGOT_INVALID_ARGUMENT where the value is not of the right kind. */
INGOT_RESULT ingot_value_get_kind(const ingot_value* value, ingot_value_kind* kind);
INGOT_RESULT ingot_tensor_get_dtype(const ingot_value* value, ingot_dtype* dtype);
/* dims is borrowed; any of the two may be NULL. */
INGOT_RESULT ingot_tensor_get_shape(const ingot_value* value, const int64_t** dims, size_t* rank);
/* The memory itself, for reading and, while no run uses the value, for writing. Not for strings. Borrowed. bytes may
 * be NULL. */
INGOT_RESULT ingot_tensor_get_data(const ingot_value* value, void** data, size_t* bytes);
/* Element `index` in row-major order, ended with a 0 that the length does not count. Borrowed, until it is changed.
 * length may be NULL. Errors besides: INGOT_OUT_OF_RANGE. */
INGOT_RESULT ingot_tensor_get_string(const ingot_value* value, size_t index, const char** text, size_t* length);

/* ---- Sessions: loading and looking --------------------------------------------------------------------------------*/

/* An ONNX file or an engine file (.ingot) of a tensor model. options: may be NULL; not kept.
 * Errors: INGOT_NOT_FOUND, INGOT_UNIMPLEMENTED (naming every operator that is not built), INGOT_INVALID_ARGUMENT,
 * INGOT_DATA_LOSS, INGOT_FAILED_PRECONDITION (an engine file of another machine), INGOT_RESOURCE_EXHAUSTED. */
INGOT_RESULT ingot_session_load(const char* path, const ingot_options* options, ingot_session** session);
/* The same from memory, which is free again when this returns. folder: where external data lie; NULL: they are
 * refused. */
INGOT_RESULT ingot_session_load_memory(const void* data, size_t bytes, const char* folder, const ingot_options* options,
                                       ingot_session** session);
INGOT_API void ingot_session_release(ingot_session* session);

/* An input or output of a model. Pointers are borrowed from the session. */
typedef struct ingot_port {
  size_t size; /* set by the caller: sizeof(ingot_port) */
  const char* name;
  ingot_value_kind kind;
  ingot_dtype dtype;            /* of a tensor; else 0 */
  int32_t rank;                 /* -1: known only when the model runs, or no tensor */
  const int64_t* dims;          /* -1: any size */
  const char* const* dim_names; /* "batch" where dims is -1 and the model names it, else "" */
} ingot_port;

/* 0 for a handle that is not one. */
INGOT_API size_t ingot_session_num_inputs(const ingot_session* session);
INGOT_API size_t ingot_session_num_outputs(const ingot_session* session);
/* Errors: INGOT_OUT_OF_RANGE. */
INGOT_RESULT ingot_session_get_input(const ingot_session* session, size_t index, ingot_port* port);
INGOT_RESULT ingot_session_get_output(const ingot_session* session, size_t index, ingot_port* port);

/* What the file says of itself, entry by entry: "producer_name", "producer_version", "graph_name", "domain",
 * "description", "version", "graph_description" where it has them, then the model's own entries, whose keys begin with
 * "custom.". */
INGOT_API size_t ingot_session_num_metadata(const ingot_session* session);
INGOT_RESULT ingot_session_get_metadata(const ingot_session* session, size_t index, const char** key,
                                        const char** value);

/* ---- Runs ---------------------------------------------------------------------------------------------------------*/

INGOT_RESULT ingot_run_options_create(ingot_run_options** options);
INGOT_API void ingot_run_options_release(ingot_run_options* options);
/* Between two nodes of the graph, a run that has taken longer ends with INGOT_DEADLINE_EXCEEDED. <= 0: never. */
INGOT_RESULT ingot_run_options_set_timeout_ms(ingot_run_options* options, double timeout_ms);
/* 0: the session's threads, where runs of one session wait for each other (the default).
 * 1: the calling thread alone: runs of several threads go on side by side. Results have the same bits. */
INGOT_RESULT ingot_run_options_set_threads(ingot_run_options* options, int threads);
/* Ends the runs that use these options with INGOT_CANCELLED after the node at work, and every later one until
 * resume. From any thread, also from a signal handler's thread. */
INGOT_RESULT ingot_run_options_cancel(ingot_run_options* options);
INGOT_RESULT ingot_run_options_resume(ingot_run_options* options);
/* go_on is called by the thread that runs, between nodes, every 50 ms at most; 0 cancels the run. NULL: nothing. */
INGOT_RESULT ingot_run_options_set_poll(ingot_run_options* options, int (*go_on)(void* context), void* context);

/* One node of a profiled run. Pointers are borrowed from the run options, until the next run with them. */
typedef struct ingot_step {
  size_t size; /* set by the caller: sizeof(ingot_step) */
  const char* node;
  const char* op;
  const char* kernel;
  int64_t nanoseconds;
} ingot_step;

/* on: runs remember the time of every node, and run a little slower. One run at a time then. */
INGOT_RESULT ingot_run_options_set_profile(ingot_run_options* options, int on);
INGOT_API size_t ingot_run_options_num_steps(const ingot_run_options* options);
INGOT_RESULT ingot_run_options_get_step(const ingot_run_options* options, size_t index, ingot_step* step);

/* Runs the model. Any number of threads may run one session at once.
 *   inputs:       num_inputs values by name, each of the model's inputs once; only read
 *   output_names: num_outputs names; NULL: all outputs in the model's order, and num_outputs must be their number
 *   outputs:      for each a value whose memory the result is written into (type and shape must be the result's), or
 *                 NULL, which becomes a new value that belongs to the caller. After an error none was made, and the
 *                 caller's memory holds anything.
 *   options:      may be NULL
 * The memory of the caller's outputs must overlap neither inputs nor each other. Results are computed in it; they are
 * copied only where the model's output is an input or constant unchanged, or has a shape that its data decide.
 * Errors: INGOT_INVALID_ARGUMENT (names, types, shapes), INGOT_CANCELLED, INGOT_DEADLINE_EXCEEDED,
 * INGOT_RESOURCE_EXHAUSTED, and what a kernel says about the data. */
INGOT_RESULT ingot_session_run(ingot_session* session, ingot_run_options* options, const char* const* input_names,
                               const ingot_value* const* inputs, size_t num_inputs, const char* const* output_names,
                               size_t num_outputs, ingot_value** outputs);

/* ---- Bindings: the same values for run after run ------------------------------------------------------------------*/

/* How memory for an output is found once its size is known: `bytes` bytes, aligned to 64, or NULL for none.
 * free is called when nothing uses the memory any more. The struct is copied; context must outlive all of it. */
typedef struct ingot_allocator {
  size_t size; /* set by the caller: sizeof(ingot_allocator) */
  void* context;
  void* (*allocate)(void* context, size_t bytes);
  void (*free)(void* context, void* data, size_t bytes);
} ingot_allocator;

/* Nothing bound. The binding keeps the session and the bound values. One thread at a time. */
INGOT_RESULT ingot_binding_create(ingot_session* session, ingot_binding** binding);
INGOT_API void ingot_binding_release(ingot_binding* binding);
/* Replaces what was bound to the name. Errors: INGOT_INVALID_ARGUMENT (the model has no such input or output). */
INGOT_RESULT ingot_binding_bind_input(ingot_binding* binding, const char* name, const ingot_value* value);
/* value: written in place as in ingot_session_run(); NULL: each run makes a new one, with the allocator if it is not
 * NULL, else with the library's. */
INGOT_RESULT ingot_binding_bind_output(ingot_binding* binding, const char* name, const ingot_value* value,
                                       const ingot_allocator* allocator);
INGOT_RESULT ingot_binding_clear_inputs(ingot_binding* binding);
INGOT_RESULT ingot_binding_clear_outputs(ingot_binding* binding);
/* Runs the bound session; an output that is not bound is not kept. Errors: as ingot_session_run(). */
INGOT_RESULT ingot_session_run_binding(ingot_session* session, ingot_run_options* options, ingot_binding* binding);
/* The value that the last run wrote for this output: a new handle of it. Errors: INGOT_FAILED_PRECONDITION. */
INGOT_RESULT ingot_binding_get_output(const ingot_binding* binding, const char* name, ingot_value** value);

#endif
