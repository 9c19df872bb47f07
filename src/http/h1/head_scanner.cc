#include "http/h1/head_scanner.h"

#include "http/find_control.h"

namespace http::h1 {

namespace {

constexpr std::size_t kMaxEmptyLines = 4;

Refusal refusal_of_control(char c) noexcept {
  switch (c) {
    case '\n': return Refusal::bare_lf;
    case '\0': return Refusal::nul;
    default: return Refusal::control_byte;
  }
}

}  // namespace

HeadScanner::Event HeadScanner::scan(std::string_view buffered) noexcept {
  using Kind = Event::Kind;
  // Bytes beyond the limit are not looked at: what they hold must not change the answer.
  const std::string_view text = buffered.substr(0, limits_.max_total);
  for (;;) {
    const std::size_t at = find_control(text, scanned_);
    if (at - line_start_ > limits_.max_line) {
      return {Kind::refused, lines_ == 0 ? Refusal::uri_too_long : Refusal::line_too_long};
    }
    scanned_ = at;
    if (at == text.size()) return end_of_input(buffered);
    if (text[at] != '\r') return {Kind::refused, refusal_of_control(text[at])};
    if (at + 1 == text.size()) return end_of_input(buffered);
    if (text[at + 1] != '\n') return {Kind::refused, Refusal::bare_cr};

    const bool empty = at == line_start_;
    scanned_ = line_start_ = at + 2;
    if (empty) {
      const Kind kind = end_empty_line();
      if (kind == Kind::need_more) continue;
      return {kind, kind == Kind::refused ? Refusal::leading_empty_lines : Refusal::none};
    }
    ++lines_;
    if (lines_ == 1) {
      first_line_end_ = at;
      return {Kind::first_line};
    }
    if (lines_ - 1 > limits_.max_fields) return {Kind::refused, Refusal::too_many_fields};
  }
}

HeadScanner::Event HeadScanner::end_of_input(std::string_view buffered) const noexcept {
  if (buffered.size() > limits_.max_total) return {Event::Kind::refused, Refusal::head_too_large};
  return {Event::Kind::need_more};
}

HeadScanner::Event::Kind HeadScanner::end_empty_line() noexcept {
  if (lines_ > 0) return Event::Kind::done;
  begin_ = line_start_;
  return ++empty_lines_ > kMaxEmptyLines ? Event::Kind::refused : Event::Kind::need_more;
}

}  // namespace http::h1
