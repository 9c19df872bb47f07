#include "proxy/rewrite.h"

#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "proxy/reroute.h"
#include "script/program.h"

namespace proxy {
namespace {

using observe::Level;
using script::Outcome;

class RewriteHost final : public script::Host {
 public:
  explicit RewriteHost(Context& context) noexcept
      : Host(context.recorder != nullptr), context_(context) {}

  bool test_file(script::FileTest test, std::string_view path) override {
    struct stat status{};
    if (::stat(std::string(path).c_str(), &status) != 0) {
      if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG) {
        log(context_, Level::crit,
            base::describe(base::error_from_errno(
                errno, context_.exchange.arena.join("stat() \"", path, "\" failed"))));
      }
      return false;
    }
    switch (test) {
      case script::FileTest::file: return S_ISREG(status.st_mode);
      case script::FileTest::directory: return S_ISDIR(status.st_mode);
      case script::FileTest::executable: return (status.st_mode & S_IXUSR) != 0;
      case script::FileTest::exists: return true;
    }
    return false;
  }
  void enter(const config::Level& level) override { context_.level = &level; }
  void trace(std::string_view text) override {
    if (context_.recorder != nullptr) return context_.tell(Recorder::Step::rewrite, text);
    log(context_, Level::notice, text);
  }
  void warn(std::string_view text) override { log(context_, Level::warn, text); }
  void fail(std::string_view text) override { log(context_, Level::error, text); }

 private:
  Context& context_;
};

Answer answer_of(Context& context, const script::Return& said) {
  exchange::Exchange& exchange = context.exchange;
  Answer answer{.status = said.status};
  const std::string_view text = said.text.evaluate(exchange);
  if (context.recorder != nullptr) {
    context.tell(
        Recorder::Step::rewrite,
        exchange.arena.join("return ", std::to_string(said.status), text.empty() ? "" : " ", text));
  }
  if (said.is_redirect) {
    answer.location = text;
    answer.has_location = true;
  } else if (said.has_text) {
    answer.text = text;
    answer.has_text = true;
  } else {
    answer.close_silently = closes_silently(said.status);
  }
  return answer;
}

}  // namespace

std::optional<Answer> rewrite(Context& context, const config::Level& level) {
  const auto* program = level.find<script::Program>();
  if (program == nullptr) return std::nullopt;
  context.take_time();
  script::Subject subject(context.exchange);
  RewriteHost host(context);
  const Outcome outcome = program->run(subject, host);
  switch (outcome.kind) {
    case Outcome::Kind::next: break;
    case Outcome::Kind::relocate: context.reroute = Reroute::rewritten; break;
    case Outcome::Kind::answer: return answer_of(context, *outcome.returned);
    case Outcome::Kind::redirect:
      return Answer{.status = outcome.status, .location = outcome.location};
    case Outcome::Kind::failed: {
      const auto failed = failed_evaluation(context);
      return failed ? failed : Answer{.status = 500};
    }
  }
  return std::nullopt;
}

}  // namespace proxy
