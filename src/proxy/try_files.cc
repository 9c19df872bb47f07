#include "proxy/try_files.h"

#include <cerrno>

#include "content/file_path.h"
#include "content/static_directives.h"
#include "content/try_files.h"
#include "proxy/files.h"
#include "proxy/reroute.h"

namespace proxy {
namespace {

using content::File;
using content::StaticPlan;

// Whether it is there, and is what was asked for.
bool is_there(Context& context, const StaticPlan& plan, std::string_view uri, bool directory) {
  const auto path = content::find_path(plan, context.exchange, context.exchange.encoded_slash, uri);
  if (!path) return false;
  const auto seen = look_at_file(context, plan, *path);
  if (seen) return (seen->kind == File::Kind::directory) == directory;
  const int code = seen.error().os_error;
  if (code != ENOENT && code != ENOTDIR && code != ENAMETOOLONG) {
    log(context, observe::Level::crit,
        base::describe(seen.error().during(
            context.exchange.arena.join("stat() \"", path->shown, "\" failed"))));
  }
  return false;
}

}  // namespace

std::optional<Answer> try_files(Context& context) {
  const auto* tries = context.level->find<content::TryFilesPlan>();
  if (tries == nullptr) return std::nullopt;
  exchange::Exchange& exchange = context.exchange;
  context.take_time();
  if (const auto* plan = context.level->find<StaticPlan>()) {
    for (const content::TryFilesPlan::Candidate& candidate : tries->candidates) {
      const std::string_view named = candidate.path.evaluate(exchange);
      // A value with variables may begin with the location's path, which an alias stands for; as in
      // nginx, a constant one never does.
      const std::size_t prefix = content::aliased_prefix(*plan, exchange, exchange.uri);
      const bool whole = !candidate.path.is_constant() &&
                         content::aliased_prefix(*plan, exchange, named) == prefix;
      const std::string_view uri =
          whole ? named : exchange.arena.join(exchange.uri.substr(0, prefix), named);
      const bool there = is_there(context, *plan, uri, candidate.directory);
      if (context.recorder != nullptr) {
        context.tell(Recorder::Step::file,
                     exchange.arena.join("try_files ", uri, there ? ": there" : ": not there"));
      }
      if (!there) continue;
      exchange.uri = uri;
      return std::nullopt;
    }
  }
  if (tries->status)
    return Answer{.status = *tries->status, .close_silently = closes_silently(*tries->status)};
  return go_to(context, tries->fallback.evaluate(exchange));
}

}  // namespace proxy
