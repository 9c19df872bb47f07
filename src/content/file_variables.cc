#include "content/file_variables.h"

#include <stdlib.h>

#include <memory>
#include <string>

#include "config/level.h"
#include "content/file_path.h"
#include "content/static_directives.h"

namespace content {
namespace {

using Text = std::optional<std::string_view>;

const StaticPlan* plan_of(const script::Subject& subject) {
  if (subject.exchange == nullptr || subject.exchange->level == nullptr) return nullptr;
  return subject.exchange->level->find<StaticPlan>();
}

Text document_root(script::Subject& subject, const script::Suffix& /*none*/) {
  const StaticPlan* plan = plan_of(subject);
  if (plan == nullptr) return std::nullopt;
  const auto root = find_root(*plan, *subject.exchange);
  if (!root) return std::nullopt;
  return *root;
}

Text realpath_root(script::Subject& subject, const script::Suffix& none) {
  const Text root = document_root(subject, none);
  if (!root) return std::nullopt;
  struct Free {
    void operator()(char* text) const noexcept { ::free(text); }
  };
  const std::unique_ptr<char, Free> real(::realpath(std::string(*root).c_str(), nullptr));
  if (real == nullptr) return std::nullopt;
  return subject.arena.copy(std::string_view(real.get()));
}

Text request_filename(script::Subject& subject, const script::Suffix& /*none*/) {
  const StaticPlan* plan = plan_of(subject);
  if (plan == nullptr) return std::nullopt;
  const auto path = find_path(*plan, *subject.exchange, subject.exchange->encoded_slash);
  if (!path) return std::nullopt;
  return path->shown;
}

constexpr script::VariableSpec kSpecs[] = {
    {.name = "document_root",
     .get = document_root,
     .documentation = "the root or the alias of the request's location"},
    {.name = "realpath_root",
     .get = realpath_root,
     .documentation =
         "the root or the alias of the request's location, with all symbolic links resolved"},
    {.name = "request_filename",
     .get = request_filename,
     .documentation = "the path of the file that the request stands for"},
};

}  // namespace

const script::VariableTable kFileVariables = kSpecs;

}  // namespace content
