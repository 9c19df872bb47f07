#include "filter/ssi_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace filter {
namespace {

constexpr std::string_view kOpening = "<!--#";

bool is_space(char byte) { return byte == ' ' || byte == '\r' || byte == '\n' || byte == '\t'; }

}  // namespace

std::string SsiCommand::text() const {
  std::string text(kOpening);
  text += name;
  for (const Parameter& parameter : parameters) {
    text += fmt::format(" {0}={1}{2}{1}", parameter.name, parameter.quote, parameter.value);
  }
  return text + " -->";
}

std::string_view SsiParser::finish() noexcept {
  const std::size_t held = state_ == State::opening ? opened_ : 0;
  state_ = State::text;
  return kOpening.substr(0, held);
}

SsiParser::Step SsiParser::next(std::string_view& input) {
  using Kind = Step::Kind;
  if (state_ == State::text) {
    const std::size_t found = std::min(input.find('<'), input.size());
    const std::string_view text = input.substr(0, found);
    input.remove_prefix(found);
    if (!text.empty()) return {.kind = Kind::text, .text = text};
    if (input.empty()) return {};
    state_ = State::opening;
    opened_ = 0;
  }
  if (state_ == State::opening) {
    const Step step = open(input);
    if (step.kind != Kind::more || state_ == State::opening) return step;
  }
  while (!input.empty()) {
    const char byte = input.front();
    input.remove_prefix(1);
    if (!feed(byte)) continue;
    state_ = State::text;
    if (failure_.empty()) return {.kind = Kind::command};
    return {.kind = Kind::error, .text = failure_};
  }
  return {};
}

// What turns out to be no opening is text: so many bytes of it were seen before, perhaps in an
// earlier piece. Its last byte may open anew.
SsiParser::Step SsiParser::open(std::string_view& input) {
  while (!input.empty()) {
    if (input.front() != kOpening[opened_]) {
      state_ = State::text;
      return {.kind = Step::Kind::text, .text = kOpening.substr(0, opened_)};
    }
    input.remove_prefix(1);
    if (++opened_ < kOpening.size()) continue;
    state_ = State::before_command;
    command_ = {};
    failure_.clear();
    break;
  }
  return {};
}

void SsiParser::fail(std::string why) {
  failure_ = std::move(why);
  state_ = State::error;
}

// nginx's words. A "-" may begin the end of the command.
void SsiParser::unexpected(char byte, std::string_view where) {
  const auto code = static_cast<unsigned char>(byte);
  const std::string shown =
      code >= 0x20 && code < 0x7f ? std::string(1, byte) : fmt::format("\\x{:02x}", code);
  fail(
      fmt::format("unexpected \"{}\" symbol{} in \"{}\" SSI command", shown, where, command_.name));
  if (byte == '-') state_ = State::error_closing;
}

void SsiParser::append_value(char byte) {
  SsiCommand::Parameter& parameter = command_.parameters.back();
  if (parameter.value.size() < max_value_) {
    parameter.value += byte;
    return;
  }
  fail(fmt::format("too long value of \"{}\" parameter in \"{}\" SSI command (ssi_value_length)",
                   parameter.name, command_.name));
}

// True: the command, or what is none, has ended.
bool SsiParser::feed(char byte) {
  switch (state_) {
    case State::text:
    case State::opening: break;  // not here
    case State::before_command:
      if (is_space(byte)) break;
      state_ = State::command;
      [[fallthrough]];
    case State::command:
      if (is_space(byte)) {
        state_ = State::before_parameter;
      } else if (byte == '-' && !command_.name.empty()) {
        state_ = State::closing;
      } else if (command_.name.size() < kMaxName) {
        command_.name += byte;
      } else {
        fail(fmt::format("the \"{}...\" SSI command is too long", command_.name));
      }
      break;
    case State::before_parameter:
      if (is_space(byte)) break;
      if (byte == '-') {
        state_ = State::closing;
        break;
      }
      if (command_.parameters.size() == kMaxParameters) {
        fail(fmt::format("too many SSI command parameters: \"{}\"", command_.name));
        break;
      }
      command_.parameters.emplace_back();
      command_.parameters.back().name = byte;
      state_ = State::parameter;
      break;
    case State::parameter: {
      std::string& name = command_.parameters.back().name;
      if (is_space(byte)) {
        state_ = State::before_equal;
      } else if (byte == '=') {
        state_ = State::before_value;
      } else if (byte == '-') {
        unexpected(byte, fmt::format(" behind \"{}\" parameter", name));
      } else if (name.size() < kMaxName) {
        name += byte;
      } else {
        fail(
            fmt::format("too long \"{}...\" parameter in \"{}\" SSI command", name, command_.name));
      }
      break;
    }
    case State::before_equal:
      if (is_space(byte)) break;
      if (byte == '=') {
        state_ = State::before_value;
      } else {
        unexpected(byte, fmt::format(" behind \"{}\" parameter", command_.parameters.back().name));
      }
      break;
    case State::before_value:
      if (is_space(byte)) break;
      if (byte == '"' || byte == '\'') {
        command_.parameters.back().quote = byte;
        state_ = State::value;
      } else {
        unexpected(byte, fmt::format(" before value of \"{}\" parameter",
                                     command_.parameters.back().name));
      }
      break;
    case State::value:
      if (byte == command_.parameters.back().quote) {
        state_ = State::behind_value;
        break;
      }
      if (byte == '\\') state_ = State::escaped;
      append_value(byte);
      break;
    case State::escaped:
      state_ = State::value;
      append_value(byte);
      break;
    case State::behind_value:
      if (is_space(byte)) {
        state_ = State::before_parameter;
      } else if (byte == '-') {
        state_ = State::closing;
      } else {
        unexpected(byte, fmt::format(" after \"{}\" value", command_.parameters.back().value));
      }
      break;
    case State::closing:
      if (byte == '-') {
        state_ = State::closing_2;
      } else {
        unexpected(byte, "");
      }
      break;
    case State::closing_2:
      if (byte == '>') return true;
      unexpected(byte, "");
      break;
    case State::error:
      if (byte == '-') state_ = State::error_closing;
      break;
    case State::error_closing: state_ = byte == '-' ? State::error_closing_2 : State::error; break;
    case State::error_closing_2:
      if (byte == '>') return true;
      state_ = State::error;
      break;
  }
  return false;
}

}  // namespace filter
