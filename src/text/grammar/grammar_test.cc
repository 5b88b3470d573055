// What each form of grammar takes and refuses; masks against a token by token walk.
#include "text/grammar/grammar.h"

#include <gtest/gtest.h>

#include "text/grammar/token_grammar.h"

namespace ingot::grammar {
namespace {

std::shared_ptr<const Tokenizer> tokenizer() {
  static const auto loaded = *Tokenizer::from_path(INGOT_SOURCE_DIR "/tests/goldens/models/llama");
  return loaded;
}

std::shared_ptr<const TokenTrie> trie() {
  static const auto made = std::make_shared<const TokenTrie>(*tokenizer(), tokenizer()->vocab_size());
  return made;
}

std::shared_ptr<TokenGrammar> grammar(Compiled compiled) {
  EXPECT_TRUE(compiled) << compiled.error().message();
  return compiled ? std::make_shared<TokenGrammar>(*compiled, trie()) : nullptr;
}

void expect(Compiled compiled, std::vector<std::string> takes, std::vector<std::string> refuses) {
  const auto g = grammar(std::move(compiled));
  ASSERT_TRUE(g);
  for (const std::string& text : takes) EXPECT_TRUE(g->matches(text)) << text;
  for (const std::string& text : refuses) EXPECT_FALSE(g->matches(text)) << text;
}

void expect_error(const Compiled& compiled, Code code, std::string_view word) {
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().code(), code);
  EXPECT_NE(compiled.error().message().find(word), std::string::npos) << compiled.error().message();
}

TEST(Gbnf, rules_classes_groups_and_counts) {
  expect(from_gbnf("root ::= \"a\" (b | \"c\")* [x-z]{2,3} # end\nb ::= \"b\"\n"), {"axy", "abcbxyz"},
         {"", "a", "ax", "axyzx", "abcd"});
  expect(from_gbnf("root ::= [^\\n\"]+ | \"\\u00e9\\x41\""), {"abc", "éA", "日本"}, {"a\nb", "\""});
  expect(from_gbnf("root  ::= (\n  \"a\" |\n  \"b\"\n)\n"), {"a", "b"}, {"ab"});
  expect(from_gbnf("root ::= \"(\" root \")\" | \"\""), {"", "()", "((()))"}, {"(", "())", ")("});
  expect(from_gbnf("root ::= item (\",\" item)*\nitem ::= [0-9]+"), {"1", "1,22,3"}, {"1,", ",1"});
}

TEST(Gbnf, mistakes_are_named) {
  expect_error(from_gbnf("a ::= \"x\""), Code::kInvalidArgument, "root");
  expect_error(from_gbnf("root ::= b"), Code::kInvalidArgument, "'b'");
  expect_error(from_gbnf("root ::= root \"a\" | \"b\""), Code::kInvalidArgument, "left recursion");
  expect_error(from_gbnf("root ::= e root \"a\" | \"b\"\ne ::= \"\""), Code::kInvalidArgument, "left recursion");
  expect_error(from_gbnf("root ::= (\"a\""), Code::kInvalidArgument, "')'");
  expect_error(from_gbnf("root ::= \"a"), Code::kInvalidArgument, "ends");
  expect_error(from_gbnf("root ::= \"a\"{3,2}"), Code::kInvalidArgument, "count");
  expect_error(from_gbnf("root ::= (([a-z]{1000}){1000})"), Code::kResourceExhausted, "states");
  expect_error(from_gbnf("root := \"a\""), Code::kInvalidArgument, "::=");
}

TEST(Gbnf, a_text_with_too_many_readings_is_told_from_a_wrong_one) {
  const auto automaton = from_gbnf("root ::= s\ns ::= \"a\" (s \"x\" | s \"y\") | \"b\"");
  ASSERT_TRUE(automaton) << automaton.error().message();
  Pushdown walk(*automaton);
  int32_t set = walk.start();
  for (int i = 0; i < 100 && set >= 0; ++i) set = walk.step(set, 'a');
  EXPECT_EQ(set, Pushdown::kOver);
  EXPECT_LE(walk.num_frames(), Pushdown::kFramesMax);
  EXPECT_EQ(walk.step(walk.start(), 'x'), Pushdown::kDead);
  TokenMatcher matcher(grammar(automaton));
  EXPECT_TRUE(matcher.why_none().empty());
  for (int i = 0; i < 100 && matcher.why_none().empty(); ++i) matcher.accept(tokenizer()->encode("a", false)->front());
  EXPECT_NE(matcher.why_none().find("too many ways"), std::string_view::npos);
  for (uint64_t word : matcher.allowed()) EXPECT_EQ(word, 0U);
}

TEST(Gbnf, hostile_grammars_are_refused) {
  expect_error(from_gbnf("root ::= (\"\"{100000}){100000}"), Code::kResourceExhausted, "states");
  expect_error(from_gbnf("root ::= \"\xc3\""), Code::kInvalidArgument, "UTF-8");
  expect_error(from_regex("[\xed\xa0\x80]"), Code::kInvalidArgument, "UTF-8");
  std::string chain = "root ::= r0\n", empties = "root ::= \"x\"\n";
  for (int i = 0; i < 300; ++i) chain += fmt::format("r{} ::= r{}\n", i, i + 1);
  expect_error(from_gbnf(chain + "r300 ::= \"x\""), Code::kInvalidArgument, "shorten the chain");
  for (int i = 0; i < 20'000; ++i) empties += fmt::format("r{} ::= \"\"\n", i);
  EXPECT_TRUE(from_gbnf(empties));
}

TEST(JsonSchema, hostile_schemas_are_refused_or_read) {
  std::string items = "true", names = "\"p\": true";
  for (int i = 0; i < 100'000; ++i) items += ",true";
  expect_error(from_json_schema("{\"prefixItems\": [" + items + "]}"), Code::kInvalidArgument, "prefixItems");
  expect_error(from_json_schema("{\"properties\": {\"" + std::string(500'000, 'a') +
                                "\": true}, \"additionalProperties\": true}"),
               Code::kInvalidArgument, "bytes");
  for (int i = 0; i < 5'000; ++i) names += fmt::format(",\"p{}\": {{\"type\": \"null\"}}", i);
  const auto many = from_json_schema("{\"properties\": {" + names + "}}");
  EXPECT_TRUE(many || many.error().code() == Code::kResourceExhausted);
  expect(from_json_schema(
             R"({"properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "required": ["b"]})"),
         {R"({"b":2})", R"({"a":1,"b":2,"c":3})", R"({"b":2,"c":3})"}, {"{}", R"({"a":1,"c":3})", R"({"c":3})"});
  expect(from_json_schema(
             R"({"prefixItems": [{"const": 1}, {"const": 2}, {"const": 3}], "minItems": 1, "items": {"const": 4}})"),
         {"[1]", "[1,2]", "[1,2,3,4,4]"}, {"[]", "[2]", "[1,3]", "[1,2,4]"});
  expect_error(from_json_schema(R"({"type": "integer", "minimum": 1e300})"), Code::kUnimplemented, "minimum");
  expect_error(from_json_schema(R"({"type": "integer", "maximum": -1e300})"), Code::kUnimplemented, "maximum");
}

TEST(Regex, takes_what_it_describes) {
  expect(from_regex("^[a-c]+\\d{2}(x|yz)?$"), {"a12", "abc99yz"}, {"12", "a1", "a123", "a12xx"});
  expect(from_regex("(?:ab)*?c.\\."), {"cz.", "ababc日."}, {"c.", "abc\n."});
  expect(from_regex("\\w+@\\w+\\.(com|org)"), {"me@here.com"}, {"me@here.net", "@here.com"});
  expect(from_regex("a|b"), {"a", "b"}, {"ab", ""});
}

TEST(Regex, what_is_not_supported_is_an_error) {
  for (const char* p : {"(?=a)b", "a\\b", "(a)\\1", "a^b", "*a", "[", "(", "\\p{L}", ")"})
    expect_error(from_regex(p), Code::kInvalidArgument, "regex");
}

TEST(Choice, one_of_the_texts) {
  expect(from_choice(std::vector<std::string>{"yes", "yesterday", "no"}), {"yes", "no", "yesterday"},
         {"", "ye", "nono"});
}

TEST(JsonSchema, objects) {
  const char* schema = R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"},
      "c": {"type": "boolean"}}, "required": ["b"]})";
  expect(from_json_schema(schema), {R"({"b":"x"})", R"({"a": 1, "b": "é\n\u0041"})", R"({"b":"","c":true})"},
         {"{}", R"({"a":1})", R"({"b":"x","a":1})", R"({"b":"x",})", R"({"b":"x","d":1})", R"({,"b":"x"})"});
  const char* extra = R"({"properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "integer"}})";
  expect(from_json_schema(extra), {"{}", R"({"ab":null})", R"({"ab":null,"a":1,"abc":2})", R"({"x":1})"},
         {R"({"ab":1})", R"({"x":null})", R"({"ab":null,"ab":1})"});
}

TEST(JsonSchema, objects_with_many_properties_reach_their_end) {
  std::string optionals, required;
  for (int i = 0; i < 2'000; ++i) optionals += fmt::format("{}\"p{}\": {{\"const\": {}}}", i > 0 ? "," : "", i, i);
  for (int i = 0; i < 2'000; ++i) required += fmt::format("{}\"p{}\"", i > 0 ? "," : "", i);
  std::string whole = "{";
  for (int i = 0; i < 2'000; ++i) whole += fmt::format("{}\"p{}\":{}", i > 0 ? "," : "", i, i);
  whole += "}";
  const auto any = grammar(from_json_schema("{\"properties\": {" + optionals + "}}"));
  ASSERT_TRUE(any);
  EXPECT_TRUE(any->matches("{}"));
  EXPECT_TRUE(any->matches(R"({"p0":0,"p1999":1999})"));
  EXPECT_TRUE(any->matches(R"({"p700":700,"p701":701})"));
  EXPECT_FALSE(any->matches(R"({"p701":701,"p700":700})"));
  expect(from_json_schema("{\"properties\": {" + optionals + "}, \"required\": [" + required + "]}"), {whole},
         {"{}", R"({"p0":0})"});
}

TEST(JsonSchema, numbers_in_bounds) {
  expect(from_json_schema(R"({"type": "integer", "minimum": -12, "maximum": 205})"),
         {"-12", "-9", "0", "7", "99", "100", "205"}, {"-13", "206", "-0", "05", "1.5", "1000", "-205"});
  expect(from_json_schema(R"({"type": "integer", "exclusiveMinimum": 0})"), {"1", "98765"}, {"0", "-1"});
  expect(from_json_schema(R"({"type": "number", "minimum": 0, "exclusiveMaximum": 1})"), {"0", "0.5", "0.001"},
         {"1", "1.5", "-0.5", "0."});
  expect(from_json_schema(R"({"type": "number"})"), {"0", "-1.25", "3e5", "12.5"}, {"+1", ".5", "1.", "01"});
  expect_error(from_json_schema(R"({"type": "integer", "minimum": 2, "maximum": 1})"), Code::kInvalidArgument,
               "minimum");
}

TEST(JsonSchema, bounds_with_fractions_cut_where_they_say) {
  expect(from_json_schema(R"({"type": "number", "minimum": -0.5, "maximum": 0.5})"),
         {"0", "0.25", "-0.25", "0.5", "-0.50", "-0.000000001"},
         {"0.51", "-0.500001", "1", "-1", "0.5000000000000000001"});
  expect(from_json_schema(R"({"type": "number", "minimum": 0.1, "maximum": 5})"), {"0.5", "0.1", "5", "5.0", "4.999"},
         {"0.09", "5.1", "0", "6"});
  expect(from_json_schema(R"({"type": "number", "minimum": 0.5, "maximum": 0.9})"), {"0.7", "0.5", "0.90"},
         {"0.4", "0.91", "0", "1"});
  expect(from_json_schema(R"({"type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1})"),
         {"0.9999999999999999", "0.5000000000000001"},
         {"0.5", "1", "1.0", "0.50000000000000000001", "0.99999999999999999"});
  expect(from_json_schema(R"({"type": "number", "exclusiveMinimum": 0})"), {"0.0001", "3", "1e-7", "19.90"},
         {"0", "0.0", "-1", "0e5"});
  expect(from_json_schema(R"({"type": "number", "minimum": 1e15})"), {"1000000000000000", "1000000000000000.5"},
         {"999999999999999", "999999999999999.9"});
  expect(from_json_schema(R"({"type": "number"})"), {"19.90", "0.1e5", "0.30000000000000004", "-1.5E-300"}, {"1e999"});
  expect_error(from_json_schema(R"({"type": "number", "minimum": 0.9, "maximum": 0.5})"), Code::kInvalidArgument,
               "no number");
  expect_error(from_json_schema(R"({"type": "number", "minimum": 1e-30, "maximum": 2e-30})"), Code::kUnimplemented,
               "digits");
}

TEST(JsonSchema, integers_have_up_to_19_digits) {
  expect(from_json_schema(R"({"type": "integer"})"),
         {"4111111111111111", "-9223372036854775808", "9999999999999999999"}, {"10000000000000000000"});
  expect(from_json_schema(R"({"type": "integer", "minimum": 1000000000000000})"),
         {"1000000000000000", "4111111111111111"}, {"999999999999999"});
  expect(from_json_schema(R"({"type": "integer", "minimum": 9007199254740993, "exclusiveMaximum": 9007199254740995})"),
         {"9007199254740993", "9007199254740994"}, {"9007199254740992", "9007199254740995"});
}

TEST(JsonSchema, formats) {
  const auto format = [](const char* name) { return from_json_schema(fmt::format(R"({{"format": "{}"}})", name)); };
  expect(format("date"), {R"("2024-12-31")", R"("2024-02-29")", R"("2000-02-29")", R"("2023-04-30")"},
         {R"("2023-02-29")", R"("1900-02-29")", R"("2023-04-31")", R"("2023-01-32")", R"("0000-01-01")"});
  expect(format("date-time"), {R"("2024-01-30T10:00:00Z")", R"("2024-12-31T23:59:59.5+01:00")"},
         {R"("2024-01-32T10:00:00Z")", R"("2024-01-30")", R"("2024-01-30T10:00:00")"});
  expect(format("uuid"), {R"("123E4567-E89B-12D3-A456-426614174000")", R"("123e4567-e89b-12d3-a456-426614174000")"},
         {R"("123e4567e89b12d3a456426614174000")"});
  expect(
      format("email"),
      {R"("John.Smith@Example.com")", R"("a.b.c@mail.example.co.uk")", R"("o'neil+x@a-b.org")", R"("root@localhost")"},
      {R"("@a.de")", R"("a@")", R"("a.@b.de")", R"("a b@c.de")", R"("a@-b.de")"});
  expect_error(from_json_schema(R"({"pattern": "a", "format": "date"})"), Code::kUnimplemented, "format");
}

TEST(JsonSchema, one_of_branches_exclude_each_other_or_are_refused) {
  for (const char* branches :
       {R"({"const": "a"}, {"type": "string"})", R"({"const": 1}, {"const": 1.0})", R"({"enum": [1, 2]}, {"const": 2})",
        R"({"const": 2}, {"type": ["null", "integer"]})",
        R"({"const": {"a": 1, "b": 2}}, {"const": {"b": 2, "a": 1.0}})", R"({"type": "object"}, {"type": "object"})"})
    expect_error(from_json_schema(fmt::format(R"({{"oneOf": [{}]}})", branches)), Code::kUnimplemented, "oneOf");
  expect(from_json_schema(R"({"oneOf": [{"const": "a"}, {"enum": ["b", 1]}, {"type": ["null", "array"]}]})"),
         {R"("a")", R"("b")", "1", "null", "[]"}, {R"("c")"});
  expect(from_json_schema(R"({"oneOf": [
             {"type": "object", "properties": {"k": {"const": "a"}, "x": {"type": "null"}}, "required": ["k", "x"]},
             {"type": "object", "properties": {"k": {"const": "b"}}, "required": ["k"]}]})"),
         {R"({"k":"a","x":null})", R"({"k":"b"})"}, {R"({"k":"a"})", R"({"k":"b","x":null})"});
}

TEST(JsonSchema, constants_are_written_as_people_write_them) {
  expect(from_json_schema(R"({"enum": [0.5, 1.0, {"a": [1, 2]}]})"),
         {"0.5", "1", "1.0", R"({"a": [1, 2]})", R"({"a":[1,2]})"}, {"5E-1", "1."});
  expect_error(from_json_schema(R"({"type": "integer", "const": "a"})"), Code::kInvalidArgument, "const");
}

TEST(JsonSchema, further_keys_are_none_of_the_named_ones) {
  expect(from_json_schema(R"({"properties": {"gr\u00f6sse": {"const": 1}, "a\"b": {"const": 2}},
                              "additionalProperties": {"type": "string"}})"),
         {R"({"grösse":1,"a\"b":2,"größe":"x","grö":"","a\"":"","\n":"","a\nb":"","grösse\"":""})"},
         {R"({"grösse":1,"grösse":"x"})", R"({"grösse":"x"})", R"({"a\"b":"x"})", R"({"a\u0022b":"x"})",
          R"({"gr\u00f6sse":"x"})"});
}

TEST(JsonSchema, arrays_strings_and_the_rest) {
  expect(from_json_schema(R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})"),
         {"[1]", "[1,2, 3]"}, {"[]", "[1,2,3,4]", "[1,]"});
  expect(
      from_json_schema(R"({"type": "array", "prefixItems": [{"type": "null"}, {"type": "integer"}], "items": false})"),
      {"[]", "[null]", "[null,4]"}, {"[4]", "[null,4,5]"});
  expect(from_json_schema(R"({"type": "string", "minLength": 2, "maxLength": 3})"),
         {R"("ab")", R"("日本語")", R"("\n\"")"}, {R"("a")", R"("abcd")", "\"a\nb\"", R"("\ud800a")"});
  expect(from_json_schema(R"({"type": "string", "pattern": "^[\\w\"]+$"})"), {R"("a\"b")"}, {R"("a-b")", R"("")"});
  expect(from_json_schema(R"({"type": "string", "pattern": "b"})"), {R"("abc")"}, {R"("ac")"});
  expect(from_json_schema(R"({"type": "string", "format": "date"})"), {R"("2024-02-28")"},
         {R"("2024-13-01")", R"("x")"});
  expect(from_json_schema(R"({"enum": ["a", 1, null, {"k": [true]}]})"), {"\"a\"", "1", "null", R"({"k":[true]})"},
         {"2"});
  expect(from_json_schema(R"({"anyOf": [{"type": "integer"}, {"type": ["null", "boolean"]}]})"), {"1", "null", "true"},
         {"\"\""});
  expect(
      from_json_schema(
          R"({"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}}}}})"),
      {"{}", R"({"next":{"next":{}}})"}, {R"({"next":1})"});
  expect(from_json_schema("true"), {"1", R"([{"a":[]}])"}, {"", "tru"});
  expect(json_object(), {"{}", R"({"a": {"b": [1, "x", null]}})"}, {"[]", "1"});
}

TEST(JsonSchema, an_unsupported_keyword_is_named_with_its_place) {
  for (const char* keyword : {"not", "if", "patternProperties", "uniqueItems", "multipleOf", "contains",
                              "minProperties", "dependentRequired", "unevaluatedProperties", "propertyNames"}) {
    const std::string schema = fmt::format(R"({{"properties": {{"p": {{"type": "object", "{}": true}}}}}})", keyword);
    expect_error(from_json_schema(schema), Code::kUnimplemented, keyword);
    expect_error(from_json_schema(schema), Code::kUnimplemented, "#/properties/p");
  }
  expect_error(from_json_schema(R"({"$ref": "#/nowhere"})"), Code::kInvalidArgument, "nowhere");
  expect_error(from_json_schema(R"({"type": "thing"})"), Code::kInvalidArgument, "thing");
  expect_error(from_json_schema(R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})"), Code::kUnimplemented,
               "oneOf");
  expect_error(from_json_schema("{"), Code::kInvalidArgument, "json_schema");
}

void expect_masks_like_a_walk(Compiled compiled, const char* whole) {
  const auto g = grammar(std::move(compiled));
  TokenMatcher matcher(g);
  std::string text;
  const auto tokens = tokenizer()->encode(whole, false);
  ASSERT_TRUE(tokens);
  for (int32_t token : *tokens) {
    const auto mask = matcher.allowed();
    for (int32_t id = 0; id < tokenizer()->vocab_size(); ++id) {
      const bool allowed = mask[static_cast<size_t>(id) / 64] >> (id % 64) & 1;
      int32_t set = g->start();
      for (char c : text + std::string(trie()->bytes_of(id))) set = set < 0 ? set : g->step(set, c);
      const bool wanted =
          tokenizer()->is_end_of_generation(id) ? g->matches(text) : !trie()->bytes_of(id).empty() && set >= 0;
      ASSERT_EQ(allowed, wanted) << "token " << id << " after " << text;
    }
    ASSERT_TRUE(mask[static_cast<size_t>(token) / 64] >> (token % 64) & 1) << "token " << token << " after " << text;
    matcher.accept(token);
    text += trie()->bytes_of(token);
  }
  EXPECT_TRUE(g->matches(text));
}

TEST(TokenGrammar, masks_allow_what_a_walk_token_by_token_allows) {
  expect_masks_like_a_walk(
      from_json_schema(R"({"properties": {"this": {"type": "string"}, "w": {"type": "integer"}}})"),
      R"({"this": " th w", "w": 12})");
  expect_masks_like_a_walk(from_json_schema(R"({"type": "string", "minLength": 1, "maxLength": 5})"), R"("the w")");
  expect_masks_like_a_walk(from_json_schema(R"({"type": "string", "pattern": "^.{3}[a-h]+x?$"})"), R"(" thehead")");
  expect_masks_like_a_walk(from_json_schema(R"({"properties": {"th": true}, "additionalProperties": true})"),
                           R"({"the": ["x", {"w": 0.5}]})");
  expect_masks_like_a_walk(from_gbnf("root ::= [^\"\\\\\\x00-\\x1f]+ | \"\\n\" [^a]*"), "the world");
}

TEST(TokenGrammar, masks_made_ahead_are_the_same) {
  const char* schema =
      R"({"properties": {"this": {"type": "string"}, "w": {"type": "integer"}}, "required": ["this"]})";
  const auto prepared = grammar(from_json_schema(schema)), fresh = grammar(from_json_schema(schema));
  prepared->prepare();
  TokenMatcher a(prepared), b(fresh);
  const auto tokens = *tokenizer()->encode(R"({"this": " th w"})", false);
  for (int32_t token : tokens) {
    EXPECT_TRUE(std::ranges::equal(a.allowed(), b.allowed()));
    a.accept(token);
    b.accept(token);
  }
}

}  // namespace
}  // namespace ingot::grammar
