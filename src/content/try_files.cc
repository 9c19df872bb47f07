#include "content/try_files.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace content {
namespace {

using config::Binding;
using config::Context;

void set_try_files(Binding& binding) {
  auto& files = binding.options<TryFilesOptions>().files;
  const std::size_t last = binding.count() - 1;
  const std::string& fallback = binding.argument(last);
  if (fallback.starts_with('=')) {
    const auto status = base::parse_number<unsigned>(std::string_view(fallback).substr(1));
    if (!status || *status > 999) {
      return binding.error_at(last, fmt::format("invalid code \"{}\"", fallback),
                              "=STATUS, as in =404");
    }
  }
  for (std::size_t i = 0; i <= last; ++i) files.push_back(binding.word(i));
}

void set_internal(Binding& binding) { binding.options<InternalOptions>().internal = true; }

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "try_files",
     .contexts = Context::server | Context::location,
     .arguments = config::takes_at_least(2),
     .syntax = "FILE... URI | @NAME | =CODE",
     .documentation = "Serves the first of the files that is there, else goes to the last word.",
     .set = set_try_files},
    {.name = "internal",
     .contexts = Context::location,
     .arguments = config::takes(0),
     .syntax = "",
     .documentation = "Only internal redirects reach the location; for clients it is 404.",
     .set = set_internal},
};

}  // namespace

const config::Feature kTryFilesFeature{"try_files", kDirectives, nullptr};

void provision_try_files(config::Level& level, script::Variables& variables,
                         config::Diagnostics& diagnostics) {
  const auto* options = level.find<TryFilesOptions>();
  if (options == nullptr || options->files.empty()) return;
  auto& plan = level.options<TryFilesPlan>();
  for (const config::Word& file : options->files) {
    config::Word word = file;
    if (&file == &options->files.back()) {
      if (word.text.starts_with('=')) {
        plan.status = base::parse_number<unsigned>(std::string_view(word.text).substr(1));
      } else {
        plan.fallback = script::Value::compile(word, variables, diagnostics);
      }
      break;
    }
    TryFilesPlan::Candidate candidate;
    candidate.directory = word.text.size() > 1 && word.text.ends_with('/');
    if (candidate.directory) word.text.pop_back();
    candidate.path = script::Value::compile(word, variables, diagnostics);
    plan.candidates.push_back(std::move(candidate));
  }
}

}  // namespace content
