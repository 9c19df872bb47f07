// needs: snapshot_testing
// Programs of rewrite, set, if, map, break and return, made from the bytes, run by the whole proxy
// and by a slow evaluator that copies every text: path, arguments, variables, captures, status and
// body must agree (threats.md #1).
#include <fmt/format.h>
#include <fuzzer/FuzzedDataProvider.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/regex.h"
#include "base/text.h"
#include "snapshot/testing/proxy_world.h"

namespace {

using Bytes = FuzzedDataProvider;

// What is beyond these is run, but not compared: the program has limits of its own there.
constexpr std::size_t kComparedText = 2000;
constexpr unsigned kComparedSteps = 2000;
constexpr unsigned kMaxChanges = 10;  // of a path, for one request

// --- Regular expressions: sequences of atoms, in groups without repetition, with alternatives.

struct Node;
using Sequence = std::vector<Node>;

struct Node {
  enum class Kind { one_of, any, begin, end, group } kind = Kind::any;
  std::string chars;               // one_of
  unsigned least = 1;              // of one_of and any
  bool endless = false;
  std::size_t number = 0;          // group
  std::vector<Sequence> branches;  // group
};

struct Expression {
  Sequence nodes;
  bool caseless = false;
  std::string text;
};

std::string text_of(const Sequence& nodes) {
  std::string text;
  for (const Node& node : nodes) {
    switch (node.kind) {
      case Node::Kind::begin: text += '^'; continue;
      case Node::Kind::end: text += '$'; continue;
      case Node::Kind::any: text += '.'; break;
      case Node::Kind::one_of: text += "[" + node.chars + "]"; break;
      case Node::Kind::group: {
        std::string inside;
        for (const Sequence& branch : node.branches) {
          inside +=
              (inside.empty() && &branch == &node.branches.front() ? "" : "|") + text_of(branch);
        }
        text += "(" + inside + ")";
        continue;
      }
    }
    if (node.endless) {
      text += node.least == 0 ? '*' : '+';
    } else if (node.least == 0) {
      text += '?';
    }
  }
  return text;
}

Sequence make_sequence(Bytes& bytes, std::size_t& groups, unsigned depth) {
  static constexpr std::array<const char*, 9> kSets = {"a", "b", "/",  "abc", "A",
                                                       "+", "%", " x", "a/"};
  Sequence nodes;
  const unsigned count = bytes.ConsumeIntegralInRange<unsigned>(depth == 0 ? 1 : 0, 4);
  for (unsigned i = 0; i < count; ++i) {
    Node node;
    const unsigned kind = bytes.ConsumeIntegralInRange<unsigned>(0, 9);
    if (kind == 0 && i == 0) {
      node.kind = Node::Kind::begin;
    } else if (kind == 1 && i + 1 == count) {
      node.kind = Node::Kind::end;
    } else if (kind >= 8 && depth < 2 && groups < 4) {
      node.kind = Node::Kind::group;
      node.number = ++groups;
      const unsigned branches = bytes.ConsumeIntegralInRange<unsigned>(1, 3);
      for (unsigned j = 0; j < branches; ++j) {
        node.branches.push_back(make_sequence(bytes, groups, depth + 1));
      }
    } else {
      node.kind = kind < 4 ? Node::Kind::any : Node::Kind::one_of;
      node.chars = bytes.PickValueInArray(kSets);
      const unsigned repetition = bytes.ConsumeIntegralInRange<unsigned>(0, 5);
      node.least = repetition == 1 || repetition == 3 ? 0 : 1;
      node.endless = repetition == 2 || repetition == 3;
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Expression make_expression(Bytes& bytes) {
  Expression made;
  std::size_t groups = 0;
  made.caseless = bytes.ConsumeBool();
  made.nodes = make_sequence(bytes, groups, 0);
  made.text = text_of(made.nodes);
  return made;
}

using Groups = std::array<std::optional<std::string>, 5>;

// Backtracking with a copy of all groups for each way that is tried.
class Matcher {
 public:
  Matcher(const Expression& expression, const std::string& text, unsigned& steps)
      : expression_(expression), text_(text), steps_(steps) {}

  std::optional<Groups> match() {
    for (std::size_t start = 0; start <= text_.size(); ++start) {
      std::optional<Groups> found;
      const bool matched =
          sequence(expression_.nodes, 0, start, Groups{}, [&](std::size_t, const Groups& groups) {
            found = groups;
            return true;
          });
      if (matched) return found;
    }
    return std::nullopt;
  }

 private:
  using Rest = std::function<bool(std::size_t at, const Groups& groups)>;

  bool fits(const Node& node, char c) const {
    if (node.kind == Node::Kind::any) return c != '\n';
    const auto same = [&](char other) {
      return other == c || (expression_.caseless && base::lower(std::string_view(&other, 1)) ==
                                                        base::lower(std::string_view(&c, 1)));
    };
    return std::ranges::any_of(node.chars, same);
  }

  bool sequence(const Sequence& nodes, std::size_t index, std::size_t at, const Groups& groups,
                const Rest& rest) {
    if (++steps_ > kComparedSteps) return true;  // given up: not compared
    if (index == nodes.size()) return rest(at, groups);
    const Node& node = nodes[index];
    const Rest next = [&, index](std::size_t from, const Groups& so_far) {
      return sequence(nodes, index + 1, from, so_far, rest);
    };
    switch (node.kind) {
      case Node::Kind::begin: return at == 0 && next(at, groups);
      case Node::Kind::end: return at == text_.size() && next(at, groups);
      case Node::Kind::group:
        return std::ranges::any_of(node.branches, [&](const Sequence& branch) {
          return sequence(branch, 0, at, groups, [&](std::size_t end, const Groups& inner) {
            Groups with = inner;
            with[node.number] = text_.substr(at, end - at);
            return next(end, with);
          });
        });
      case Node::Kind::any:
      case Node::Kind::one_of: break;
    }
    std::size_t most = 0;
    while ((node.endless || most < 1) && at + most < text_.size() && fits(node, text_[at + most]))
      ++most;
    for (std::size_t count = most + 1; count-- > node.least;) {
      if (next(at + count, groups)) return true;
    }
    return false;
  }

  const Expression& expression_;
  const std::string& text_;
  unsigned& steps_;
};

// --- Values and statements, as text and as what they mean.

struct Piece {
  std::string name;  // of a variable or a group; else
  std::string text;
};
using Value = std::vector<Piece>;

std::string text_of(const Value& value) {
  std::string text;
  for (const Piece& piece : value)
    text += piece.name.empty() ? piece.text : "${" + piece.name + "}";
  return text;
}

Value make_value(Bytes& bytes, unsigned most = 4) {
  static constexpr std::array<const char*, 16> kNames = {
      "1",   "2",    "3",     "a",       "b",      "c",           "m", "n",
      "uri", "args", "arg_x", "is_args", "http_x", "request_uri", "1", "request_method"};
  static constexpr std::array<const char*, 10> kTexts = {
      "/", "a", "b/", "/a/b", "x=", "&", "%", "0", " ", "B+"};
  Value value;
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, most); i > 0; --i) {
    if (bytes.ConsumeBool()) {
      value.push_back({.name = bytes.PickValueInArray(kNames), .text = {}});
    } else {
      value.push_back({.name = {}, .text = bytes.PickValueInArray(kTexts)});
    }
  }
  return value;
}

struct Statement {
  enum class Kind { set, rewrite, branch, stop, give } kind = Kind::stop;
  std::string target;  // set, branch
  Value value;         // set, branch (equality), rewrite (path), give
  std::optional<Value> args;
  bool drops_args = false;
  std::string flag;
  Expression expression;
  std::string test;  // "", =, !=, ~, ~*, !~, !~*
  std::vector<Statement> body;
};
using Statements = std::vector<Statement>;

Statements make_statements(Bytes& bytes, unsigned depth) {
  static constexpr std::array<const char*, 4> kTargets = {"a", "b", "c", "args"};
  static constexpr std::array<const char*, 5> kFlags = {"", "last", "break", "", "redirect"};
  static constexpr std::array<const char*, 7> kTests = {"", "=", "!=", "~", "~*", "!~", "!~*"};
  static constexpr std::array<const char*, 8> kTested = {"a",   "b",    "c",     "m",
                                                         "uri", "args", "arg_x", "http_x"};
  Statements made;
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 5); i > 0; --i) {
    Statement one;
    const unsigned kind = bytes.ConsumeIntegralInRange<unsigned>(0, 11);
    if (kind < 4) {
      one.kind = Statement::Kind::set;
      one.target = bytes.PickValueInArray(kTargets);
      one.value = make_value(bytes);
    } else if (kind < 8) {
      one.kind = Statement::Kind::rewrite;
      one.expression = make_expression(bytes);
      one.expression.caseless = false;
      one.flag = bytes.PickValueInArray(kFlags);
      if (bytes.ConsumeBool()) one.value.push_back({.name = {}, .text = "/"});
      std::ranges::move(make_value(bytes), std::back_inserter(one.value));
      if (text_of(one.value).empty())
        one.value.push_back({.name = {}, .text = "/"});  // else an error
      if (bytes.ConsumeBool()) one.args = make_value(bytes);
      one.drops_args = bytes.ConsumeBool();
      if (one.args && text_of(*one.args).empty()) {  // "/a?" drops them, too
        one.args.reset();
        one.drops_args = true;
      }
    } else if (kind < 10 && depth == 0) {
      one.kind = Statement::Kind::branch;
      one.target = bytes.PickValueInArray(kTested);
      one.test = bytes.PickValueInArray(kTests);
      one.value = make_value(bytes, 2);
      one.expression = make_expression(bytes);
      one.expression.caseless = one.test.ends_with('*');
      one.body = make_statements(bytes, depth + 1);
    } else if (kind == 10) {
      one.kind = Statement::Kind::stop;
    } else {
      one.kind = Statement::Kind::give;
      one.value = make_value(bytes);
    }
    made.push_back(std::move(one));
  }
  return made;
}

std::string text_of(const Statements& statements) {
  std::string text;
  for (const Statement& one : statements) {
    switch (one.kind) {
      case Statement::Kind::set:
        text += fmt::format("set ${} \"{}\";\n", one.target, text_of(one.value));
        break;
      case Statement::Kind::rewrite:
        text +=
            fmt::format("rewrite \"{}\" \"{}{}{}{}\" {};\n", one.expression.text,
                        text_of(one.value), one.args ? "?" : "", one.args ? text_of(*one.args) : "",
                        one.drops_args ? "?" : "", one.flag);
        break;
      case Statement::Kind::branch: {
        const bool matches = one.test.find('~') != std::string::npos;
        const std::string right = matches ? one.expression.text : text_of(one.value);
        text += one.test.empty()
                    ? fmt::format("if (${}) {{\n", one.target)
                    : fmt::format("if (${} {} \"{}\") {{\n", one.target, one.test, right);
        text += text_of(one.body) + "}\n";
        break;
      }
      case Statement::Kind::stop: text += "break;\n"; break;
      case Statement::Kind::give:
        text += fmt::format("return 200 \"{}\";\n", text_of(one.value));
        break;
    }
  }
  return text;
}

struct Map {
  struct Entry {
    std::optional<Expression> expression;
    std::string key;
    Value value;
  };
  std::string source;
  std::vector<Entry> entries;
  Value fallback;
};

// Of `n`: its source may be `m`, not the other way round.
Map make_map(Bytes& bytes, bool second) {
  static constexpr std::array<const char*, 6> kSources = {"uri",   "args",   "a",
                                                          "arg_x", "http_x", "b"};
  static constexpr std::array<const char*, 5> kKeys = {"a", "/a", "/b/", "B", ""};
  const auto without_maps = [&] {
    Value value = make_value(bytes, 3);
    std::erase_if(value, [](const Piece& piece) { return piece.name == "m" || piece.name == "n"; });
    return value;
  };
  Map made;
  made.source = second && bytes.ConsumeBool() ? "m" : bytes.PickValueInArray(kSources);
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 3); i > 0; --i) {
    Map::Entry entry;
    if (bytes.ConsumeBool()) {
      entry.expression = make_expression(bytes);
    } else {
      entry.key = bytes.PickValueInArray(kKeys);
      const auto same = [&](const Map::Entry& other) {
        return !other.expression && base::lower(other.key) == base::lower(entry.key);
      };
      if (std::ranges::any_of(made.entries, same)) continue;
    }
    entry.value = without_maps();
    made.entries.push_back(std::move(entry));
  }
  made.fallback = without_maps();
  return made;
}

std::string text_of(const Map& map, std::string_view name) {
  std::string text =
      fmt::format("map ${} ${} {{\ndefault \"{}\";\n", map.source, name, text_of(map.fallback));
  for (const Map::Entry& entry : map.entries) {
    const std::string key = entry.expression
                                ? (entry.expression->caseless ? "~*" : "~") + entry.expression->text
                                : entry.key;
    text += fmt::format("\"{}\" \"{}\";\n", key, text_of(entry.value));
  }
  return text + "}\n";
}

struct Site {
  Map m, n;
  Statements server, root, below, exact, by_expression;
  Expression expression;
};

std::string text_of(const Site& site) {
  return "events { }\nhttp {\nuninitialized_variable_warn off;\nvariables_hash_max_size 2048;\n" +
         text_of(site.m, "m") + text_of(site.n, "n") +
         "server {\nlisten 127.0.0.1:8000;\nset $a \"\"; set $b \"\"; set $c \"\";\n"
         "add_header X-State \"$uri|$args|$a|$b|$c|$1|$2|$3|$m|$n\" always;\n" +
         text_of(site.server) + "location / {\n" + text_of(site.root) + "}\nlocation /a {\n" +
         text_of(site.below) + "}\nlocation = /b {\n" + text_of(site.exact) + "}\nlocation " +
         (site.expression.caseless ? "~*" : "~") + " \"" + site.expression.text + "\" {\n" +
         text_of(site.by_expression) + "}\n}\n}\n";
}

// --- The slow evaluator.

struct Request {
  std::string target;  // as sent
  std::string header;  // X
};

struct Verdict {
  unsigned status = 404;
  std::string body;
  std::string state;
};

// Who judges regular expressions. The library may have faults of its own, which are not the
// program's (see base/regex.cc for one). So its verdict counts as well.
enum class Judge { matcher, library };

class Evaluator {
 public:
  Evaluator(const Site& site, const Request& request, Judge judge)
      : site_(site), request_(request), judge_(judge) {
    const std::size_t question = request.target.find('?');
    const std::string path = request.target.substr(0, question);
    if (question != std::string::npos) args_ = request.target.substr(question + 1);
    escaped_ = path.find_first_of("%+") != std::string::npos;
    for (std::size_t i = 0; i < path.size(); ++i) {
      char c = path[i];
      if (c == '%') {
        c = static_cast<char>(base::hex_value(path[i + 1]) * 16 + base::hex_value(path[i + 2]));
        i += 2;
      }
      if (c != '/' || !uri_.ends_with('/')) uri_ += c;
    }
  }

  // Nothing: not to be compared.
  std::optional<Verdict> judge() {
    Verdict verdict = pass();
    verdict.state = evaluate({{"uri", {}},
                              {{}, "|"},
                              {"args", {}},
                              {{}, "|"},
                              {"a", {}},
                              {{}, "|"},
                              {"b", {}},
                              {{}, "|"},
                              {"c", {}},
                              {{}, "|"},
                              {"1", {}},
                              {{}, "|"},
                              {"2", {}},
                              {{}, "|"},
                              {"3", {}},
                              {{}, "|"},
                              {"m", {}},
                              {{}, "|"},
                              {"n", {}}});
    if (beyond_ || steps_ > kComparedSteps) return std::nullopt;
    return verdict;
  }

 private:
  enum class End { next, relocate, answered };

  Verdict pass() {
    Verdict verdict;
    if (run(site_.server, verdict) == End::answered) return verdict;
    for (unsigned changes = 0;; ++changes) {
      if (changes > kMaxChanges) return {.status = 500, .body = {}, .state = {}};
      const End end = run(locate(), verdict);
      if (end != End::relocate) return verdict;
    }
  }

  const Statements& locate() {
    static const Statements kNone;
    if (uri_ == "/b") return site_.exact;
    if (match(site_.expression, uri_)) return site_.by_expression;
    if (uri_.starts_with("/a")) return site_.below;
    return uri_.starts_with('/') ? site_.root : kNone;
  }

  End run(const Statements& statements, Verdict& verdict) {
    relocates_ = false;
    const bool answered = !all(statements, verdict) && answered_;
    if (answered) return End::answered;
    return relocates_ ? End::relocate : End::next;
  }

  // False: nothing more is run.
  bool all(const Statements& statements, Verdict& verdict) {
    return std::ranges::all_of(statements,
                               [&](const Statement& one) { return execute(one, verdict); });
  }

  bool execute(const Statement& one, Verdict& verdict) {
    switch (one.kind) {
      case Statement::Kind::set: {
        std::string value = evaluate(one.value);
        (one.target == "args" ? args_ : variables_[static_cast<std::size_t>(one.target[0] - 'a')]) =
            std::move(value);
        return true;
      }
      case Statement::Kind::rewrite: return rewrite(one, verdict);
      case Statement::Kind::branch: return !holds(one) || all(one.body, verdict);
      case Statement::Kind::stop: relocates_ = false; return false;
      case Statement::Kind::give:
        verdict.status = 200;
        verdict.body = evaluate(one.value);
        answered_ = true;
        return false;
    }
    return false;
  }

  bool rewrite(const Statement& one, Verdict& verdict) {
    if (!match_or_forget(one.expression, uri_)) return true;
    const bool redirects = one.flag == "redirect";
    const std::string path = evaluate(one.value, redirects);
    std::string args = args_;
    if (one.args) {
      args = evaluate(*one.args, true);
      if (!one.drops_args && !args_.empty()) args += "&" + args_;
    } else if (one.drops_args) {
      args.clear();
    }
    if (redirects || path.empty()) {
      verdict.status = redirects ? 302 : 500;
      answered_ = true;
      return false;
    }
    uri_ = path;
    args_ = args;
    relocates_ = one.flag != "break";
    return one.flag.empty();
  }

  bool holds(const Statement& one) {
    const std::string left = variable(one.target);
    if (one.test.empty()) return !left.empty() && left != "0";
    const bool negative = one.test.starts_with('!');
    if (one.test.find('~') == std::string::npos) return (left == evaluate(one.value)) != negative;
    return match_or_forget(one.expression, left) != negative;
  }

  bool match(const Expression& expression, const std::string& text) {
    if (judge_ == Judge::library) return match_by_library(expression, text);
    unsigned steps = 0;
    const auto found = Matcher(expression, text, steps).match();
    steps_ = std::max(steps_, steps);
    if (found) groups_ = *found;
    return found.has_value();
  }
  bool match_by_library(const Expression& expression, const std::string& text) {
    const auto regex =
        base::Regex::compile(expression.text, expression.caseless ? base::Regex::Case::insensitive
                                                                  : base::Regex::Case::sensitive);
    base::Captures found;
    if (!regex.value().match(text, &found).value()) return false;
    groups_ = {};
    for (std::size_t i = 1; i < groups_.size(); ++i) {
      if (i < found.count) groups_[i] = std::string(found[i]);
    }
    return true;
  }
  bool match_or_forget(const Expression& expression, const std::string& text) {
    const bool matched = match(expression, text);
    if (!matched) groups_ = {};
    return matched;
  }

  std::string evaluate(const Value& value, bool in_url = false) {
    std::string text;
    for (const Piece& piece : value) {
      const bool group = piece.name.size() == 1 && base::is_digit(piece.name[0]);
      const std::string more = piece.name.empty() ? piece.text : variable(piece.name);
      text += group && in_url && escaped_ ? escape(more) : more;
      beyond_ = beyond_ || text.size() > kComparedText;
      if (beyond_) text.resize(std::min(text.size(), kComparedText));
    }
    return text;
  }

  static std::string escape(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      const bool plain = byte > 0x20 && byte < 0x7f &&
                         std::string_view("\"#%&+?").find(c) == std::string_view::npos;
      escaped += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
    }
    return escaped;
  }

  std::string variable(const std::string& name) {
    if (base::is_digit(name[0]))
      return groups_[static_cast<std::size_t>(name[0] - '0')].value_or("");
    if (name == "a" || name == "b" || name == "c")
      return variables_[static_cast<std::size_t>(name[0] - 'a')];
    if (name == "m") return look_up(site_.m, m_);
    if (name == "n") return look_up(site_.n, n_);
    if (name == "uri") return uri_;
    if (name == "args") return args_;
    if (name == "is_args") return args_.empty() ? "" : "?";
    if (name == "http_x") return request_.header;
    if (name == "request_uri") return request_.target;
    if (name == "request_method") return "GET";
    CHECK(name == "arg_x");
    std::string_view rest = args_;
    while (!rest.empty()) {
      const std::string_view argument = base::split_first(rest, '&');
      if (argument.starts_with("x=") || argument.starts_with("X="))
        return std::string(argument.substr(2));
    }
    return "";
  }

  // Once for a request.
  std::string look_up(const Map& map, std::optional<std::string>& known) {
    if (!known) {
      const std::string text = variable(map.source);
      const Value* found = nullptr;
      for (const Map::Entry& entry : map.entries) {
        if (!entry.expression && base::lower(entry.key) == base::lower(text)) found = &entry.value;
      }
      for (const Map::Entry& entry : map.entries) {
        if (found != nullptr || text.empty()) break;
        if (entry.expression && match(*entry.expression, text)) found = &entry.value;
      }
      std::string value = evaluate(found != nullptr ? *found : map.fallback);
      known = std::move(value);
    }
    return *known;
  }

  const Site& site_;
  const Request& request_;
  Judge judge_;
  std::string uri_, args_;
  bool escaped_ = false;
  std::array<std::string, 3> variables_;
  Groups groups_;
  std::optional<std::string> m_, n_;
  bool relocates_ = false;
  bool answered_ = false;
  bool beyond_ = false;
  unsigned steps_ = 0;
};

// --- The program.

Request make_request(Bytes& bytes) {
  static constexpr std::array<const char*, 14> kPath = {
      "a", "b", "/", "/a", "/b", "c", "A", "x", "%20", "%2B", "%25", "+", "%C3%A9", "%26"};
  static constexpr std::array<const char*, 9> kQuery = {"x=",  "&", "a", "/b/", "X=1",
                                                        "%20", "+", "?", "y=2&"};
  Request made{.target = "/", .header = {}};
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 7); i > 0; --i)
    made.target += bytes.PickValueInArray(kPath);
  if (bytes.ConsumeBool()) {
    made.target += "?";
    for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 5); i > 0; --i)
      made.target += bytes.PickValueInArray(kQuery);
  }
  for (unsigned i = bytes.ConsumeIntegralInRange<unsigned>(0, 4); i > 0; --i)
    made.header += bytes.PickValueInArray(std::array{"a", "/", "b", "B+"});
  return made;
}

snapshot::testing::ProxyWorld& world_of(const std::string& text) {
  static std::unique_ptr<snapshot::testing::ProxyWorld> world;
  if (world == nullptr) {
    world = std::make_unique<snapshot::testing::ProxyWorld>(text);
  } else {
    world->reload(text);
  }
  return *world;
}

std::optional<std::string> field(std::string_view answer, std::string_view name) {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const std::size_t at = answer.find(start);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = answer.substr(at + start.size());
  return std::string(rest.substr(0, rest.find("\r\n")));
}

bool agrees(std::string_view answer, const Verdict& verdict) {
  if (!answer.starts_with(fmt::format("HTTP/1.1 {} ", verdict.status))) return false;
  if (verdict.status == 500) return true;
  const std::size_t end = answer.find("\r\n\r\n");
  return field(answer, "X-State") == verdict.state &&
         (verdict.status != 200 || answer.substr(end + 4) == verdict.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  std::vector<Request> requests{make_request(bytes), make_request(bytes)};
  Site site;
  site.root = make_statements(bytes, 0);
  site.m = make_map(bytes, false);
  site.server = make_statements(bytes, 0);
  site.below = make_statements(bytes, 0);
  site.expression = make_expression(bytes);
  site.by_expression = make_statements(bytes, 0);
  site.exact = make_statements(bytes, 0);
  site.n = make_map(bytes, true);
  const std::string text = text_of(site);
  auto& world = world_of(text);
  for (const Request& request : requests) {
    snapshot::testing::Peer client = world.connect();
    client.send("GET " + request.target + " HTTP/1.1\r\nHost: a\r\nX: " + request.header +
                "\r\nConnection: close\r\n\r\n");
    const std::string answer = client.received();
    const auto expected = Evaluator(site, request, Judge::matcher).judge();
    if (!expected || agrees(answer, *expected)) continue;
    const auto other = Evaluator(site, request, Judge::library).judge();
    const bool agreed = !other || agrees(answer, *other);
    if (agreed) continue;
    fmt::print(stderr, "{}\nGET {}\nX: {}\nexpected: {} {}\n{}\nfound: {}\n", text, request.target,
               request.header, expected->status, expected->state, expected->body, answer);
    CHECK(agreed);
  }
  return 0;
}
