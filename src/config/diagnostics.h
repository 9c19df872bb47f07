// Diagnostics: everything that is wrong with a configuration, collected so that all of it is
// reported at once, each with its place, the source line and a hint.
//
// It owns the text of every file that was read (the source table), since a message shows its line.
// Bounded: after kMax entries further ones are only counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace config {

/// A place in a source. `line` and `column` (bytes) begin with 1; line 0 is "nowhere in
/// particular".
struct Position {
  std::uint32_t file = 0;  // index in the source table
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  bool operator==(const Position&) const = default;
};

struct Source {
  enum class Kind : std::uint8_t { file, command_line };
  std::string name;
  std::string text;
  Kind kind = Kind::file;
};

enum class Severity : std::uint8_t { error, warning, notice };

/// One message in plain fields, ready for JSON: every text is valid UTF-8 without control
/// characters.
struct Diagnostic {
  Severity severity;
  std::string message;
  std::string file;  // empty if the message has no place
  std::uint32_t line;
  std::uint32_t column;
  std::string source_line;
  std::string hint;  // empty if there is none
};

class Diagnostics {
 public:
  static constexpr std::size_t kMax = 1000;

  /// Takes a file's text into the source table. The text keeps its address.
  std::uint32_t add_source(std::string name, std::string text,
                           Source::Kind kind = Source::Kind::file);
  [[nodiscard]] const Source& source(std::uint32_t file) const;
  [[nodiscard]] std::span<const std::unique_ptr<Source>> sources() const noexcept {
    return sources_;
  }

  void error(Position at, std::string message, std::string hint = {});
  /// An error because something is not there. Left out after note_losses(): a directive that was
  /// refused may have been what is missing, and its own error is told already.
  void absent(Position at, std::string message, std::string hint = {});
  /// From now on, if there are errors already, absences are their consequences.
  void note_losses() noexcept { has_losses_ = has_errors(); }
  void warning(Position at, std::string message, std::string hint = {});
  void notice(Position at, std::string message, std::string hint = {});

  [[nodiscard]] bool has_errors() const noexcept { return errors_ != 0; }
  [[nodiscard]] std::size_t error_count() const noexcept { return errors_; }
  [[nodiscard]] std::size_t warning_count() const noexcept { return warnings_; }

  /// "FILE:LINE", or "command line", or "" for nowhere.
  [[nodiscard]] std::string place(Position at) const;

  /// All messages in the order in which they were found.
  [[nodiscard]] std::vector<Diagnostic> list() const;

  /// For people. Each message begins with nginx's line, then the place with its column, the source
  /// line, a caret under the column, and the hint:
  ///
  ///   sallyport: [emerg] unknown directive "lissten" in /etc/sallyport.conf:3
  ///     /etc/sallyport.conf:3:5
  ///         lissten 80;
  ///         ^
  ///     hint: did you mean "listen"?
  [[nodiscard]] std::string render() const;

 private:
  struct Entry {
    Severity severity;
    Position at;
    std::string message;
    std::string hint;
  };
  void add(Severity severity, Position at, std::string message, std::string hint);

  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Entry> entries_;
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
  std::size_t suppressed_ = 0;
  bool has_losses_ = false;
};

/// "error", "warning", "notice".
[[nodiscard]] std::string_view name_of(Severity severity) noexcept;

/// `text` as valid UTF-8 on one line: other bytes and control characters become \xNN, tabs stay.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace config
