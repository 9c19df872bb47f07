#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>

#include "base/check.h"

namespace base {

struct Regex::Code {
  pcre2_code* compiled = nullptr;
  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() { pcre2_code_free(compiled); }
};

namespace {

// One per thread, so that matching allocates nothing.
class MatchState {
 public:
  MatchState()
      : data_(pcre2_match_data_create(Captures::kMax, nullptr)),
        context_(pcre2_match_context_create(nullptr)),
        stack_(pcre2_jit_stack_create(32 * 1024, 512 * 1024, nullptr)) {
    CHECK(data_ != nullptr && context_ != nullptr && stack_ != nullptr);
    pcre2_set_match_limit(context_, Regex::kMatchLimit);
    pcre2_jit_stack_assign(context_, nullptr, stack_);
  }
  MatchState(const MatchState&) = delete;
  MatchState& operator=(const MatchState&) = delete;
  ~MatchState() {
    pcre2_match_data_free(data_);
    pcre2_match_context_free(context_);
    pcre2_jit_stack_free(stack_);
  }
  [[nodiscard]] pcre2_match_data* data() const noexcept { return data_; }
  [[nodiscard]] pcre2_match_context* context() const noexcept { return context_; }

 private:
  pcre2_match_data* data_;
  pcre2_match_context* context_;
  pcre2_jit_stack* stack_;
};

MatchState& match_state() {
  thread_local MatchState state;
  return state;
}

std::vector<Regex::NamedGroup> read_names(const pcre2_code* code) {
  std::uint32_t count = 0;
  std::uint32_t entry_size = 0;
  PCRE2_SPTR table = nullptr;
  pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
  pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &entry_size);
  pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
  std::vector<Regex::NamedGroup> names;
  // Each entry: the group's number in two bytes, big end first, then the name and a NUL.
  std::span<const unsigned char> rest(table, std::size_t{count} * entry_size);
  for (; rest.size() >= entry_size && entry_size > 2; rest = rest.subspan(entry_size)) {
    const std::size_t index = std::size_t{rest[0]} * 256 + rest[1];
    const auto name = rest.subspan(2, entry_size - 2);
    names.push_back({std::string(name.begin(), std::ranges::find(name, '\0')), index});
  }
  return names;
}

// PCRE2 10.42's JIT looks for a match's first bytes wrongly where alternatives differ in length: it
// does not see "aa" for (.|)[a]+. and the like, which the interpreter sees. Without that search
// both agree (300,000 random patterns), and a short subject takes some 30 ns more.
std::uint32_t options_for(std::string_view pattern, Regex::Case letter_case) {
  const std::uint32_t options = letter_case == Regex::Case::insensitive ? PCRE2_CASELESS : 0U;
  return pattern.contains('|') ? options | PCRE2_NO_START_OPTIMIZE : options;
}

}  // namespace

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

std::expected<Regex, Regex::CompileError> Regex::compile(std::string_view pattern,
                                                         Case letter_case) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  Regex out;
  out.code_ = std::make_unique<Code>();
  out.pattern_ = pattern;
  out.code_->compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                      options_for(pattern, letter_case), &error, &offset, nullptr);
  if (out.code_->compiled == nullptr) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    return std::unexpected(
        CompileError{std::string(message.begin(), std::ranges::find(message, '\0')), offset});
  }
  // Without JIT (no executable memory, for example) the interpreter gives the same answers.
  pcre2_jit_compile(out.code_->compiled, PCRE2_JIT_COMPLETE);
  out.names_ = read_names(out.code_->compiled);
  std::uint32_t groups = 0;
  pcre2_pattern_info(out.code_->compiled, PCRE2_INFO_CAPTURECOUNT, &groups);
  out.group_count_ = groups;
  return out;
}

Result<bool> Regex::match(std::string_view subject, Captures* captures) const {
  const MatchState& state = match_state();
  const int matched = pcre2_match(code_->compiled, reinterpret_cast<PCRE2_SPTR>(subject.data()),
                                  subject.size(), 0, 0, state.data(), state.context());
  if (matched == PCRE2_ERROR_NOMATCH) return false;
  if (matched == PCRE2_ERROR_MATCHLIMIT || matched == PCRE2_ERROR_JIT_STACKLIMIT ||
      matched == PCRE2_ERROR_DEPTHLIMIT || matched == PCRE2_ERROR_HEAPLIMIT) {
    return fail(ErrorCode::exhausted, "the regular expression needs too many steps");
  }
  if (matched < 0) return fail(ErrorCode::invalid, "matching a regular expression");
  if (captures == nullptr) return true;
  const std::size_t count =
      matched == 0 ? Captures::kMax
                   : std::min<std::size_t>(static_cast<std::size_t>(matched), Captures::kMax);
  const std::span<const PCRE2_SIZE> ends(pcre2_get_ovector_pointer(state.data()), count * 2);
  captures->count = count;
  for (std::size_t i = 0; i < count; ++i) {
    const PCRE2_SIZE begin = ends[2 * i];
    const PCRE2_SIZE end = ends[2 * i + 1];
    const bool unset = begin == PCRE2_UNSET || begin > end;
    captures->groups[i] = unset ? std::string_view{} : subject.substr(begin, end - begin);
  }
  return true;
}

}  // namespace base
