// `geo [$ADDRESS] $VARIABLE { ... }`.
#include <fmt/format.h>

#include <memory>

#include "script/data_directives.h"
#include "script/geo_networks.h"

namespace script {
namespace {

using config::Word;

class GeoCompiler {
 public:
  GeoCompiler(Geo& geo, config::Diagnostics& diagnostics) : geo_(geo), diagnostics_(diagnostics) {}

  void add(const config::Directive& entry);
  void finish();
  [[nodiscard]] Caching caching() const noexcept { return caching_; }

 private:
  [[nodiscard]] bool set_option(const Word& word);
  [[nodiscard]] std::optional<GeoNetwork> read_network(const Word& word);
  void add_proxy(const Word& word);
  void add_range(const Word& key, const Word& value);
  void add_network(const Word& key, const Word& value);

  Geo& geo_;
  config::Diagnostics& diagnostics_;
  Caching caching_ = Caching::whole_exchange;
  GeoNetworks networks_;
  bool has_networks_ = false;
  std::unique_ptr<GeoRanges> ranges_;  // if the block says "ranges"
  std::optional<Geo::Outcome> range_default_;
};

void GeoCompiler::add(const config::Directive& entry) {
  if (entry.arguments.empty() && set_option(entry.name)) return;
  if (entry.arguments.size() != 1) {
    return diagnostics_.error(entry.name.at, "invalid number of the geo parameters",
                              "an entry is a network and a value; quote what has spaces in it");
  }
  if (entry.name.text == "proxy") return add_proxy(entry.arguments.front());
  if (ranges_ != nullptr) return add_range(entry.name, entry.arguments.front());
  add_network(entry.name, entry.arguments.front());
}

bool GeoCompiler::set_option(const Word& word) {
  if (word.text == "ranges") {
    if (has_networks_) {
      diagnostics_.error(
          word.at, "the \"ranges\" directive must be the first directive inside \"geo\" block");
    } else if (ranges_ == nullptr) {
      ranges_ = std::make_unique<GeoRanges>();
    }
    return true;
  }
  if (word.text == "proxy_recursive") {
    geo_.search_recursively();
    return true;
  }
  if (word.text == "volatile") {
    caching_ = Caching::none;
    return true;
  }
  return false;
}

std::optional<GeoNetwork> GeoCompiler::read_network(const Word& word) {
  const auto network = GeoNetwork::parse(word.text);
  if (!network) {
    diagnostics_.error(word.at, fmt::format("invalid network \"{}\"", word.text),
                       "an address, or a block such as 192.0.2.0/24");
  } else if (network->had_host_bits) {
    diagnostics_.warning(word.at, fmt::format("low address bits of {} are meaningless", word.text));
  }
  return network;
}

void GeoCompiler::add_proxy(const Word& word) {
  if (!read_network(word)) return;
  if (const auto network = base::Network::parse(word.text)) geo_.trust(*network);
}

void GeoCompiler::add_network(const Word& key, const Word& value) {
  has_networks_ = true;
  if (key.text == "default") {
    const Geo::Outcome outcome = geo_.outcome(value.text);
    networks_.add({.ipv6 = false}, outcome, key);
    networks_.add({.ipv6 = true}, outcome, key);
    return;
  }
  const bool removal = key.text == "delete";
  const Word& word = removal ? value : key;
  const auto network = read_network(word);
  if (!network) return;
  if (removal) return networks_.remove(*network, word);
  networks_.add(*network, geo_.outcome(value.text), word);
}

void GeoCompiler::add_range(const Word& key, const Word& value) {
  if (key.text == "default") {
    if (range_default_) {
      diagnostics_.error(key.at,
                         fmt::format("duplicate default geo range value: \"{}\", old value: \"{}\"",
                                     value.text, geo_.text_of(*range_default_)));
    }
    range_default_ = geo_.outcome(value.text);
    return;
  }
  const bool removal = key.text == "delete";
  const Word& word = removal ? value : key;
  const auto range = GeoRanges::parse(word.text);
  if (!range) {
    return diagnostics_.error(word.at, fmt::format("invalid range \"{}\"", word.text),
                              "two IPv4 addresses, as 192.0.2.0-192.0.2.255");
  }
  if (removal) return ranges_->remove(*range, word, diagnostics_);
  ranges_->add(*range, geo_.outcome(value.text), word, geo_, diagnostics_);
}

void GeoCompiler::finish() {
  if (ranges_ != nullptr) return ranges_->finish(geo_, range_default_.value_or(Geo::kNothing));
  networks_.finish(geo_, diagnostics_);
}

}  // namespace

void compile_geo(const config::Directive& block, Variables& variables,
                 config::Diagnostics& diagnostics) {
  std::optional<Value> address;
  if (block.arguments.size() == 2) {
    if (!read_variable_name(block.arguments.front(), diagnostics)) return;
    address = Value::compile(block.arguments.front(), variables, diagnostics);
  }
  const Word& word = block.arguments.back();
  const auto name = read_variable_name(word, diagnostics);
  auto geo = std::make_unique<Geo>(std::move(address));
  GeoCompiler compiler(*geo, diagnostics);
  for (const config::Directive& entry : block.block) compiler.add(entry);
  compiler.finish();
  if (name) variables.define(*name, std::move(geo), compiler.caching(), word.at, diagnostics);
}

}  // namespace script
