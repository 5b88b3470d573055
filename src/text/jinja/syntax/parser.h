// Tokens -> tree: Jinja's grammar, with the loop controls and the generation block of chat templates.
//
// Statements are in parser.cc, expressions in parser_expr.cc. Nesting is bounded, so that later walks
// over the tree cannot overflow the stack. Throws TemplateError with the line. Thread-safety: one thread.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "text/jinja/syntax/ast.h"
#include "text/jinja/syntax/lexer.h"

namespace ingot::jinja {

class Parser {
 public:
  Parser(std::vector<Token> tokens, Constants& constants) : tokens_(std::move(tokens)), constants_(constants) {}
  Body parse();

 private:
  using Names = std::span<const std::string_view>;

  // stream
  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& next() {
    const Token& token = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  bool skip_name(std::string_view name);
  bool skip_operator(std::string_view op);
  void expect_operator(std::string_view op);
  void expect_name(std::string_view name);
  void expect(TokenType type, std::string_view what);
  std::string expect_any_name();
  [[noreturn]] void error(std::string message, int line) const;
  [[noreturn]] void error_expected(std::string_view what) const;

  // statements
  Body statements_until(Names end);  // after a tag's block end; stops at one of these names
  Body body(Names end, bool drop_end);
  NodePtr statement();
  NodePtr parse_for();
  NodePtr parse_if();
  NodePtr parse_set();
  NodePtr parse_with();
  NodePtr parse_macro();
  NodePtr parse_call_block();
  NodePtr parse_generation();
  NodePtr parse_filter_block();
  NodePtr parse_print();
  NodePtr parse_block();
  NodePtr parse_autoescape();
  NodePtr parse_unsupported();
  void parse_signature(MacroNode& macro);

  // expressions
  ExprPtr make(ExprKind kind, int line);
  ExprPtr count(Expr& parent, ExprPtr child);  // the child, its depth counted
  void add(Expr& parent, ExprPtr child);
  ExprPtr constant(Value value, int line);
  ExprPtr assign_target(bool name_only, std::string_view end_name, bool with_namespace);
  void check_target(const Expr& target);
  ExprPtr expression(bool with_condition = true);
  ExprPtr condition();
  ExprPtr logical_or();
  ExprPtr logical_and();
  ExprPtr logical_not();
  ExprPtr compare();
  ExprPtr sum();
  ExprPtr concat();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filter = true);
  ExprPtr primary(bool with_namespace = false);
  struct TupleRules {
    bool simplified = false;
    bool with_condition = true;
    std::string_view end_name = {};
    bool parenthesized = false;
    bool with_namespace = false;
  };
  ExprPtr tuple(const TupleRules& rules);
  bool is_tuple_end(std::string_view end_name) const;
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr node);
  ExprPtr filters_and_tests(ExprPtr node);
  ExprPtr subscript(ExprPtr node);
  ExprPtr subscribed();
  void call_arguments(Expr& call);
  ExprPtr call(ExprPtr node);
  ExprPtr filter(ExprPtr node, bool start_inline);
  ExprPtr test(ExprPtr node);
  std::string dotted_name();

  std::vector<Token> tokens_;
  Constants& constants_;
  size_t at_ = 0;
  int depth_ = 0;
  std::vector<std::string> open_tags_;
  friend class Nesting;
};

// Held while one more level of the grammar is open.
class Nesting {
 public:
  explicit Nesting(Parser& parser);
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  ~Nesting() { --parser_.depth_; }

 private:
  Parser& parser_;
};

}  // namespace ingot::jinja
