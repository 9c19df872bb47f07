// SsiParser: finds nginx's SSI commands in a body that arrives in pieces.
//
//   <!--# command name="value" name='value' -->
//
// It holds one command at most, and that bounded: names of 32 bytes, kMaxParameters of them, values
// of ssi_value_length. What can't be one ends behind its "-->" as an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace filter {

struct SsiCommand {
  struct Parameter {
    std::string name;
    std::string value;  // as written: backslashes stand in it still
    char quote = '"';  // what it stood in: the other one may be part of it
  };
  std::string name;
  std::vector<Parameter> parameters;

  /// Written anew: what a block keeps of a command inside it.
  [[nodiscard]] std::string text() const;
};

class SsiParser {
 public:
  static constexpr std::size_t kMaxName = 32;
  static constexpr std::size_t kMaxParameters = 16;

  struct Step {
    enum class Kind : std::uint8_t {
      more,  // the input is used up
      text,  // `text`, valid until the next call or as long as the input
      command,  // command()
      error,  // why: `text`, for the error log
    };
    Kind kind = Kind::more;
    std::string_view text{};
  };

  explicit SsiParser(std::size_t max_value) noexcept : max_value_(max_value) {}

  /// Takes what it gives, or holds, from the beginning of `input`.
  [[nodiscard]] Step next(std::string_view& input);

  /// Until the next call.
  [[nodiscard]] const SsiCommand& command() const noexcept { return command_; }

  /// At the end of the body: what was held back, since a command might have begun with it. One that
  /// is not whole is lost.
  [[nodiscard]] std::string_view finish() noexcept;

 private:
  enum class State : std::uint8_t {
    text,
    opening,  // some of "<!--#" was seen
    before_command,
    command,
    before_parameter,
    parameter,
    before_equal,
    before_value,
    value,
    escaped,
    behind_value,
    closing,  // "-" of "-->"
    closing_2,  // "--"
    error,
    error_closing,
    error_closing_2,
  };

  [[nodiscard]] Step open(std::string_view& input);
  [[nodiscard]] bool feed(char byte);
  void fail(std::string why);
  void unexpected(char byte, std::string_view where);
  void append_value(char byte);

  std::size_t max_value_;
  State state_ = State::text;
  std::size_t opened_ = 0;  // bytes of "<!--#" that were seen
  SsiCommand command_;
  std::string failure_;
};

}  // namespace filter
