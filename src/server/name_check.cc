#include "server/name_check.h"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "async/scope.h"
#include "base/clock.h"
#include "io/event_loop.h"
#include "io/resolver.h"

namespace server {
namespace {

using upstream::NameInUse;

struct Question {
  const NameInUse* name = nullptr;
  std::shared_ptr<io::Resolver> resolver{};
  std::optional<base::Result<void>> answer{};
};

async::Task<void> look_up(Question* question, base::Deadline deadline) {
  const NameInUse& name = *question->name;
  base::Result<void> outcome;
  if (name.is_service) {
    const auto answer = co_await question->resolver->resolve_service(name.host, deadline);
    if (!answer) outcome = base::fail(answer.error());
  } else {
    const auto answer = co_await question->resolver->resolve(name.host, 0, deadline);
    if (!answer) outcome = base::fail(answer.error());
  }
  question->answer = outcome;
}

void report(const Question& question, bool is_error, config::Diagnostics& diagnostics) {
  if (question.answer && *question.answer) return;
  // More names than a cache has room for: not all could be asked for at once, which says nothing.
  if (question.answer && question.answer->error().is(base::ErrorCode::exhausted)) return;
  const NameInUse& name = *question.name;
  const bool is_upstream = name.role == NameInUse::Role::upstream;
  const std::string message = fmt::format("host not found in {} \"{}\"",
                                          is_upstream ? "upstream" : "resolver", name.written);
  const std::string why = question.answer && !question.answer->error().context.empty()
                              ? std::string(question.answer->error().context)
                              : "no answer in time";
  const std::string meant =
      name.similar.empty() ? "" : fmt::format("did you mean the upstream \"{}\"? ", name.similar);
  if (is_error) {
    return diagnostics.error(name.at, message, meant + why + ": correct the name or the DNS");
  }
  diagnostics.warning(
      name.at, message,
      fmt::format("{}{}: until it is found, {}", meant, why,
                  is_upstream ? "its requests are answered 502" : "nothing is looked up there"));
}

}  // namespace

void check_names(const snapshot::Snapshot& snapshot, config::Diagnostics& diagnostics) {
  if (snapshot.names.empty()) return;
  const base::SystemClock clock;
  io::EventLoop loop(clock);
  const async::Executor::Use use(loop.executor());
  io::DnsResolvers resolvers(loop, nullptr, {});
  async::Scope scope;
  std::vector<Question> questions;
  questions.reserve(snapshot.names.size());
  for (const NameInUse& name : snapshot.names) {
    questions.push_back({.name = &name, .resolver = resolvers.find(name.dns)});
  }
  const base::Deadline deadline = clock.now() + kNameCheckTime;
  for (Question& question : questions) scope.spawn(look_up(&question, deadline));
  while (scope.running() != 0) loop.turn(std::chrono::milliseconds(100));
  for (const Question& question : questions) {
    report(question, snapshot.process.compat_nginx, diagnostics);
  }
}

}  // namespace server
