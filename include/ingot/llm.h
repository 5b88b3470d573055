/* Language models: loading, tokens, chat templates, generation. Include ingot/ingot.h; the rules are in ingot/types.h.
 *
 * One model answers many requests at once: submit from as many threads as you like, each answer is an
 * ingot_generation of its own. What an answer says does not depend on what runs beside it.
 */
#ifndef INGOT_LLM_H_
#define INGOT_LLM_H_

#include "ingot/types.h"

/* A GGUF file, a Hugging Face folder or an engine file. options: may be NULL; not kept.
 * Errors: INGOT_NOT_FOUND, INGOT_INVALID_ARGUMENT, INGOT_UNIMPLEMENTED, INGOT_DATA_LOSS, INGOT_RESOURCE_EXHAUSTED. */
INGOT_RESULT ingot_llm_load(const char* path, const ingot_options* options, ingot_llm** llm);
/* The model ends when its last generation was released, too. */
INGOT_API void ingot_llm_release(ingot_llm* llm);

/* Facts: "context" (longest sequence in tokens), "vocabulary" (width of the logits), "tokens" (ids of the tokenizer),
 * "bos" and "eos" (-1: none), "add_bos" (1: encoding with special tokens puts it first), "has_chat_template" (0 or 1).
 * Errors: INGOT_INVALID_ARGUMENT. */
INGOT_RESULT ingot_llm_get_int(const ingot_llm* llm, const char* name, int64_t* value);

/* ---- Tokens and templates -----------------------------------------------------------------------------------------*/

/* Token ids of a text: UTF-8, invalid parts become U+FFFD.
 *   add_special:   1: begin and end with the tokens that the model wants there
 *   parse_special: 1: the text of a special token becomes its id; 0: it is plain text
 *   ids, capacity: where they go; count: how many there are, which may be more than the capacity (then the first ones
 *                  were written). ids may be NULL if capacity is 0. */
INGOT_RESULT ingot_llm_tokenize(const ingot_llm* llm, const char* text, size_t length, int add_special,
                                int parse_special, int32_t* ids, size_t capacity, size_t* count);
/* The text of token ids; special tokens only if show_special is 1. Errors: INGOT_INVALID_ARGUMENT (an id outside the
 * vocabulary). */
INGOT_RESULT ingot_llm_detokenize(const ingot_llm* llm, const int32_t* ids, size_t count, int show_special,
                                  ingot_text** text);
/* A conversation as the prompt that the model was trained for.
 *   messages: JSON, [{"role": "user", "content": "…"}, …]
 *   settings: JSON object or NULL: {"add_generation_prompt": true, "continue_final_message": false, "tools": […],
 *             "documents": […]}; everything else is a variable of the template ("enable_thinking": false)
 * Errors: INGOT_FAILED_PRECONDITION (the model has no template), INGOT_INVALID_ARGUMENT (JSON, or what the template
 * says). */
INGOT_RESULT ingot_llm_render_chat(const ingot_llm* llm, const char* messages, const char* settings, ingot_text** text);

/* ---- Requests -----------------------------------------------------------------------------------------------------*/

/* No prompt yet; every setting as below. One thread at a time. */
INGOT_RESULT ingot_request_create(ingot_request** request);
INGOT_API void ingot_request_release(ingot_request* request);

/* The prompt, in one of these forms; the last call counts. Text is encoded with special tokens: those the model begins
 * with, and those whose text stands in it. Messages are rendered as by ingot_llm_render_chat(). Copied. */
INGOT_RESULT ingot_request_set_prompt(ingot_request* request, const char* text, size_t length);
INGOT_RESULT ingot_request_set_prompt_tokens(ingot_request* request, const int32_t* ids, size_t count);
INGOT_RESULT ingot_request_set_messages(ingot_request* request, const char* messages, const char* settings);

/* Sets one of these, the value as text ("0.7", "true"). Errors: INGOT_INVALID_ARGUMENT naming key, value and what is
 * possible; some are judged only by ingot_llm_submit().
 *
 *  length       max_tokens (-1: until the model ends or the context is full), min_tokens, ignore_eos
 *  choice       temperature (0.8; 0: the likeliest), top_k (40; 0: off), top_p (0.95; 1: off), min_p (0.05; 0: off),
 *               typical_p, top_n_sigma, xtc_probability, xtc_threshold, min_keep, dynatemp_range, dynatemp_exponent,
 *               mirostat (0, 1, 2), mirostat_tau, mirostat_eta, seed (none: another each time),
 *               samplers ("penalties;dry;top_k;...": which steps, in which order)
 *  repetition   repeat_penalty, repeat_last_n, frequency_penalty, presence_penalty, prompt_counts, dry_multiplier,
 *               dry_base, dry_allowed_length, dry_penalty_last_n
 *  form         json_schema, grammar (GBNF), regex, json_object (true): at most one of them
 *  answers      n (parallel samples), logprobs (each token's and so many likeliest), include_stop, show_special,
 *               timeout_ms (0: none), priority (lower is first), use_prefix_cache, cache_salt, tenant, id
 */
INGOT_RESULT ingot_request_set(ingot_request* request, const char* key, const char* value);
/* Texts that end the answer; they are not part of it. */
INGOT_RESULT ingot_request_add_stop(ingot_request* request, const char* text, size_t length);
INGOT_RESULT ingot_request_add_stop_token(ingot_request* request, int32_t id);
/* Added to a token's logit; -infinity bars it. */
INGOT_RESULT ingot_request_add_logit_bias(ingot_request* request, int32_t id, float bias);
/* Text that ends a match of DRY; the first call replaces the defaults. */
INGOT_RESULT ingot_request_add_dry_breaker(ingot_request* request, const char* text, size_t length);

/* ---- Generation ---------------------------------------------------------------------------------------------------*/

typedef int32_t ingot_finish;
enum {
  INGOT_NOT_FINISHED = 0,
  INGOT_FINISH_END = 1,          /* the model ended its answer */
  INGOT_FINISH_STOP_TOKEN = 2,   /* a stop token */
  INGOT_FINISH_STOP_TEXT = 3,    /* a stop text */
  INGOT_FINISH_LENGTH = 4,       /* max_tokens */
  INGOT_FINISH_CONTEXT_FULL = 5, /* the context's end */
  INGOT_FINISH_CANCELLED = 6
};

/* News of one choice. Pointers are borrowed from the generation, until the next call for an event. */
typedef struct ingot_event {
  size_t size;      /* set by the caller: sizeof(ingot_event) */
  int32_t choice;   /* 0 to n - 1 */
  const char* text; /* valid UTF-8, ended with 0; may be empty while text is held back */
  size_t text_length;
  const int32_t* tokens; /* of this step */
  size_t num_tokens;
  const float* logprobs;  /* of the tokens, NaN where there is none; NULL if not asked for */
  ingot_finish finish;    /* this choice ends here, if it is not INGOT_NOT_FINISHED */
  const int32_t* top_ids; /* with logprobs: for each token num_top likeliest ids, likeliest first, -1 for none */
  const float* top_logprobs;
  size_t num_top;
} ingot_event;

typedef struct ingot_usage {
  size_t size; /* set by the caller: sizeof(ingot_usage) */
  int64_t prompt_tokens;
  int64_t cached_tokens;     /* of the prompt: found in the cache, not computed */
  int64_t completion_tokens; /* over all choices, so far */
  double first_token_ms;     /* from submit to the first token; 0: not yet */
  double total_ms;           /* from submit to the end; 0: not yet */
} ingot_usage;

/* Checks the request and puts it in the model's queue; the answer is read from the generation. The request may be used
 * again. Errors: INGOT_INVALID_ARGUMENT, INGOT_OUT_OF_RANGE (longer than the context), INGOT_UNIMPLEMENTED (a
 * schema's keyword), INGOT_RESOURCE_EXHAUSTED (the queue is full: try again later). */
INGOT_RESULT ingot_llm_submit(ingot_llm* llm, const ingot_request* request, ingot_generation** generation);

/* Waits for the next event. One thread at a time.
 *   timeout_ms: how long; < 0: for ever, 0: not at all
 *   event:      filled in if there is one
 *   state:      INGOT_EVENT, INGOT_NO_EVENT_YET (the time is over) or INGOT_NO_MORE_EVENTS (all choices ended)
 * Errors: why the answer failed: INGOT_CANCELLED, INGOT_DEADLINE_EXCEEDED, INGOT_UNAVAILABLE, …, again at each call. */
typedef int32_t ingot_event_state;
enum { INGOT_EVENT = 1, INGOT_NO_EVENT_YET = 2, INGOT_NO_MORE_EVENTS = 3 };
INGOT_RESULT ingot_generation_next(ingot_generation* generation, double timeout_ms, ingot_event* event,
                                   ingot_event_state* state);
/* From any thread: the answer ends after the step at work, with INGOT_CANCELLED. Nothing if it has ended already. */
INGOT_RESULT ingot_generation_cancel(ingot_generation* generation);
/* Errors: INGOT_INVALID_ARGUMENT. */
INGOT_RESULT ingot_generation_get_usage(const ingot_generation* generation, ingot_usage* usage);
/* Cancels what has not ended. */
INGOT_API void ingot_generation_release(ingot_generation* generation);

/* The same as a call: submits, calls on_event in the calling thread for each event until the answer ended, and writes
 * the usage (may be NULL). on_event returns 1 to go on; 0 cancels, and the call ends with INGOT_CANCELLED. */
INGOT_RESULT ingot_llm_generate(ingot_llm* llm, const ingot_request* request,
                                int (*on_event)(void* context, const ingot_event* event), void* context,
                                ingot_usage* usage);

#endif
