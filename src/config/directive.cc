#include "config/directive.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"

namespace config {
namespace {

std::string joined(std::string hint, const std::string& suspicion) {
  if (hint.empty() || suspicion.empty()) return hint + suspicion;
  return hint + "; or " + suspicion;
}

}  // namespace

const Word& Binding::word(std::size_t i) const {
  CHECK(i < directive.arguments.size());
  return directive.arguments[i];
}

void Binding::error(std::string message, std::string hint) const {
  diagnostics.error(where(), std::move(message), joined(std::move(hint), suspicion));
}

void Binding::error_at(std::size_t i, std::string message, std::string hint) const {
  diagnostics.error(word(i).at, std::move(message), joined(std::move(hint), suspicion));
}

void Binding::warn(std::string message, std::string hint) const {
  diagnostics.warning(where(), std::move(message), std::move(hint));
}

void Binding::warn_at(std::size_t i, std::string message, std::string hint) const {
  diagnostics.warning(word(i).at, std::move(message), std::move(hint));
}

void Binding::invalid(std::size_t i, std::string hint) const {
  error_at(i, fmt::format("invalid value \"{}\" in \"{}\" directive", argument(i), name()),
           std::move(hint));
}

std::optional<base::Fd> Binding::open(std::size_t i, Purpose purpose) const {
  auto fd = files.open(argument(i), purpose);
  for (std::string& warning : files.take_warnings()) warn_at(i, std::move(warning));
  if (fd) return *std::move(fd);
  report_failure(i, purpose, fd.error());
  return std::nullopt;
}

std::optional<std::string> Binding::read(std::size_t i, Purpose purpose) const {
  auto text = files.read_text(argument(i), purpose);
  for (std::string& warning : files.take_warnings()) warn_at(i, std::move(warning));
  if (text) return *std::move(text);
  report_failure(i, purpose, text.error());
  return std::nullopt;
}

void Binding::report_failure(std::size_t i, Purpose purpose, const base::Error& failure) const {
  const std::string full_name = files.full_name(argument(i), purpose);
  error_at(i, describe_failure(full_name, failure), advice_for(full_name, failure));
}

void resolve(Level& root, std::span<const Feature> features) {
  for (const Feature& feature : features) {
    if (feature.inherit != nullptr) feature.inherit(root.parent(), root);
  }
  for (const std::unique_ptr<Level>& child : root.children()) resolve(*child, features);
}

}  // namespace config
