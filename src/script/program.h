// Program: the rewrite directives of one block (set, rewrite, if, break, return), compiled. They
// run one after the other in the order of the file, as nginx's rewrite module does.
//
// A statement's values are evaluated once, into views that the arena keeps; a new path is made of
// those very views. Nothing is measured first and copied afterwards (threats.md #1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "script/pattern.h"
#include "script/subject.h"
#include "script/value.h"

namespace config {
class Level;
}

namespace script {

/// -f -d -e -x of `if`.
enum class FileTest : std::uint8_t { file, directory, exists, executable };

/// What a running program needs of the world.
class Host {
 public:
  /// `traces`: trace() is wanted whatever rewrite_log says.
  explicit Host(bool traces = false) noexcept : traces_(traces) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;

  /// What holds for the file; failures other than "not there" are logged by the host.
  [[nodiscard]] virtual bool test_file(FileTest test, std::string_view path) = 0;
  /// The block of an `if` of a location begins: its settings hold from now on.
  virtual void enter(const config::Level& level) = 0;
  /// Of rewrite_log: what was done.
  virtual void trace(std::string_view text) = 0;
  virtual void warn(std::string_view text) = 0;
  virtual void fail(std::string_view text) = 0;

  [[nodiscard]] bool traces() const noexcept { return traces_; }

 private:
  bool traces_;
};

/// `return CODE [TEXT | URL]`, or a `rewrite` that redirects.
struct Return {
  unsigned status = 0;
  bool is_redirect = false;  // `text` is a URL
  bool has_text = false;     // `text` is the body
  Value text;
};

struct Outcome {
  enum class Kind : std::uint8_t {
    next,       // the next phase
    relocate,   // the path has changed: a location is looked for anew
    answer,     // `returned` says which
    redirect,   // to `location` with `status`
    failed,  // 500; why is in the exchange's failure, or the host was told
  };
  Kind kind = Kind::next;
  const Return* returned = nullptr;
  unsigned status = 0;
  std::string_view location{};
};

struct Statement;

class Program {
 public:
  Program();
  ~Program();
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;

  void add(Statement statement);
  [[nodiscard]] bool empty() const noexcept { return statements_.empty(); }

  /// Runs over an HTTP exchange: changes its path, query, captures and slots.
  [[nodiscard]] Outcome run(Subject& subject, Host& host) const;

 private:
  class Run;
  std::vector<Statement> statements_;
};

/// rewrite_log and uninitialized_variable_warn, where the program stands.
struct ProgramSettings {
  bool log = false;
  bool warn = true;
};

/// `set $x VALUE`
struct Set {
  enum class Target : std::uint8_t { slot, args, limit_rate };
  Target target = Target::slot;
  std::size_t slot = 0;
  Value value;
};

/// `rewrite REGEX REPLACEMENT [last | break | redirect | permanent]`
struct Rewrite {
  Pattern pattern;
  Value path;                 // or the URL, up to its first '?'
  std::optional<Value> args;  // what stands behind it
  bool keeps_args = true;     // the request's own are kept; a '?' at the end drops them
  bool ends = false;          // last, break, and redirects: no statement after it runs
  bool stays = false;         // break: no other location is looked for
  unsigned status = 0;        // of a redirect; 0: it is none
};

struct Condition {
  struct Truth {
    Value value;
  };
  struct Equality {
    Value left;
    Value right;
  };
  struct Match {
    Value text;
    Pattern pattern;
  };
  struct File {
    FileTest test;
    Value path;
  };
  std::variant<Truth, Equality, Match, File> test;
  bool negative = false;
};

/// `if (CONDITION) { ... }`. What `body` does is part of the program around it.
struct If {
  Condition condition;
  const config::Level* level = nullptr;  // of the block, where it has settings; null in a server
  Program body;
};

struct Break {};

struct Statement {
  ProgramSettings settings;
  std::variant<Set, Rewrite, If, Break, Return> what;
};

}  // namespace script
